"""docs/live-socket.md tells every order, every change and every refusal."""

from __future__ import annotations

import re
from pathlib import Path

from rooms import events as e
from rooms.telling import event_type
from web import joining, room_page
from web.socket_commands import COMMANDS

TEXT = (Path(__file__).parents[2] / "docs" / "live-socket.md").read_text()


def first_cells(heading: str) -> set[str]:
    """The code words in the first column of the tables under a heading."""
    part = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| ([^|]*) \|", part, re.MULTILINE)
    return {word for cell in cells for word in re.findall(r"`([\w-]+)`", cell)}


def test_every_order_and_every_refusal_is_told() -> None:
    told = first_cells("What a page may do") - {"do", "slug"}
    assert told == set(COMMANDS) | set(room_page._OWN) | set(room_page.REASONS)


def test_every_change_is_told() -> None:
    kinds = {event_type(kind.__name__) for kind in e.RoomEvent.__subclasses__()} - {"audio_changed"}
    assert first_cells("Changes") - {"type"} == kinds | {"settings_changed"}


def test_every_reason_of_the_door_is_told() -> None:
    assert first_cells("Coming in") - {"slug"} >= set(joining.REASONS)
