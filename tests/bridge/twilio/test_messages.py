"""What Twilio may send, and what anybody may send."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.twilio import messages as m
from bridge.twilio.errors import BadMessageError


def test_the_documented_examples_are_read() -> None:
    """Bodies as in "Media Streams: WebSocket messages"."""
    assert m.read('{"event":"connected","protocol":"Call","version":"1.0.0"}') == m.Connected("Call", "1.0.0")
    start = m.read(
        json.dumps(
            {
                "event": "start",
                "sequenceNumber": "1",
                "start": {
                    "accountSid": "AC1",
                    "streamSid": "MZ1",
                    "callSid": "CA1",
                    "tracks": ["inbound"],
                    "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                    "customParameters": {"token": "secret"},
                },
                "streamSid": "MZ1",
            }
        )
    )
    assert isinstance(start, m.Start)
    assert (start.start.call_sid, start.start.custom_parameters) == ("CA1", {"token": "secret"})
    assert start.start.media_format.sample_rate == 8000
    media = m.read(
        '{"event":"media","sequenceNumber":"3","media":{"track":"inbound","chunk":"1","timestamp":"5",'
        '"payload":"no+JhoaJjpz/"},"streamSid":"MZ1"}'
    )
    assert isinstance(media, m.Media)
    assert (media.media.chunk, media.media.timestamp) == (1, 5)
    assert media.media.payload == base64.b64decode("no+JhoaJjpz/")
    dtmf = m.read(
        '{"event":"dtmf","streamSid":"MZ1","sequenceNumber":"5","dtmf":{"track":"inbound_track","digit":"1"}}'
    )
    assert isinstance(dtmf, m.Dtmf)
    assert dtmf.dtmf.digit == "1"
    mark = m.read('{"event":"mark","sequenceNumber":"4","streamSid":"MZ1","mark":{"name":"7"}}')
    assert mark == m.Mark(m.MarkName("7"))
    stop = m.read(
        '{"event":"stop","sequenceNumber":"5","streamSid":"MZ1","stop":{"accountSid":"AC1","callSid":"CA1"}}'
    )
    assert stop == m.Stop()


def test_names_of_tomorrow_are_passed_over() -> None:
    assert m.read('{"event":"transcript","text":"hello"}') is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"media"',
        "{}",
        '{"event":1}',
        '{"event":"media"}',
        '{"event":"media","media":{"payload":"***"}}',
        '{"event":"media","media":{"payload":"AA==","chunk":"x"}}',
        '{"event":"start","start":{}}',
        '{"event":"dtmf","dtmf":{"digit":"12"}}',
        '{"event":"dtmf","dtmf":{"digit":"é"}}',
        '{"event":"mark"}',
        "[" * 5000,
        '{"event":"media","media":{"payload":"' + "A" * 40_000 + '"}}',
    ],
)
def test_garbage_is_their_fault(text: str) -> None:
    with pytest.raises(BadMessageError):
        m.read(text)


@given(st.binary(max_size=200))
def test_no_bytes_at_all_break_the_reader(data: bytes) -> None:
    try:
        m.read(data)
    except BadMessageError:
        return


def test_keys_are_never_printed() -> None:
    """Digits of a PIN must reach no log."""
    assert "7" not in repr(m.read('{"event":"dtmf","dtmf":{"digit":"7"}}'))
    with pytest.raises(BadMessageError) as caught:
        m.read('{"event":"dtmf","dtmf":{"digit":"77"}}')
    assert "7" not in str(caught.value)


def test_what_we_send_is_what_is_documented() -> None:
    writer = m.Writer("MZ1")
    assert json.loads(writer.media(b"\xff\x00")) == {
        "event": "media",
        "streamSid": "MZ1",
        "media": {"payload": "/wA="},
    }
    assert json.loads(writer.mark(12)) == {"event": "mark", "streamSid": "MZ1", "mark": {"name": "12"}}
    assert json.loads(writer.clear) == {"event": "clear", "streamSid": "MZ1"}
    odd = m.Writer('M"Z\\')
    assert json.loads(odd.media(b""))["streamSid"] == 'M"Z\\'
