"""From the answer to the room: typing the PIN, well, badly and not at all."""

import copy
import pickle
from dataclasses import replace

import pytest

from bridge.ivr.commands import Accepted, CheckPin, HangUp, Rejected
from bridge.ivr.flow import TROUBLE
from bridge.ivr.pin import Pin, PinEntry
from bridge.ivr.settings import IvrSettings
from bridge.ivr.states import State
from rooms.errors import Refused
from rooms.modes import AudioMode, Role
from tests.bridge.ivr.caller import PARTICIPANT_PIN, PRESENTER_PIN, Bridge, Caller

SETTINGS = IvrSettings()


@pytest.fixture
def bridge() -> Bridge:
    return Bridge()


@pytest.fixture
def caller(bridge: Bridge) -> Caller:
    return bridge.call()


def test_caller_is_welcomed_and_asked_for_the_pin(caller: Caller) -> None:
    assert caller.heard == ["welcome", "pin.ask"]
    assert caller.playing is not None
    assert caller.playing.interruptible


@pytest.mark.parametrize(
    ("pin", "role"), [(PRESENTER_PIN, Role.PRESENTER), (PARTICIPANT_PIN, Role.PARTICIPANT)]
)
def test_right_pin_leads_into_the_room_with_its_role(
    bridge: Bridge, caller: Caller, pin: str, role: Role
) -> None:
    caller.hear_out()
    assert caller.type(f"{pin}#")[0] == "join.welcome"
    assert caller.state is State.ROOM
    assert bridge.room.role(caller.id) is role
    assert caller.pins_checked == 1


def test_typing_over_the_prompt_stops_it_and_loses_no_digit(caller: Caller) -> None:
    caller.press(PRESENTER_PIN[0])
    assert caller.playing is None
    caller.type(f"{PRESENTER_PIN[1:]}#")
    assert caller.state is State.ROOM


def test_a_pause_ends_the_pin_without_hash(bridge: Bridge, caller: Caller) -> None:
    caller.type(PARTICIPANT_PIN)
    bridge.later(SETTINGS.next_digit_s - 0.5)
    assert caller.state is State.PIN
    bridge.later(0.5)
    assert caller.state is State.ROOM


def test_star_clears_what_was_typed(caller: Caller) -> None:
    assert caller.type("999*")[-1] == "pin.cleared"
    caller.type(f"{PARTICIPANT_PIN}#")
    assert caller.state is State.ROOM
    assert caller.pins_checked == 1


def test_hash_alone_is_no_try(caller: Caller) -> None:
    assert caller.press("#") == ["pin.empty"]
    assert caller.pins_checked == 0
    assert caller.flow.pin_tries == 0


def test_right_pin_after_two_wrong_ones(caller: Caller) -> None:
    assert caller.type("111111111#")[-2:] == ["pin.wrong", "pin.again"]
    assert caller.type("222222222#")[-2:] == ["pin.wrong", "pin.last-try"]
    caller.type(f"{PARTICIPANT_PIN}#")
    assert caller.state is State.ROOM
    assert caller.flow.pin_tries == 2


def test_third_wrong_pin_ends_the_call_after_the_goodbye(caller: Caller) -> None:
    for _ in range(3):
        caller.type("111111111#")
    assert caller.heard[-2:] == ["bye.wrong-pin", "bye"]
    assert caller.playing is not None
    assert not caller.playing.interruptible
    assert caller.hung_up is None
    caller.hear_out()
    assert caller.hung_up == "wrong-pin"


def test_too_long_a_pin_is_refused_without_looking_it_up(caller: Caller) -> None:
    assert caller.type("1" * 21 + "#")[-2:] == ["pin.too-long", "pin.again"]
    assert caller.pins_checked == 0
    assert caller.flow.pin_tries == 1
    caller.type(f"{PARTICIPANT_PIN}#")
    assert caller.state is State.ROOM


def test_longest_pin_is_looked_up(caller: Caller) -> None:
    caller.type("1" * 20 + "#")
    assert caller.pins_checked == 1


def test_entry_keeps_no_more_digits_than_it_needs() -> None:
    entry = PinEntry(length_max=20)
    for _ in range(10_000):
        entry.add("7")
    assert len(entry) == 21
    assert entry.too_long


def test_silence_is_answered_twice_then_the_call_ends(bridge: Bridge, caller: Caller) -> None:
    caller.hear_out()
    bridge.later(SETTINGS.first_digit_s)
    assert caller.heard[-2:] == ["pin.no-keys", "pin.ask"]
    caller.hear_out()
    bridge.later(SETTINGS.first_digit_s)
    caller.hear_out()
    bridge.later(SETTINGS.first_digit_s)
    assert caller.heard[-2:] == ["bye.pin-timeout", "bye"]
    caller.hear_out()
    assert caller.hung_up == "pin-timeout"


def test_silence_counts_from_the_end_of_the_prompt(bridge: Bridge, caller: Caller) -> None:
    bridge.later(SETTINGS.first_digit_s + 5)
    assert caller.heard == ["welcome", "pin.ask"]


def test_no_pattern_of_keys_keeps_a_line_busy_for_ever(bridge: Bridge, caller: Caller) -> None:
    for _ in range(400):
        caller.press("#")
        bridge.later(1.0)
        if caller.hung_up:
            break
    assert caller.hung_up == "pin-timeout"
    assert bridge.now_s - 100.0 <= SETTINGS.pin_phase_max_s + SETTINGS.goodbye_max_s + 1


def test_call_ends_even_if_nobody_ever_says_that_a_prompt_was_played(bridge: Bridge, caller: Caller) -> None:
    bridge.later(SETTINGS.pin_phase_max_s + SETTINGS.goodbye_max_s)
    assert caller.hung_up == "pin-timeout"


@pytest.mark.parametrize("slug", ["event-over", "gateway-off", "event-locked", "event-full", "pin-guessing"])
def test_every_other_refusal_of_the_pin_has_its_own_words_and_ends_the_call(
    caller: Caller, slug: str
) -> None:
    caller.check_at_once = False
    caller.type("123456789#")
    caller.carry_out(caller.flow.on_pin_checked(Rejected(slug=slug), now_s=110.0))
    assert caller.heard[-2:] == [f"bye.{slug}", "bye"]
    caller.hear_out()
    assert caller.hung_up == slug


@pytest.mark.parametrize("slug", ["toll-free-off", "toll-free-spent"])
def test_who_may_not_call_free_of_charge_hears_another_number_twice_and_in_full(
    bridge: Bridge, caller: Caller, slug: str
) -> None:
    caller.check_at_once = False
    caller.type("123456789#")
    rejected = Rejected(slug=slug, call_instead="020 7048 4146")
    caller.carry_out(caller.flow.on_pin_checked(rejected, now_s=bridge.now_s))
    assert caller.heard[-4:] == [f"bye.{slug}", "city.number", "city.number", "bye"]
    assert caller.plays[-1].prompts[1].argument("digits") == "020 7048 4146"
    bridge.later(SETTINGS.goodbye_max_s + 1)
    assert caller.hung_up is None, "a number takes longer than a goodbye"
    caller.hear_out()
    assert caller.hung_up == slug


@pytest.mark.parametrize("slug", ["toll-free-off", "toll-free-spent"])
def test_without_another_number_the_browser_is_the_way_in(caller: Caller, slug: str) -> None:
    caller.check_at_once = False
    caller.type("123456789#")
    caller.carry_out(caller.flow.on_pin_checked(Rejected(slug=slug), now_s=110.0))
    assert caller.heard[-2:] == ["bye.gateway-off", "bye"]
    caller.hear_out()
    assert caller.hung_up == slug


def test_who_was_put_out_and_calls_again_hears_so(caller: Caller) -> None:
    caller.check_at_once = False
    caller.type("123456789#")
    caller.carry_out(caller.flow.on_pin_checked(Rejected(slug="removed"), now_s=110.0))
    assert caller.heard[-2:] == ["bye.kicked", "bye"]
    caller.hear_out()
    assert caller.hung_up == "removed"


def test_a_refusal_without_words_is_told_as_trouble_and_recorded_as_it_is(caller: Caller) -> None:
    caller.check_at_once = False
    caller.type("123456789#")
    caller.carry_out(caller.flow.on_pin_checked(Rejected(slug="bridge-full"), now_s=110.0))
    assert caller.heard[-2:] == [f"bye.{TROUBLE}", "bye"]
    caller.hear_out()
    assert caller.hung_up == "bridge-full"


def test_a_check_that_never_answers_ends_in_an_apology(bridge: Bridge, caller: Caller) -> None:
    caller.check_at_once = False
    caller.type("123456789#")
    bridge.later(SETTINGS.answer_max_s)
    assert caller.heard[-2:] == [f"bye.{TROUBLE}", "bye"]
    late = caller.flow.on_pin_checked(Accepted(role=Role.PRESENTER, event_name="x"), now_s=bridge.now_s)
    assert late == []


def test_locked_room_lets_presenters_in_and_tells_participants_why_not() -> None:
    bridge = Bridge(locked=True)
    participant, presenter = bridge.call(), bridge.call()
    participant.type(f"{PARTICIPANT_PIN}#")
    assert participant.heard[-2:] == ["bye.event-locked", "bye"]
    participant.hear_out()
    assert participant.hung_up == "event-locked"
    presenter.type(f"{PRESENTER_PIN}#")
    assert presenter.state is State.ROOM


def test_keys_typed_while_the_pin_is_checked_begin_the_next_try(caller: Caller) -> None:
    caller.check_at_once = False
    caller.type(f"111111111#{PARTICIPANT_PIN}#")
    caller.carry_out(caller.flow.on_pin_checked(Rejected(slug="wrong-pin"), now_s=120.0))
    checks = [command for command in caller.commands if isinstance(command, CheckPin)]
    assert [check.pin for check in checks] == [Pin("111111111"), Pin(PARTICIPANT_PIN)]


def test_keys_typed_while_the_pin_is_checked_do_nothing_in_the_room(bridge: Bridge, caller: Caller) -> None:
    caller.check_at_once = False
    caller.type(f"{PRESENTER_PIN}#")
    check = caller.commands[-1]
    assert isinstance(check, CheckPin)
    caller.type("9")
    caller.answer_check(check)
    assert caller.state is State.ROOM
    assert not bridge.room.ended
    assert len(caller.flow._typed_ahead) == 0, "and are forgotten"


def test_hash_after_a_pause_that_submitted_already_is_not_an_empty_pin(
    bridge: Bridge, caller: Caller
) -> None:
    caller.check_at_once = False
    caller.type("111111111")
    bridge.later(SETTINGS.next_digit_s)
    caller.press("#")
    caller.carry_out(caller.flow.on_pin_checked(Rejected(slug="wrong-pin"), now_s=bridge.now_s))
    assert caller.heard[-2:] == ["pin.wrong", "pin.again"]


def test_two_hundred_keys_a_second_leave_no_backlog(caller: Caller) -> None:
    caller.check_at_once = False
    caller.type("1#*" * 400, gap_s=0.005)
    assert caller.pins_checked == 1
    assert len(caller.plays) < 10
    caller.carry_out(caller.flow.on_pin_checked(Rejected(slug="wrong-pin"), now_s=110.0))
    assert caller.pins_checked == 2
    assert caller.flow.keys_ignored > 1000


def test_no_digit_can_be_read_off_what_holds_a_pin(caller: Caller) -> None:
    caller.check_at_once = False
    caller.type(f"{PRESENTER_PIN}#")
    caller.type(PARTICIPANT_PIN)
    check = caller.commands[-1]
    assert isinstance(check, CheckPin)
    shown = [repr(check), str(check), f"{check.pin}", repr(caller.flow), repr(vars(caller.flow))]
    shown += [repr(vars(caller.flow._pin)), str(vars(caller.flow))]
    shown += [
        repr({name: getattr(check.pin, name, None) for name in dir(type(check.pin)) if name != "_digits"})
    ]
    for text in shown:
        assert PRESENTER_PIN not in text
        assert PARTICIPANT_PIN not in text
        assert "'9', '1', '8'" not in text
    with pytest.raises(TypeError):
        pickle.dumps(check.pin)
    with pytest.raises(TypeError):
        copy.deepcopy(check.pin)


def test_pins_compare_by_their_digits() -> None:
    assert Pin("123") == Pin("123")
    assert Pin("123") != Pin("124")
    assert hash(Pin("123")) == hash(Pin("123"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"pin_tries": 0},
        {"pin_length_max": 0},
        {"next_digit_s": 0.0},
        {"room_keys_per_s": float("nan")},
        {"type_ahead_max": -1},
        {"pin_phase_max_s": 5.0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(SETTINGS, **wrong)  # type: ignore[arg-type]


def test_full_room_is_told(bridge: Bridge) -> None:
    bridge.room.capacity = 1
    bridge.member(Role.PARTICIPANT)
    second = bridge.call()
    second.type(f"{PARTICIPANT_PIN}#")
    second.hear_out()
    assert second.hung_up == "event-full"


def test_hang_up_is_the_last_command_whatever_comes_later(bridge: Bridge, caller: Caller) -> None:
    for _ in range(3):
        caller.type("1#")
    caller.hear_out()
    assert caller.hung_up == "wrong-pin"
    assert isinstance(caller.commands[-1], HangUp)
    assert caller.flow.deadline_s() is None
    caller.type("0123456789*#")
    bridge.later(1000)
    assert isinstance(caller.commands[-1], HangUp)
    with pytest.raises(Refused):
        bridge.room.role(caller.id)


def test_mode_of_the_room_does_not_matter_to_the_pin() -> None:
    for mode in AudioMode:
        caller = Bridge(mode=mode).call()
        caller.type(f"{PARTICIPANT_PIN}#")
        assert caller.state is State.ROOM
