"""Every key of both roles, pressed by callers in a real room: what happens, and who hears what."""

import pytest

from bridge.ivr.announce import room_tone
from bridge.ivr.settings import IvrSettings
from bridge.ivr.states import State
from rooms import commands as c
from rooms import events as e
from rooms.modes import AudioMode, Hear, MutedBy, Role
from tests.bridge.ivr.caller import PARTICIPANT_PIN, PRESENTER_PIN, Bridge, Caller


@pytest.fixture
def bridge() -> Bridge:
    return Bridge()


@pytest.fixture
def anna(bridge: Bridge) -> Caller:
    """A presenter."""
    return bridge.member(Role.PRESENTER)


@pytest.fixture
def otto(bridge: Bridge, anna: Caller) -> Caller:
    """A participant."""
    otto = bridge.member(Role.PARTICIPANT)
    anna.hear_out()
    anna.heard.clear()
    return otto


def args(caller: Caller) -> dict[str, int | str]:
    """Arguments of the prompts of the last play."""
    return {name: value for prompt in caller.plays[-1].prompts for name, value in prompt.args}


# Entering


def test_presenter_before_the_start_hears_how_to_start(bridge: Bridge) -> None:
    anna = bridge.call()
    assert anna.type(f"{PRESENTER_PIN}#") == ["join.welcome", "join.press-to-start", "join.press-for-help"]
    assert args(anna)["event"] == "Quarterly results"


def test_participant_before_the_start_hears_about_waiting_and_music(bridge: Bridge) -> None:
    otto = bridge.call()
    heard = otto.type(f"{PARTICIPANT_PIN}#")
    assert heard == ["join.welcome", "join.wait", "music.can-switch", "join.press-for-help"]


@pytest.mark.parametrize("mode", AudioMode)
def test_participant_of_a_running_event_hears_what_the_mode_means(mode: AudioMode) -> None:
    bridge = Bridge(mode=mode)
    bridge.member(Role.PRESENTER).press("7")
    otto = bridge.call()
    assert otto.type(f"{PARTICIPANT_PIN}#")[1] == f"mode.you.{mode}"


# Keys of both


@pytest.mark.parametrize("role", Role)
def test_0_tells_the_keys_and_can_be_cut_short(bridge: Bridge, role: Role) -> None:
    caller = bridge.member(role)
    heard = caller.press("0")
    assert "help.mute" in heard
    assert ("help.end" in heard) == (role is Role.PRESENTER)
    caller.press("*")
    assert caller.playing is None


@pytest.mark.parametrize("role", Role)
def test_1_mutes_and_unmutes_oneself_and_says_so(bridge: Bridge, role: Role) -> None:
    caller = bridge.member(role)
    bridge.room.started, bridge.room.mode = True, AudioMode.DISCUSSION
    assert caller.press("1") == ["mute.on"]
    assert bridge.room.muted_by(caller.id) is MutedBy.SELF
    assert caller.press("1") == ["mute.off"]
    assert bridge.room.muted_by(caller.id) is None


def test_1_does_not_promise_to_be_heard_in_listen_only(bridge: Bridge, anna: Caller, otto: Caller) -> None:
    anna.type("721")
    otto.hear_out()
    assert bridge.room.muted_by(otto.id) is MutedBy.MODE
    assert otto.press("1") == ["mute.off-unheard"]


@pytest.mark.parametrize(
    ("role", "key"), [(Role.PRESENTER, "3"), (Role.PARTICIPANT, "9"), (Role.PARTICIPANT, "#")]
)
def test_unknown_keys_say_so(bridge: Bridge, role: Role, key: str) -> None:
    caller = bridge.member(role)
    assert caller.press(key) == ["key.unknown"]
    assert args(caller) == {"key": "0"}
    assert not bridge.room.ended


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("key", list("ABCD"))
def test_letter_keys_are_unknown(bridge: Bridge, role: Role, key: str) -> None:
    assert bridge.member(role).press(key) == ["key.unknown"]


def test_4_switches_a_participants_own_music(bridge: Bridge, otto: Caller) -> None:
    assert bridge.room.audio(otto.id).hear is Hear.MUSIC
    assert otto.press("4") == ["music.off"]
    assert bridge.room.audio(otto.id).hear is Hear.SILENCE
    assert otto.press("4") == ["music.on"]


def test_4_of_a_presenter_switches_everybodys_music(bridge: Bridge, anna: Caller, otto: Caller) -> None:
    otto.heard.clear()
    assert anna.press("4") == ["music.everyone-off"]
    assert bridge.room.audio(otto.id).hear is Hear.SILENCE
    assert otto.heard == []
    assert anna.press("4") == ["music.everyone-on"]


# Keys of presenters


def test_hash_tells_how_many_are_there(anna: Caller, otto: Caller) -> None:
    assert otto.state is State.ROOM
    assert anna.press("#") == ["headcount"]
    assert args(anna) == {"n": 2}


def test_7_starts_the_event_and_brings_everyone_in(bridge: Bridge, anna: Caller, otto: Caller) -> None:
    assert anna.press("7") == ["start.done", "headcount"]
    assert bridge.room.started
    assert bridge.room.audio(otto.id).hear is Hear.ROOM
    assert otto.heard == ["start.now", "mode.you.listen_only"]
    anna.hear_out()
    assert anna.press("7") == ["tone.error", "refused.already-started"]


def test_8_locks_and_unlocks(bridge: Bridge, anna: Caller) -> None:
    assert anna.press("8") == ["lock.on"]
    assert bridge.room.locked
    assert anna.press("8") == ["lock.off"]
    assert not bridge.room.locked


def test_9_ends_the_event_for_everyone_at_once(bridge: Bridge, anna: Caller, otto: Caller) -> None:
    waiting = bridge.call()
    anna.press("9")
    assert bridge.room.ended
    for caller in (anna, otto):
        assert caller.heard[-2:] == ["bye.event-ended", "bye"]
        caller.hear_out()
        assert caller.hung_up == "event-ended"
    assert waiting.state is State.PIN


@pytest.mark.parametrize(
    ("key", "mode"),
    [
        ("1", AudioMode.LISTEN_ONLY),
        ("2", AudioMode.DISCUSSION),
        ("3", AudioMode.QA),
        ("4", AudioMode.PRESENTERS_ONLY),
    ],
)
def test_2_then_a_key_sets_the_mode_and_tells_everyone(key: str, mode: AudioMode) -> None:
    bridge = Bridge(mode=AudioMode.QA if mode is not AudioMode.QA else AudioMode.LISTEN_ONLY)
    anna, berta, otto = (
        bridge.member(Role.PRESENTER),
        bridge.member(Role.PRESENTER),
        bridge.member(Role.PARTICIPANT),
    )
    anna.press("7")
    for caller in (anna, berta, otto):
        caller.hear_out()
        caller.heard.clear()
    assert anna.press("2")[0] == "help.mode.listen_only"
    assert anna.state is State.SUBMENU
    assert anna.press(key) == [f"mode.set.{mode}"]
    assert anna.state is State.ROOM
    assert bridge.room.mode is mode
    assert berta.heard == [f"mode.is.{mode}", "mute.by-mode"]
    assert otto.heard[0] == f"mode.you.{mode}"
    assert ("music.can-switch" in otto.heard) == (mode is AudioMode.PRESENTERS_ONLY)
    assert anna.press("1") == ["mute.on"], "after a choice the main menu is open again"


def test_mode_before_the_start_is_confirmed_and_leaves_those_who_wait_in_peace(
    anna: Caller, otto: Caller
) -> None:
    otto.heard.clear()
    assert anna.type("22")[-2:] == ["mode.set.discussion", "mode.from-start"]
    assert otto.heard == []


def test_star_leaves_the_submenu_and_changes_nothing(bridge: Bridge, anna: Caller) -> None:
    anna.press("2")
    assert anna.press("*") == ["menu.left"]
    assert anna.state is State.ROOM
    assert bridge.room.mode is AudioMode.LISTEN_ONLY


def test_unknown_key_in_the_submenu_stays_there(anna: Caller) -> None:
    anna.press("2")
    assert anna.press("7") == ["key.unknown"]
    assert anna.state is State.SUBMENU
    assert anna.press("0")[0] == "help.mode.listen_only"


def test_submenu_is_left_after_a_while_without_a_word(bridge: Bridge, anna: Caller) -> None:
    anna.press("2")
    bridge.later(20.0)
    assert anna.state is State.SUBMENU, "the choices are still being told"
    anna.hear_out()
    anna.heard.clear()
    bridge.later(IvrSettings().submenu_s - 1)
    assert anna.state is State.SUBMENU
    bridge.later(1)
    assert anna.state is State.ROOM
    assert anna.heard == []


# Questions and the floor


def test_question_queue_steered_by_keypad_alone() -> None:
    bridge = Bridge(mode=AudioMode.QA)
    anna = bridge.member(Role.PRESENTER)
    otto, paul = bridge.member(Role.PARTICIPANT), bridge.member(Role.PARTICIPANT)
    anna.press("7")
    for caller in (anna, otto, paul):
        caller.hear_out()
    anna.heard.clear()

    assert otto.press("5") == ["question.position", "question.can-withdraw"]
    assert args(otto) == {"n": 1, "key": "5"}
    assert anna.heard == ["question.new"], "presenters hear of the first question"
    paul.press("5")
    assert args(paul) == {"n": 2, "key": "5"}
    assert anna.heard == ["question.new"], "and not of each that follows"

    for caller in (otto, paul):
        caller.hear_out()
        caller.heard.clear()
    assert anna.press("5") == ["floor.given"]
    assert bridge.room.floor_holder == otto.id
    assert otto.heard == ["floor.yours"]
    assert bridge.room.audio(otto.id).speak
    assert not bridge.room.audio(paul.id).speak

    otto.hear_out()
    assert anna.press("5") == ["floor.taken", "questions.waiting"]
    assert otto.heard[-1] == "floor.ended"
    assert bridge.room.floor_holder is None

    anna.press("5")
    assert bridge.room.floor_holder == paul.id
    paul.hear_out()
    assert paul.press("5") == ["floor.returned"], "with the floor, 5 gives it back"
    assert bridge.room.floor_holder is None
    anna.hear_out()
    assert anna.press("5") == ["tone.error", "refused.no-questions"]


def test_5_again_withdraws_the_question(bridge: Bridge, otto: Caller) -> None:
    otto.press("5")
    assert otto.press("5") == ["question.withdrawn"]
    assert bridge.room.question_count == 0


def test_5_of_a_presenter_outside_of_questions_and_answers_says_what_to_do(anna: Caller) -> None:
    anna.press("7")
    assert anna.press("5") == ["tone.error", "refused.not-in-qa"]


def test_discussion_with_too_many_is_refused_with_its_reason(
    bridge: Bridge, anna: Caller, otto: Caller
) -> None:
    assert otto.state is State.ROOM
    bridge.room.discussion_limit = 1
    assert anna.type("22")[-2:] == ["tone.error", "refused.too-many-for-discussion"]


# Where am I


def test_6_tells_a_waiting_participant_that_nothing_has_begun(otto: Caller) -> None:
    assert otto.press("6") == ["where.not-started", "mode.is.listen_only", "music.can-switch"]


def test_6_tells_mode_mute_and_place() -> None:
    bridge = Bridge(mode=AudioMode.DISCUSSION)
    anna, otto = bridge.member(Role.PRESENTER), bridge.member(Role.PARTICIPANT)
    anna.press("7")
    bridge.apply(c.Mute(participant_id=otto.id, by=anna.id))
    otto.press("5")
    assert otto.press("6") == ["mode.you.discussion", "where.muted-presenter", "question.position"]
    anna.type("8")
    assert anna.press("6") == ["mode.is.discussion", "where.locked", "questions.waiting"]


# What others do


def test_mute_by_a_presenter_is_told_with_the_way_out(bridge: Bridge, anna: Caller, otto: Caller) -> None:
    bridge.room.started, bridge.room.mode = True, AudioMode.DISCUSSION
    otto.heard.clear()
    bridge.apply(c.Mute(participant_id=otto.id, by=anna.id))
    assert otto.heard == ["mute.by-presenter"]
    assert args(otto) == {"key": "1"}
    assert anna.heard == []
    assert otto.press("1") == ["mute.off"]
    otto.hear_out()
    bridge.apply(c.Mute(participant_id=otto.id, by=anna.id))
    bridge.apply(c.Unmute(participant_id=otto.id, by=c.ORGANISER))
    assert otto.heard[-1] == "mute.off-by-presenter"


def test_kick_is_told_to_the_one_who_is_kicked_and_to_nobody_else(
    bridge: Bridge, anna: Caller, otto: Caller
) -> None:
    bridge.apply(c.Kick(participant_id=otto.id, by=c.ORGANISER))
    assert otto.heard[-2:] == ["bye.kicked", "bye"]
    otto.hear_out()
    assert otto.hung_up == "kicked"
    assert anna.heard == []
    assert anna.state is State.ROOM


def test_a_stop_is_told_to_everyone_who_waits_again(bridge: Bridge, anna: Caller, otto: Caller) -> None:
    anna.press("7")
    anna.hear_out()
    otto.heard.clear()
    bridge.apply(c.Stop(by=c.ORGANISER))
    assert otto.heard[:1] == ["join.wait"]
    assert "join.press-to-start" in anna.heard
    assert (anna.state, otto.state) == (State.ROOM, State.ROOM)


def test_end_by_http_takes_the_same_path_as_9(bridge: Bridge, anna: Caller, otto: Caller) -> None:
    bridge.apply(c.End(by=c.ORGANISER))
    for caller in (anna, otto):
        caller.hear_out()
        assert caller.hung_up == "event-ended"


def test_a_start_is_told_at_once_to_those_who_are_still_being_welcomed(bridge: Bridge, anna: Caller) -> None:
    otto = bridge.call()
    otto.type(f"{PARTICIPANT_PIN}#")
    anna.press("7")
    assert otto.heard[-2:] == ["start.now", "mode.you.listen_only"]


def test_a_caller_who_is_taken_out_of_the_room_is_not_left_in_silence(bridge: Bridge, otto: Caller) -> None:
    bridge.apply(c.Leave(participant_id=otto.id))
    otto.hear_out()
    assert otto.hung_up == "event-ended"


def test_tones_of_joins_and_leaves_are_the_rooms_and_in_discussion_only() -> None:
    bridge = Bridge(mode=AudioMode.DISCUSSION)
    anna = bridge.member(Role.PRESENTER)
    left = e.Left(participant_id="x", role=Role.PARTICIPANT, reason=e.LeaveReason.LEFT)
    assert room_tone(left, bridge.room) is None, "not before the start"
    anna.press("7")
    anna.hear_out()
    anna.heard.clear()
    bridge.member(Role.PARTICIPANT)
    assert anna.heard == [], "mixed into the room, so nobody's sentence is cut"
    assert room_tone(left, bridge.room) == "leave"
    bridge.room.mode = AudioMode.LISTEN_ONLY
    assert room_tone(left, bridge.room) is None


def test_notices_wait_for_an_answer_to_end_and_only_the_newest_is_told(
    bridge: Bridge, anna: Caller, otto: Caller
) -> None:
    anna.press("7")
    otto.press("0")
    otto.heard.clear()
    for mode in (AudioMode.DISCUSSION, AudioMode.PRESENTERS_ONLY, AudioMode.QA):
        bridge.apply(c.SetMode(mode=mode, by=anna.id))
    assert otto.heard == []
    assert otto.hear_out() == ["mode.you.qa"]


def test_a_notice_is_heard_even_if_nobody_tells_that_the_answer_ended(
    bridge: Bridge, anna: Caller, otto: Caller
) -> None:
    anna.press("7")
    otto.press("0")
    otto.heard.clear()
    bridge.apply(c.SetMode(mode=AudioMode.QA, by=anna.id))
    bridge.later(IvrSettings().prompt_max_s)
    assert otto.heard == ["mode.you.qa"]


def test_two_hundred_keys_a_second_cost_the_room_a_few_commands(bridge: Bridge, anna: Caller) -> None:
    before = len(anna.commands)
    anna.type("18" * 500, gap_s=0.005)
    settings = IvrSettings()
    worked = [each for each in anna.commands[before:] if type(each).__name__ == "Do"]
    assert len(worked) <= settings.room_keys_burst + 5.1 * settings.room_keys_per_s
    assert anna.flow.keys_ignored >= 900
    bridge.later(2.0)
    assert anna.press("#") == ["headcount"], "and the keypad works again at once"
