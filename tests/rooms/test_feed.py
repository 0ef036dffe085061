"""The page stays true: its state and the changes it was told are the room, whatever happens in it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rooms import commands as c
from rooms.errors import NoSuchRoom, Refused
from rooms.feed import Entry, RoomFeed
from rooms.live import LiveRooms
from rooms.modes import AudioMode, Role, Via
from rooms.telling import shown_name
from tests.rooms.page import Page

PEOPLE = ["p1", "p2", "a1", "a2"]
WHO = st.sampled_from(PEOPLE)
BY = st.sampled_from([*PEOPLE, c.ORGANISER])
TEXTS = st.sampled_from(["Ann", "+33 6 12 34 56 78", "<b>Bob</b>", "+331…78", "Bob +33612345678", "日本"])


def role_of(who: str) -> Role:
    return Role.PRESENTER if who.startswith("p") else Role.PARTICIPANT


class FeedOfAnyRoom(RuleBasedStateMachine):
    """Commands in any order; two pages, one of each kind, follow by changes alone."""

    @initialize(mode=st.sampled_from(AudioMode))
    def begin(self, mode: AudioMode) -> None:
        self.live = LiveRooms()
        self.live.open("r", name="Demo", mode=mode, discussion_limit=3, capacity=5)
        self.feed = RoomFeed(self.live, unix_offset_s=1_000_000.25)
        self.pages = {viewer: Page(self.feed.state("r", viewer)) for viewer in Role}
        self.feed.subscribe(self.tell)
        self.now_s = 0.0

    def tell(self, _room_id: str, entries: Any, _events: Any) -> None:
        for entry in entries:
            for viewer, page in self.pages.items():
                page.take(entry.frame(viewer))

    def give(self, command: c.RoomCommand) -> None:
        self.now_s += 1
        try:
            self.live.apply("r", command, now_s=self.now_s)
        except Refused:
            return
        except NoSuchRoom:  # it ended
            self.live.open("r", name="Again")
            self.pages = {viewer: Page(self.feed.state("r", viewer)) for viewer in Role}

    @rule(who=WHO, via=st.sampled_from(Via), name=TEXTS, number=st.sampled_from([None, "+331…78"]))
    def join(self, who: str, via: Via, name: str, number: str | None) -> None:
        self.give(
            c.Join(
                participant_id=who, name=name, role=role_of(who), via=via, rejoin_key=who,
                city="Paris", country="FR", number_masked=number,
            )
        )  # fmt: skip

    @rule(who=WHO, device=st.sampled_from([None, *Via]))
    def leave(self, who: str, device: Via | None) -> None:
        self.give(c.Leave(participant_id=who, device=device))

    @rule(who=WHO, number=st.sampled_from([None, "+331…78"]))
    def link(self, who: str, number: str | None) -> None:
        self.give(c.LinkPhone(participant_id=who, city="Lyon", country="FR", number_masked=number))

    @rule(who=WHO, on=st.booleans())
    def web(self, who: str, on: bool) -> None:
        self.give(c.Connection(participant_id=who, connected=on))

    @rule(who=WHO, on=st.booleans())
    def web_sound(self, who: str, on: bool) -> None:
        self.give(c.WebSound(participant_id=who, on=on))

    @rule(who=WHO, quality=st.sampled_from([None, 0, 4]))
    def quality(self, who: str, quality: int | None) -> None:
        self.give(c.SetQuality(participant_id=who, quality=quality))

    @rule(
        who=WHO,
        by=BY,
        kind=st.sampled_from([c.Mute, c.Unmute, c.Kick, c.UndoKick, c.GiveFloor, c.TakeFloor]),
    )
    def about_someone(self, who: str, by: str, kind: type) -> None:
        self.give(kind(participant_id=who, by=by))

    @rule(by=BY, kind=st.sampled_from([c.GiveFloor, c.TakeFloor]))
    def about_the_next(self, by: str, kind: type) -> None:
        self.give(kind(participant_id=None, by=by))

    @rule(who=WHO, kind=st.sampled_from([c.ToggleMute, c.ToggleMusic, c.AskQuestion, c.UnlinkPhone]))
    def own_key(self, who: str, kind: type) -> None:
        self.give(kind(participant_id=who))

    @rule(by=BY, kind=st.sampled_from([c.Start, c.Start, c.Stop, c.Lock, c.Unlock, c.ToggleLock]))
    def about_the_room(self, by: str, kind: type) -> None:
        self.give(kind(by=by))

    @rule(by=BY, on=st.booleans())
    def music(self, by: str, on: bool) -> None:
        self.give(c.SetMusic(by=by, on=on))

    @rule(by=BY, mode=st.sampled_from(AudioMode))
    def choose_mode(self, by: str, mode: AudioMode) -> None:
        self.give(c.SetMode(mode=mode, by=by))

    @rule(who=WHO, by=BY, name=TEXTS)
    def rename(self, who: str, by: str, name: str) -> None:
        self.give(c.Rename(participant_id=who, by=by, name=name))

    @rule(who=WHO, talking=st.booleans())
    def talk(self, who: str, talking: bool) -> None:
        self.give(c.SetTalking(participant_id=who, talking=talking))

    @rule(by=BY, sure=st.integers(0, 9))
    def end(self, by: str, sure: int) -> None:
        if sure == 0:
            self.give(c.End(by=by))

    @rule()
    def something_of_the_events(self) -> None:
        self.feed.publish("r", {"type": "settings_changed", "toll_free": True, "gateway": False})

    @invariant()
    def pages_are_true(self) -> None:
        for viewer, page in self.pages.items():
            if self.live.get("r") is not None:
                assert page.state == json.loads(json.dumps(self.feed.state("r", viewer)))
            else:
                assert page.state["ended"]
                assert page.state["people"] == []

    @invariant()
    def participants_see_no_numbers(self) -> None:
        text = json.dumps(self.pages[Role.PARTICIPANT].state)
        assert "331" not in text
        assert "336" not in text
        assert "12345678" not in json.dumps(self.pages[Role.PRESENTER].state).replace(" ", "")


FeedOfAnyRoom.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestFeedOfAnyRoom = FeedOfAnyRoom.TestCase


def started() -> tuple[LiveRooms, RoomFeed]:
    live = LiveRooms()
    live.open("r", name="Demo")
    feed = RoomFeed(live, ring=10)
    join = c.Join(participant_id="p1", name="Ann", role=Role.PRESENTER, via=Via.WEB)
    live.apply("r", join, now_s=0)
    return live, feed


def lock(live: LiveRooms, times: int) -> None:
    for _ in range(times):
        live.apply("r", c.ToggleLock(by="p1"), now_s=0)


def test_what_was_missed_is_told_and_a_gap_is_a_gap() -> None:
    live, feed = started()
    page = Page(feed.state("r", Role.PRESENTER))
    seq = page.state["seq"]
    assert feed.since("r", seq) == []
    lock(live, 7)
    missed = feed.since("r", seq)
    assert missed is not None
    for entry in missed:
        page.take(entry.frame(Role.PRESENTER))
    assert page.state == json.loads(json.dumps(feed.state("r", Role.PRESENTER)))
    assert len(feed.since("r", seq + 5) or []) == 2
    lock(live, 4)
    assert feed.since("r", seq) is None, "eleven changes, ten kept"
    assert feed.since("r", seq + 12) is None, "a number from the future"
    assert feed.since("r", -1) is None
    assert feed.since("nowhere", seq) is None


def test_numbers_of_an_earlier_run_are_a_gap() -> None:
    live, feed = started()
    seq = feed.state("r", Role.PRESENTER)["seq"]
    live.apply("r", c.End(by="p1"), now_s=0)
    with pytest.raises(NoSuchRoom):
        feed.state("r", Role.PRESENTER)
    live.open("r", name="Demo")
    assert feed.since("r", seq + 1) is None
    join = c.Join(participant_id="p1", name="Ann", role=Role.PRESENTER, via=Via.WEB)
    live.apply("r", join, now_s=0)
    lock(live, 5)
    for old in range(seq + 2):
        assert feed.since("r", old) is None


def test_a_change_is_told_in_the_same_turn_and_a_failing_observer_hurts_nobody() -> None:
    live, feed = started()
    told: list[Entry] = []

    def broken(*_args: Any) -> None:
        raise RuntimeError("broken")

    feed.subscribe(broken)
    unsubscribe = feed.subscribe(lambda _room, entries, _events: told.extend(entries))
    lock(live, 1)
    assert json.loads(told[0].presenters)["event"] == {"type": "locked", "actor": "p1"}
    assert feed.observer_failures == 1
    unsubscribe()
    lock(live, 1)
    assert len(told) == 1
    feed.close()


def test_a_change_in_a_large_room_is_small_and_cheap() -> None:
    live = LiveRooms()
    live.open("r", name="Demo", mode=AudioMode.DISCUSSION, discussion_limit=2000)
    feed = RoomFeed(live)
    for number in range(500):
        join = c.Join(participant_id=f"a{number}", name=f"P {number}", role=Role.PARTICIPANT, via=Via.WEB)
        live.apply("r", join, now_s=0)
    told: list[Entry] = []
    feed.subscribe(lambda _room, entries, _events: told.extend(entries))
    live.apply("r", c.ToggleMute(participant_id="a7"), now_s=0)
    assert [json.loads(entry.participants)["event"]["type"] for entry in told] == ["muted"]
    assert len(told[0].participants) < 120


@pytest.mark.parametrize(
    ("name", "presenter", "participant"),
    [
        ("Ann Martin", "Ann Martin", "Ann Martin"),
        ("Room 101", "Room 101", "Room 101"),
        ("+33612345678", "+336…78", None),
        ("06 12 34 56 78", "0612…78", None),
        ("+331…78", "+331…78", None),
        ("+331******89", "+331******89", None),
        ("Bob 0033612345678", "Bob 0033…78", None),
        ("<script>alert(1)</script>", "<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_numbers_in_names(name: str, presenter: str, participant: str | None) -> None:
    assert shown_name(name, viewer=Role.PRESENTER) == presenter
    assert shown_name(name, viewer=Role.PARTICIPANT) == participant


def test_who_comes_back_muted_is_muted_on_every_page() -> None:
    live, feed = started()
    join = c.Join(participant_id="a1", name="Bob", role=Role.PARTICIPANT, via=Via.WEB)
    live.apply("r", join, now_s=0)
    for command in (c.ToggleMute(participant_id="a1"), c.SetMusic(by="a1", on=False)):
        live.apply("r", command, now_s=0)
    live.apply("r", c.Leave(participant_id="a1"), now_s=1)
    page = Page(feed.state("r", Role.PRESENTER))
    live.apply("r", join, now_s=2)
    for entry in feed.since("r", page.state["seq"]) or []:
        page.take(entry.frame(Role.PRESENTER))
    assert page.state == json.loads(json.dumps(feed.state("r", Role.PRESENTER)))
    assert [(p["muted_by"], p["music"]) for p in page.state["people"]] == [(None, True), ("self", False)]
