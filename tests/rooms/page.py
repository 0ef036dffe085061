"""A page's view of a room: the reducer that docs/live-socket.md describes, as the page's script has it."""

from __future__ import annotations

import copy
import json
from typing import Any


class Page:
    """One page: takes the whole state, then changes one after the other."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = copy.deepcopy(state)

    def take(self, frame: str) -> None:
        """Apply one frame `{"seq": …, "event": {…}}`."""
        told = json.loads(frame)
        assert told["seq"] == self.state["seq"] + 1
        self.state["seq"] = told["seq"]
        event = told["event"]
        change = getattr(self, "_" + event["type"], None)
        if change is not None:
            change(event)

    def _person(self, event: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = next(p for p in self.state["people"] if p["id"] == event["participant"])
        return found

    def _joined(self, event: dict[str, Any]) -> None:
        self.state["people"].append(event["person"])

    def _left(self, event: dict[str, Any]) -> None:
        self.state["people"] = [p for p in self.state["people"] if p["id"] != event["participant"]]

    def _muted(self, event: dict[str, Any]) -> None:
        self._person(event)["muted_by"] = event["by"]

    def _unmuted(self, event: dict[str, Any]) -> None:
        self._person(event)["muted_by"] = None

    def _mode_changed(self, event: dict[str, Any]) -> None:
        self.state["mode"] = event["mode"]
        for person in self.state["people"]:
            if person["id"] in event["muted"]:
                person["muted_by"] = "mode"
            if person["id"] in event["unmuted"]:
                person["muted_by"] = None

    def _started(self, event: dict[str, Any]) -> None:
        self.state.update(started=True, started_at=event["started_at"])

    def _stopped(self, _event: dict[str, Any]) -> None:
        self.state.update(started=False, started_at=None)

    def _ended(self, _event: dict[str, Any]) -> None:
        self.state.update(ended=True, people=[], questions=[], floor=None)

    def _locked(self, _event: dict[str, Any]) -> None:
        self.state["locked"] = True

    def _unlocked(self, _event: dict[str, Any]) -> None:
        self.state["locked"] = False

    def _question_asked(self, event: dict[str, Any]) -> None:
        self.state["questions"].insert(event["position"] - 1, event["participant"])

    def _question_withdrawn(self, event: dict[str, Any]) -> None:
        self.state["questions"].remove(event["participant"])

    def _floor_given(self, event: dict[str, Any]) -> None:
        self.state["floor"] = event["participant"]
        self._person(event)["muted_by"] = None
        if event["participant"] in self.state["questions"]:
            self.state["questions"].remove(event["participant"])

    def _floor_taken(self, _event: dict[str, Any]) -> None:
        self.state["floor"] = None

    def _music_switched(self, event: dict[str, Any]) -> None:
        if not event["everyone"]:
            self._person(event)["music"] = event["on"]
            return
        self.state["music"] = event["on"]
        for person in self.state["people"]:
            person["music"] = event["on"]

    def _talking_changed(self, event: dict[str, Any]) -> None:
        self._person(event)["talking"] = event["talking"]

    def _renamed(self, event: dict[str, Any]) -> None:
        self._person(event)["name"] = event["name"]

    def _phone_linked(self, event: dict[str, Any]) -> None:
        person = self._person(event)
        person.update(city=event["city"], country=event["country"], number=event["number"])
        person["devices"] = sorted({*person["devices"], "phone"})

    def _phone_unlinked(self, event: dict[str, Any]) -> None:
        person = self._person(event)
        person.update(city=None, country=None, number=None)
        person["devices"] = sorted({*person["devices"]} - {"phone"})

    def _connection_changed(self, event: dict[str, Any]) -> None:
        person = self._person(event)
        person["connected"] = event["connected"]
        others = {*person["devices"]} - {"web"}
        person["devices"] = sorted(others | {"web"} if event["web"] else others)

    def _sound_changed(self, event: dict[str, Any]) -> None:
        self._person(event)["sound"] = event["sound"]

    def _quality_changed(self, event: dict[str, Any]) -> None:
        self._person(event)["quality"] = event["quality"]
