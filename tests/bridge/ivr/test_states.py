"""The table of states: every state × every happening, and any sequence at all."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.ivr.commands import Accepted, CheckPin, Do, HangUp, Rejected
from bridge.ivr.flow import CallFlow
from bridge.ivr.settings import IvrSettings
from bridge.ivr.states import TRANSITIONS, Happening, State
from rooms import commands as c
from rooms import events as e
from rooms.errors import REASONS, Refused
from rooms.modes import AudioMode, Role, Via
from rooms.room import Room
from tests.bridge.ivr.caller import PRESENTER_PIN, Bridge, Caller

CANARY = "314159265"


def in_state(state: State) -> Caller:
    """A caller whose flow stands in a state."""
    bridge = Bridge()
    if state is State.NEW:
        caller = Caller(bridge, "p1", IvrSettings())
        bridge.callers.append(caller)
        return caller
    caller = bridge.call()
    if state in (State.CHECKING, State.JOINING):
        caller.check_at_once = False
        caller.type(f"{PRESENTER_PIN}#")
    if state is State.JOINING:
        caller.flow.on_pin_checked(Accepted(role=Role.PRESENTER, event_name="x"), now_s=bridge.now_s)
    if state in (State.ROOM, State.SUBMENU):
        caller.type(f"{PRESENTER_PIN}#")
    if state is State.SUBMENU:
        caller.press("2")
    if state in (State.LEAVING, State.OVER):
        caller.type("1#1#1#")
    if state is State.OVER:
        caller.hear_out()
    assert caller.state is state
    return caller


def happen(caller: Caller, happening: Happening) -> list[Any]:
    flow, now_s = caller.flow, caller.bridge.now_s
    room = Room("other", name="other")
    room.apply(c.Join(participant_id="x", name="x", role=Role.PRESENTER, via=Via.PHONE), now_s=now_s)
    match happening:
        case Happening.START:
            return flow.start(now_s=now_s)
        case Happening.KEY:
            return flow.on_key("1", now_s=now_s)
        case Happening.PLAYED:
            return flow.on_played(caller.playing.play_id if caller.playing else 1, now_s=now_s)
        case Happening.PIN_CHECKED:
            return flow.on_pin_checked(Rejected(slug="wrong-pin"), now_s=now_s)
        case Happening.JOINED:
            return flow.on_joined(room, "x", now_s=now_s)
        case Happening.REFUSED:
            return flow.on_refused("event-locked", now_s=now_s)
        case Happening.ROOM_EVENT:
            return flow.on_room_event(e.Ended(actor="x", participant_ids=frozenset({"p1"})), now_s=now_s)
        case Happening.DEADLINE:
            return flow.on_deadline(now_s=now_s + 10_000)


@pytest.mark.parametrize("happening", Happening)
@pytest.mark.parametrize("state", State)
def test_every_happening_in_every_state_is_in_the_table_or_changes_nothing(
    state: State, happening: Happening
) -> None:
    caller = in_state(state)
    deadline_s = caller.flow.deadline_s()
    commands = happen(caller, happening)
    if (state, happening) in TRANSITIONS:
        assert caller.state in TRANSITIONS[state, happening]
    else:
        assert commands == []
        assert caller.state is state
        assert caller.flow.deadline_s() == deadline_s


@pytest.mark.parametrize("state", State)
def test_every_state_but_the_last_and_the_room_has_a_deadline_of_its_own(state: State) -> None:
    caller = in_state(state)
    caller.hear_out()
    if state in (State.NEW, State.OVER, State.ROOM):
        assert caller.flow.deadline_s() is None
    elif state is not State.LEAVING:  # hearing out has ended it
        assert caller.flow.deadline_s() is not None


@pytest.mark.parametrize("state", [s for s in State if s is not State.NEW])
def test_a_stale_played_changes_nothing(state: State) -> None:
    caller = in_state(state)
    deadline_s = caller.flow.deadline_s()
    assert caller.flow.on_played(12345, now_s=caller.bridge.now_s) == []
    assert caller.state is state
    assert caller.flow.deadline_s() == deadline_s


@pytest.mark.parametrize("state", [s for s in State if s not in (State.NEW, State.OVER)])
def test_a_deadline_called_too_early_changes_nothing(state: State) -> None:
    caller = in_state(state)
    assert caller.flow.on_deadline(now_s=caller.bridge.now_s) == []
    assert caller.state is state


@pytest.mark.parametrize("slug", [*REASONS, "made-up"])
def test_every_refusal_in_the_room_is_answered_and_keeps_the_caller(slug: str) -> None:
    caller = in_state(State.ROOM)
    commands = caller.flow.on_refused(slug, now_s=caller.bridge.now_s)
    assert commands[-1].prompts[0].key == "tone.error"  # type: ignore[union-attr]
    assert caller.state is State.ROOM


def test_a_key_pressed_while_the_room_is_entered_is_counted_and_dropped() -> None:
    caller = in_state(State.JOINING)
    assert caller.press("9") == []
    assert caller.flow.keys_ignored == 1


def test_an_event_that_ended_while_the_room_was_entered_ends_the_call() -> None:
    caller = in_state(State.JOINING)
    room = Room("other", name="other")
    caller.carry_out(caller.flow.on_joined(room, caller.id, now_s=caller.bridge.now_s))
    caller.hear_out()
    assert caller.hung_up == "event-ended"


def test_entering_that_never_ends_is_given_up() -> None:
    caller = in_state(State.JOINING)
    caller.bridge.later(IvrSettings().answer_max_s)
    assert caller.state is State.LEAVING


KEYS = st.sampled_from("0123456789*#ABCD") | st.characters()
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("key"), KEYS),
        st.tuples(st.just("key"), st.sampled_from("0123456789*#")),
        st.tuples(st.just("wait"), st.floats(min_value=0, max_value=40)),
        st.tuples(st.just("played"), st.just(None)),
        st.tuples(st.just("good"), st.sampled_from(Role)),
        st.tuples(st.just("bad"), st.sampled_from(["wrong-pin", "event-over", "no-such-slug"])),
        st.tuples(st.just("mode"), st.sampled_from(AudioMode)),
        st.tuples(st.just("kick"), st.just(None)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_any_sequence_leaves_the_flow_in_a_listed_state_and_never_raises(
    steps: list[tuple[str, Any]],
) -> None:
    bridge = Bridge(mode=AudioMode.QA)
    caller = bridge.call()
    caller.check_at_once = False
    for what, value in steps:
        match what:
            case "key":
                caller.press(value)
            case "wait":
                bridge.later(value)
            case "played":
                caller.hear_out()
            case "good":
                if caller.state is State.CHECKING:
                    outcome = Accepted(role=value, event_name="x")
                    caller.carry_out(caller.flow.on_pin_checked(outcome, now_s=bridge.now_s))
            case "bad":
                caller.carry_out(caller.flow.on_pin_checked(Rejected(slug=value), now_s=bridge.now_s))
            case "mode":
                _try(bridge, c.SetMode(mode=value, by=c.ORGANISER))
            case "kick":
                _try(bridge, c.Kick(participant_id=caller.id, by=c.ORGANISER))
        assert caller.state in State
        assert "***" not in repr(caller.flow)
    over = [each for each in caller.commands if isinstance(each, HangUp)]
    assert len(over) <= 1


def _try(bridge: Bridge, command: c.RoomCommand) -> None:
    try:
        bridge.apply(command)
    except Refused:
        return


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["#", "*", "1#", "22*", CANARY + "#", CANARY]), max_size=12), st.booleans())
def test_whatever_is_typed_the_pin_shows_nowhere_but_in_the_check(parts: list[str], answer: bool) -> None:
    caller = Bridge().call()
    caller.check_at_once = answer
    for part in parts:
        caller.type(part)
        for shown in (
            repr(caller.commands),
            str(caller.commands),
            repr(vars(caller.flow)),
            repr(caller.flow),
        ):
            assert CANARY not in shown
    typed = [each.pin.reveal() for each in caller.commands if isinstance(each, CheckPin)]
    assert all(digits.isdigit() for digits in typed)


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet="0123456789*#", max_size=200), st.sampled_from(Role), st.floats(min_value=0, max_value=2)
)
def test_any_keys_in_the_room_end_in_a_listed_state_and_never_in_a_pile(
    keys: str, role: Role, gap_s: float
) -> None:
    bridge = Bridge(mode=AudioMode.QA)
    caller = bridge.member(role)
    other = bridge.member(Role.PRESENTER)
    caller.type(keys, gap_s=gap_s)
    assert caller.state in (State.ROOM, State.SUBMENU, State.LEAVING, State.OVER)
    caller.hear_out()
    assert len([each for each in other.commands if isinstance(each, Do)]) == 0
    assert other.state in (State.ROOM, State.LEAVING, State.OVER)
    # Whatever was pressed: after one answer and at most one waiting notice there is silence.
    plays = len(caller.plays)
    caller.hear_out()
    assert len(caller.plays) == plays


def test_a_flow_that_was_never_started_ignores_everything() -> None:
    flow = CallFlow(language="en", settings=IvrSettings())
    assert flow.on_key("1", now_s=0) == []
    assert flow.on_deadline(now_s=0) == []
    assert flow.deadline_s() is None
    assert flow.state is State.NEW
