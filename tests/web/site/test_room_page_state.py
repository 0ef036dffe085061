"""The page's copy of the room: the reducer against streams that the real feed wrote.

The scripts run in Chromium as they are served; no server is needed, the browser gets the files from here.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from rooms import commands as c
from rooms.errors import Refused
from rooms.events import RoomEvent
from rooms.feed import Entry, RoomFeed
from rooms.live import LiveRooms
from rooms.modes import AudioMode, Role, Via
from rooms.telling import event_type
from tests.support.browser import chromium
from tests.support.room_site import GATEWAYS
from web.site.dialin import numbers_json, zone_countries
from web.site.i18n import STATIC

ROOM = "7"
ME = "w0"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    def serve(route: Route) -> None:
        path = STATIC / route.request.url.removeprefix("http://page.test/assets/")
        if path.is_file() and Path(path).suffix == ".js":
            route.fulfill(path=path, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><html lang=en><div id=room></div>", content_type="text/html")

    with chromium() as browser:
        page = browser.new_page()
        page.route("http://page.test/**", serve)
        page.goto("http://page.test/")
        page.evaluate(
            """async () => {
                for (const name of ["reducer", "wire", "announce", "people-view", "quality"]) {
                    Object.assign(window, await import(`/assets/js/room/${name}.js`));
                }
                Object.assign(window, await import("/assets/js/join/numbers.js"));
                window.plain = (state) => ({
                    room: state.room,
                    queue: state.queue, floor: state.floor,
                    seq: state.seq, link: state.link, stale: state.stale,
                    people: [...state.people.values()].map((p) => ({ ...p, devices: [...p.devices].sort() })),
                });
                window.begin = (json) => reduce(EMPTY, { type: "local/state", snapshot: snapshotFrom(json) });
                window.take = (state, frames) => frames.reduce((s, f) => reduce(s, eventFrom(f)), state);
            }"""
        )
        yield page


class Stream:
    """A room that things happen in, and what its pages were told."""

    def __init__(self, *, role: Role = Role.PRESENTER) -> None:
        self.live = LiveRooms()
        self.feed = RoomFeed(self.live, first_seq=500)
        self.live.open(ROOM, name="Town hall")
        self.role = role
        self.now_s = 100.0
        self.frames: list[dict[str, Any]] = []
        self.feed.subscribe(lambda _room, entries, _events: self._told(entries))

    def _told(self, entries: Any) -> None:
        entry: Entry
        for entry in entries:
            self.frames.append(json.loads(entry.frame(self.role)))

    def apply(self, *commands: c.RoomCommand) -> None:
        for command in commands:
            self.now_s += 0.1
            try:
                self.live.apply(ROOM, command, now_s=self.now_s)
            except Refused:
                continue

    def state(self) -> dict[str, Any]:
        state = self.feed.state(ROOM, self.role)
        return {**state, "me": {"id": ME, "role": self.role}, "ice_servers": []}

    def join(self, name: str, *, role: Role = Role.PARTICIPANT, via: Via = Via.WEB) -> None:
        self.apply(
            c.Join(participant_id=name, name=name.upper(), role=role, via=via, city="Paris", country="FR")
        )


def anything(dice: random.Random) -> c.RoomCommand:
    """A command that may or may not make sense now."""
    ids = [f"w{n}" for n in range(6)]
    who, by = dice.choice(ids), dice.choice([c.ORGANISER, ME, *ids[:2]])
    on = dice.random() < 0.5

    def join() -> c.RoomCommand:
        return c.Join(
            participant_id=who,
            name=who,
            role=dice.choice([Role.PARTICIPANT, Role.PARTICIPANT, Role.PRESENTER]),
            via=dice.choice([*Via]),
            city=dice.choice([None, "Oslo"]),
            country="NO",
            number_masked="+479 … 12",
            rejoin_key=who,
        )

    often = [
        join,
        lambda: c.AskQuestion(participant_id=who),
        lambda: c.GiveFloor(participant_id=dice.choice([None, who]), by=by),
        lambda: c.SetMode(mode=dice.choice([AudioMode.QA, *AudioMode]), by=by),
        lambda: c.Start(by=by),
    ]
    return dice.choice(
        [
            *often * 3,
            lambda: c.Leave(participant_id=who, device=dice.choice([None, *Via])),
            lambda: c.Mute(participant_id=who, by=dice.choice([by, who])),
            lambda: c.Unmute(participant_id=who, by=dice.choice([by, who])),
            lambda: c.SetMusic(on=on, by=dice.choice([by, who])),
            lambda: c.Stop(by=by),
            lambda: c.ToggleLock(by=by),
            lambda: c.TakeFloor(participant_id=None, by=by),
            lambda: c.Kick(participant_id=who, by=by),
            lambda: c.UndoKick(participant_id=who, by=by),
            lambda: c.Rename(participant_id=who, name=f"{who} {dice.randint(1, 9)}", by=by),
            lambda: c.SetTalking(participant_id=who, talking=on),
            lambda: c.LinkPhone(participant_id=who, city="Lyon", country="FR", number_masked="+336 … 42"),
            lambda: c.UnlinkPhone(participant_id=who),
            lambda: c.Connection(participant_id=who, connected=on),
            lambda: c.WebSound(participant_id=who, on=on),
            lambda: c.SetQuality(participant_id=who, quality=dice.choice([None, 0, 2, 4])),
        ]
    )()


@pytest.mark.parametrize("role", list(Role))
def test_whoever_applies_every_event_has_the_room(page: Page, role: Role) -> None:
    """Oracle: the state asked for anew at the end, for many random stories in which everything happens."""
    happened: set[str] = set()
    for seed in range(40):
        dice = random.Random(seed)
        stream = Stream(role=role)
        stream.join(ME, role=role)
        for _ in range(dice.randint(0, 30)):
            stream.apply(anything(dice))
        first, stream.frames = stream.state(), []
        for _ in range(150):
            stream.apply(anything(dice))
        happened.update(frame["event"]["type"] for frame in stream.frames)
        copy, truth = page.evaluate(
            "([first, frames, last]) => [plain(take(begin(first), frames)), plain(begin(last))]",
            [first, stream.frames, stream.state()],
        )
        assert copy == truth, f"seed {seed}"
    every = {event_type(kind.__name__) for kind in RoomEvent.__subclasses__()}
    assert happened == every - {"audio_changed", "ended"}


def test_a_gap_is_noticed_and_nothing_is_applied_until_the_state_comes(page: Page) -> None:
    stream = Stream()
    stream.join(ME, role=Role.PRESENTER)
    first, stream.frames = stream.state(), []
    stream.apply(c.Start(by=ME), c.Lock(by=ME), c.SetMode(mode=AudioMode.QA, by=ME))
    started, locked, mode = stream.frames
    behind, caught_up = page.evaluate(
        """([first, frames, last]) => {
            const behind = take(begin(first), frames);
            const anew = { type: "local/state", snapshot: snapshotFrom(last) };
            return [plain(behind), plain(reduce(behind, anew))];
        }""",
        [first, [started, mode], stream.state()],
    )
    assert behind["stale"]
    assert behind["room"]["mode"] == "listen_only"
    assert not caught_up["stale"]
    assert caught_up["room"]["locked"]
    assert caught_up["seq"] == mode["seq"] > locked["seq"]


def test_an_event_seen_twice_counts_once(page: Page) -> None:
    stream = Stream()
    stream.join(ME, role=Role.PRESENTER)
    first, stream.frames = stream.state(), []
    stream.join("w1")
    stream.apply(c.AskQuestion(participant_id="w1"))
    copy = page.evaluate(
        "([first, frames]) => plain(take(begin(first), frames))", [first, [*stream.frames, *stream.frames]]
    )
    assert copy["queue"] == ["w1"]
    assert not copy["stale"]


def test_people_who_did_not_change_stay_the_same_objects(page: Page) -> None:
    stream = Stream()
    for n in range(20):
        stream.join(f"w{n}", role=Role.PRESENTER)
    first, stream.frames = stream.state(), []
    stream.apply(c.SetTalking(participant_id="w3", talking=True))
    changed = page.evaluate(
        """([first, frames]) => {
            const before = begin(first), after = take(before, frames);
            return [...after.people.keys()].filter((id) => before.people.get(id) !== after.people.get(id));
        }""",
        [first, stream.frames],
    )
    assert changed == ["w3"]


@pytest.mark.parametrize(
    ("role", "commands", "why"),
    [
        (Role.PARTICIPANT, [], "not_started"),
        (Role.PRESENTER, [], "no_microphone"),
        (Role.PARTICIPANT, [c.Start(by=c.ORGANISER)], "listen_only"),
        (Role.PARTICIPANT, [c.SetMode(mode=AudioMode.QA, by=c.ORGANISER), c.Start(by=c.ORGANISER)], "qa"),
        (Role.PRESENTER, [c.Mute(participant_id=ME, by=c.ORGANISER)], "muted_presenter"),
        (Role.PRESENTER, [c.Mute(participant_id=ME, by=ME)], "muted_self"),
    ],
)
def test_why_one_is_not_heard(page: Page, role: Role, commands: list[c.RoomCommand], why: str) -> None:
    stream = Stream(role=role)
    stream.join(ME, role=role)
    stream.apply(*commands)
    assert page.evaluate("(state) => whyNotHeard(begin(state))", stream.state()) == why


def test_the_microphone_closes_at_once_and_opens_when_the_server_says_so(page: Page) -> None:
    stream = Stream()
    stream.join(ME, role=Role.PRESENTER)
    open_, own_mute, before_answer = page.evaluate(
        """(json) => {
            const speaking = reduce(begin(json), { type: "local/sound", speak: true, hear: "room" });
            const muting = reduce(speaking, { type: "local/mute", muted: true });
            const silent = reduce(begin(json), { type: "local/sound", speak: false, hear: "room" });
            const unmuting = reduce(silent, { type: "local/mute", muted: false });
            return [speaking, muting, unmuting].map(microphoneOpen);
        }""",
        stream.state(),
    )
    assert (open_, own_mute, before_answer) == (True, False, False)


def test_talkers_are_announced_rarely_and_hands_together(page: Page) -> None:
    stream = Stream()
    stream.join(ME, role=Role.PRESENTER)
    for name in ("fay", "max", "eva"):
        stream.join(name)
    stream.apply(c.SetMode(mode=AudioMode.DISCUSSION, by=ME), c.Start(by=ME))
    first, stream.frames = stream.state(), []
    for _ in range(30):
        for name in ("fay", "max"):
            stream.apply(c.SetTalking(participant_id=name, talking=True))
            stream.apply(c.SetTalking(participant_id=name, talking=False))
    stream.apply(c.SetTalking(participant_id="fay", talking=True))
    for name in ("fay", "max", "eva"):
        stream.apply(c.AskQuestion(participant_id=name))
    said = page.evaluate(
        """([first, frames]) => {
            const announcer = new Announcer(), said = [];
            let state = begin(first), now_s = 0;
            for (const frame of frames) {
                const event = eventFrom(frame), before = state;
                state = reduce(state, event);
                said.push(...announcer.on(state, event, before, now_s));
                now_s += 0.05;
                said.push(...announcer.tick(state, now_s));
            }
            for (let n = 0; n < 10; n += 1) said.push(...announcer.tick(state, now_s += 0.5));
            return said;
        }""",
        [first, stream.frames],
    )
    assert sorted(said) == ["FAY and 2 others have questions.", "FAY is speaking."]


@pytest.mark.parametrize(
    ("zone", "languages", "first"),
    [
        ("Europe/Paris", ["en-US"], "fr-paris"),
        ("Pacific/Honolulu", ["de-DE"], "us-chicago"),
        ("Africa/Dakar", ["fr-SN"], "fr-paris"),
        (None, ["ja-JP"], "jp-tokyo"),
        ("Europe/Vienna", ["de-AT"], "de-berlin"),
        (None, [], "us-chicago"),
    ],
)
def test_the_nearest_number_comes_first(
    page: Page, zone: str | None, languages: list[str], first: str
) -> None:
    order = page.evaluate(
        "([numbers, zones, zone, languages]) => nearestFirst(numbers,"
        " visitorPlace({ zone, languages, zoneCountries: zones })).map((n) => n.code)",
        [numbers_json(GATEWAYS), zone_countries(GATEWAYS), zone, languages],
    )
    assert order[0] == first
    assert len(order) == len(GATEWAYS)


def test_bars_fall_with_loss_delay_and_jitter(page: Page) -> None:
    bars = page.evaluate(
        """() => {
            const from = { received: 0, lost: 0, jitter_ms: 0, rtt_ms: 0 };
            const to = (lost, rtt_ms, jitter_ms) =>
                barsBetween(from, { received: 150, lost, jitter_ms, rtt_ms });
            return [to(0, 40, 5), to(4, 40, 5), to(0, 400, 5), to(30, 40, 5), to(80, 40, 5), to(0, 40, 150),
                    barsBetween(from, from)];
        }"""
    )
    assert bars == [4, 3, 2, 1, 0, 1, None]
