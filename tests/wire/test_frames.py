"""Frames survive any cutting of the stream, and a stream that is not ours is noticed."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.frames import FrameReader, FrameTooLong, frame


class Note(msgspec.Struct, frozen=True, tag=True):
    text: str


decoder = msgspec.msgpack.Decoder(list[Note])


@given(st.lists(st.lists(st.text(max_size=40)), max_size=6), st.data())
def test_any_cutting_gives_the_same_messages(lists: list[list[str]], data: st.DataObject) -> None:
    stream = b"".join(frame([Note(text) for text in texts]) for texts in lists)
    reader, got = FrameReader(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += [[note.text for note in decoder.decode(body)] for body in reader.feed(stream[:size])]
        stream = stream[size:]
    assert got == lists


def test_a_frame_that_claims_too_much_is_refused_before_it_is_kept() -> None:
    reader = FrameReader(bytes_max=1000)
    assert len(reader.feed(frame([Note("x" * 900)]))) == 1
    with pytest.raises(FrameTooLong, match="1001"):
        reader.feed((1001).to_bytes(4, "little"))
