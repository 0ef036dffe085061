"""The conference test: everyone sends a sound of his own; what does each one hear?

Tones are told apart by their frequency, so one look at what a phone receives says whom it hears.
"""

import itertools

import numpy as np
import pytest

from bridge.mixer import protocol as p
from tests.bridge.mixer.loop import PCMA, PCMU, WIDE, Loop, Phone, hears
from tests.support.sound import lag_ms, level_db, noise, playing, rms_db, sine, speech, tone, tones_in

TONES = {"ann": 440.0, "bob": 620.0, "eve": 910.0, "joe": 1310.0, "kim": 1730.0, "lee": 2270.0}
CODECS = (PCMU, PCMA, WIDE)
CHANGES = list(itertools.permutations(CODECS, 2))
QUIET = playing(np.zeros(160, np.int16))


def gathering(loop: Loop, codecs: tuple[int, ...], *, room: int = 1, first: int = 1) -> dict[str, Phone]:
    """One phone per codec, each with its own sine."""
    names = list(TONES)[first - 1 :]
    people = {}
    for leg, (name, codec) in enumerate(zip(names, codecs, strict=False), start=first):
        phone = Phone(leg, codec)
        phone.says = sine(TONES[name], rate=phone.rate)
        people[name] = loop.add(phone, room=room)
    return people


@pytest.mark.parametrize("codecs", [CODECS + CODECS, (PCMU, PCMU), (PCMA, PCMA), (WIDE, WIDE)])
def test_everybody_hears_all_others_and_not_himself(codecs: tuple[int, ...]) -> None:
    loop = Loop()
    people = gathering(loop, codecs)
    loop.run(120)
    for name, phone in people.items():
        assert hears(phone, TONES) == set(people) - {name}, name


def test_own_voice_is_gone_and_others_come_at_their_level() -> None:
    loop = Loop()
    people = gathering(loop, CODECS)
    loop.run(150)
    for name, phone in people.items():
        sound = phone.sound(last_ticks=50).astype(float)
        for other in people:
            level = level_db(sound, TONES[other], rate=phone.rate)
            assert level < -60 if other == name else level == pytest.approx(-20, abs=1.0), (name, other)


def test_two_rooms_never_leak() -> None:
    loop = Loop()
    first = gathering(loop, CODECS, room=1)
    second = gathering(loop, CODECS, room=2, first=4)
    loop.run(120)
    for group in (first, second):
        for name, phone in group.items():
            assert hears(phone, TONES) == set(group) - {name}


def test_a_leg_that_changes_rooms_takes_its_voice_along() -> None:
    loop = Loop()
    first = gathering(loop, CODECS, room=1)
    second = gathering(loop, CODECS, room=2, first=4)
    loop.run(60)
    loop.place(first["ann"], room=2)
    loop.run(80)
    assert hears(first["bob"], TONES) == {"eve"}
    assert hears(second["joe"], TONES) == {"ann", "kim", "lee"}
    assert hears(first["ann"], TONES) == {"joe", "kim", "lee"}


def test_a_room_emptied_and_opened_again_has_no_memory() -> None:
    loop = Loop()
    ann, bob = (loop.add(Phone(leg, WIDE, sine(440.0, rate=16000))) for leg in (1, 2))
    loop.run(30)
    loop.remove(ann)
    loop.remove(bob)
    eve = loop.add(Phone(3, WIDE), room=2)
    loop.run(10)
    assert rms_db(eve.sound()) < -70


def test_wide_phones_hear_what_wide_phones_say_above_4_khz() -> None:
    loop = Loop()
    wide = [loop.add(Phone(leg, WIDE)) for leg in (1, 2)]
    narrow = [loop.add(Phone(leg, PCMU)) for leg in (3, 4)]
    high, low = sine(5500.0, rate=16000, db=-23.0), sine(1500.0, rate=16000, db=-23.0)
    wide[0].says = lambda tick: high(tick) + low(tick)
    narrow[0].says = sine(2900.0)
    loop.run(120)
    tones = {"high": 5500.0, "low": 1500.0, "narrow": 2900.0}
    assert hears(wide[1], tones) == {"high", "low", "narrow"}
    mirrored = 8000.0 - 5500.0
    assert hears(narrow[1], {"low": 1500.0, "narrow": 2900.0, "alias": mirrored}) == {"low", "narrow"}
    assert hears(wide[0], tones) == {"narrow"}


def test_narrow_voices_are_not_duller_for_wide_ears() -> None:
    loop = Loop()
    talker = loop.add(Phone(1, PCMU, sine(3300.0)))
    ears = loop.add(Phone(2, WIDE))
    loop.run(100)
    assert talker.heard
    sound = ears.sound(last_ticks=40).astype(float)
    assert level_db(sound, 3300.0, rate=16000) == pytest.approx(-20, abs=1.0)
    assert level_db(sound, 4700.0, rate=16000) < -60, "the image above 4 kHz"


def test_listeners_hear_without_being_heard() -> None:
    loop = Loop()
    talker = loop.add(Phone(1, PCMU, sine(440.0)))
    listeners = [loop.add(Phone(leg, codec, sine(1310.0, rate=16000 if codec == WIDE else 8000)), speak=False)
                 for leg, codec in enumerate(CODECS, start=2)]  # fmt: skip
    loop.run(100)
    tones = {"talker": 440.0, "listener": 1310.0}
    assert hears(talker, tones) == set()
    for listener in listeners:
        assert hears(listener, tones) == {"talker"}


# Mute.


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("muted_ticks", [1, 4, 100])
def test_nothing_said_before_or_during_mute_is_heard_after_it(codec: int, muted_ticks: int) -> None:
    loop = Loop()
    talker, ears = Phone(1, codec), Phone(2, codec)
    loop.add(talker)
    loop.add(ears)
    talker.says = sine(440.0, rate=talker.rate)
    loop.run(60)
    loop.place(talker, speak=False)
    talker.says = sine(910.0, rate=talker.rate)
    loop.run(muted_ticks)
    talker.says = None
    loop.place(talker, speak=True)
    ears.heard.clear()
    loop.run(30)
    assert rms_db(ears.sound(last_ticks=29)) < -60, "silence was said since"


def test_a_muted_talker_is_silent_at_once_and_back_at_once() -> None:
    loop = Loop()
    talker, ears = loop.add(Phone(1, says=sine(440.0))), loop.add(Phone(2))
    loop.run(60)
    loop.place(talker, speak=False)
    loop.run(5)
    assert rms_db(ears.sound(last_ticks=4)) < -60
    loop.run(20)
    loop.place(talker, speak=True)
    loop.run(10)
    assert level_db(ears.sound(last_ticks=5).astype(float), 440.0, rate=8000) > -24


def test_muting_a_talker_ends_his_talking() -> None:
    loop = Loop()
    talker = loop.add(Phone(1, says=playing(speech(seconds=5.0))))
    assert p.Talking(1, True) in loop.run(100)
    loop.place(talker, speak=False)
    assert p.Talking(1, False) in loop.run(1)


# Levels.


def talks_at(leg: int, db: float) -> Phone:
    return Phone(leg, says=playing(speech(seconds=12.0, db=db)))


def test_soft_and_loud_talkers_become_alike() -> None:
    levels = []
    for db in (-35.0, -10.0):
        loop = Loop()
        loop.add(talks_at(1, db))
        ears = loop.add(Phone(2))
        loop.run(800)
        frames = ears.sound(last_ticks=400).astype(float).reshape(-1, 160)
        power = np.mean(frames**2, axis=1)
        active = power[power > power.max() * 10**-2.5]
        levels.append(10 * np.log10(active.mean() / 32768**2))
    assert abs(levels[0] - levels[1]) < 3.0, levels
    assert -26 < levels[0] < -15, levels


def test_many_loud_talkers_are_clipped_and_do_not_wrap() -> None:
    loop = Loop()
    hz = [300.0 * 1.09**i for i in range(24)]
    for leg, tone_hz in enumerate(hz, start=1):
        loop.add(Phone(leg, PCMA, sine(tone_hz, db=-6.0)))
    ears = loop.add(Phone(50, PCMA), speak=False)
    loop.run(250)
    sound = ears.sound(last_ticks=100).astype(float)
    levels = [level_db(sound, tone_hz, rate=8000) for tone_hz in hz]
    assert max(levels) - min(levels) < 4.0, "a wrap would bury them in noise"
    in_tones = 10 * np.log10(sum(10 ** (level / 10) for level in levels))
    assert rms_db(sound) - in_tones < 1.0, "distortion"


def test_the_gate_takes_line_noise_out_of_the_room() -> None:
    loop = Loop()
    for leg in range(1, 9):
        loop.add(Phone(leg, says=playing(noise(3.0, db=-55.0, seed=leg))))
    ears = loop.add(Phone(9), speak=False)
    loop.run(200)
    assert rms_db(ears.sound(last_ticks=150)) < -75


def test_the_gate_closes_behind_a_talker() -> None:
    loop = Loop()
    talker = loop.add(Phone(1, says=playing(speech(seconds=5.0))))
    ears = loop.add(Phone(2))
    loop.run(150)
    talker.says = playing(noise(3.0, db=-52.0))
    loop.run(75)
    assert rms_db(ears.sound(last_ticks=35)) < -75


def test_the_gate_does_not_cut_words_short() -> None:
    said = speech(seconds=6.0)
    loop = Loop()
    loop.add(Phone(1, says=playing(said)))
    ears = loop.add(Phone(2))
    begin = loop.tick
    loop.run(300)
    spoken = np.concatenate([playing(said)(begin + i) for i in range(300)]).astype(float)
    got = ears.sound().astype(float)
    late = round(lag_ms(spoken, got, rate=8000) * 8)
    got = got[late:].reshape(-1)[: 280 * 160].reshape(-1, 160)
    power_said = np.mean(spoken[: 280 * 160].reshape(-1, 160) ** 2, axis=1)
    audible = power_said > (32768 * 10 ** (-45 / 20)) ** 2
    ratio_db = 10 * np.log10((np.mean(got**2, axis=1) + 1) / (power_said + 1))
    assert np.count_nonzero(audible) > 200
    assert np.all(ratio_db[5:][audible[5:]] > -3), "no audible frame of speech is held back"


# Talking.


def test_speech_is_talking_and_noise_is_not() -> None:
    loop = Loop()
    loop.add(Phone(1, says=playing(speech(seconds=5.0))))
    loop.add(Phone(2, WIDE, playing(speech(seconds=5.0, rate=16000), rate=16000)))
    loop.add(Phone(3, says=playing(noise(3.0, db=-50.0))))
    loop.add(Phone(4, says=QUIET))
    events = loop.run(150)
    talkers = {event.leg for event in events if isinstance(event, p.Talking) and event.on}
    assert talkers == {1, 2}


def test_talking_ends_half_a_second_after_the_last_word() -> None:
    loop = Loop()
    talker = loop.add(Phone(1, says=playing(speech(seconds=5.0))))
    loop.run(100)
    talker.says = QUIET
    loop.run(40)
    assert [e.on for e in loop.events if isinstance(e, p.Talking)][-1] is False


@pytest.mark.parametrize("goes", ["removed", "silent line"])
def test_a_talker_who_goes_stops_talking(goes: str) -> None:
    loop = Loop()
    talker = loop.add(Phone(1, says=playing(speech(seconds=5.0))))
    assert p.Talking(1, True) in loop.run(100)
    if goes == "removed":
        loop.remove(talker)
    else:
        talker.says = None
    assert p.Talking(1, False) in loop.run(40)


# Music, silence, prompts.


def with_music(loop: Loop) -> None:
    loop.mixer.output.set_music(loop.clip(tone(1730.0, 2.0, rate=16000), loop=True))


@pytest.mark.parametrize("codec", CODECS)
def test_music_or_silence_instead_of_the_room(codec: int) -> None:
    loop = Loop()
    with_music(loop)
    loop.add(Phone(1, says=sine(440.0)))
    waiting = loop.add(Phone(2, codec), hear="music")
    deaf = loop.add(Phone(3, codec), hear="silence")
    tones = {"room": 440.0, "music": 1730.0}
    loop.run(80)
    assert hears(waiting, tones) == {"music"}
    assert hears(deaf, tones) == set()
    assert rms_db(deaf.sound(last_ticks=50)) < -70
    loop.place(waiting, hear="room")
    loop.run(60)
    assert hears(waiting, tones) == {"room"}


def test_who_waits_with_music_is_in_no_room_and_heard_by_nobody() -> None:
    loop = Loop()
    with_music(loop)
    outsider = loop.add(Phone(1, says=sine(910.0)), room=None, speak=True, hear="room")
    inside = loop.add(Phone(2, says=sine(440.0)))
    ears = loop.add(Phone(3))
    loop.run(80)
    assert hears(ears, TONES) == {"ann"}
    assert hears(outsider, TONES) == set()
    assert hears(inside, TONES) == set()


@pytest.mark.parametrize("codec", CODECS)
def test_a_prompt_is_played_whole_to_one_leg_and_told(codec: int) -> None:
    loop = Loop()
    loop.add(Phone(1, says=sine(440.0)))
    caller, other = loop.add(Phone(2, codec)), loop.add(Phone(3, codec))
    loop.run(50)
    caller.heard.clear()
    clips = [loop.clip(tone(TONES[name], 0.5, rate=16000)) for name in ("joe", "lee")]
    loop.mixer.play(2, 7, clips)
    events = loop.run(sum(clip.count for clip in clips))
    assert p.Played(2, 7) in events
    assert hears(caller, TONES, last_ticks=50) == {"joe", "lee"}, "and the room meanwhile is not heard"
    first, second = np.split(caller.sound().astype(float), 2)
    assert tones_in(first, TONES, rate=caller.rate) == {"joe"}
    assert tones_in(second[caller.rate // 50 :], TONES, rate=caller.rate) == {"lee"}
    assert hears(other, TONES) == {"ann"}
    loop.run(30)
    assert hears(caller, TONES, last_ticks=25) == {"ann"}, "the room again"
    assert [e for e in loop.events if isinstance(e, p.Played)] == [p.Played(2, 7)]


def test_played_comes_when_the_prompt_is_out_not_before() -> None:
    loop = Loop()
    loop.add(Phone(1), room=None)
    clip = loop.clip(tone(440.0, 1.0, rate=16000))
    loop.mixer.play(1, 7, [clip])
    assert loop.run(clip.count - 1) == []
    assert loop.run(2) == [p.Played(1, 7)]


def test_a_prompt_replaces_another_which_is_not_told_as_played() -> None:
    loop = Loop()
    caller = loop.add(Phone(1), room=None)
    loop.mixer.play(1, 7, [loop.clip(tone(440.0, 1.0, rate=16000))])
    loop.run(10)
    loop.mixer.play(1, 8, [loop.clip(tone(910.0, 0.4, rate=16000))])
    caller.heard.clear()
    events = loop.run(60)
    assert tones_in(caller.sound().astype(float), TONES, rate=8000) == {"eve"}
    assert events == [p.Played(1, 8)]


def test_a_stopped_prompt_is_silent_at_once_and_not_told_as_played() -> None:
    loop = Loop()
    caller = loop.add(Phone(1), room=None)
    loop.mixer.play(1, 7, [loop.clip(tone(440.0, 1.0, rate=16000))])
    loop.run(10)
    loop.mixer.stop_play(1)
    assert loop.run(60) == []
    assert rms_db(caller.sound(last_ticks=59)) < -70


def test_an_empty_prompt_is_over_at_once() -> None:
    loop = Loop()
    loop.add(Phone(1), room=None)
    loop.mixer.play(1, 7, [])
    assert loop.run(1) == [p.Played(1, 7)]


def test_a_prompt_to_a_leg_on_hold_runs_on_and_is_told() -> None:
    loop = Loop()
    caller = loop.add(Phone(1), room=None)
    loop.mixer.play(1, 7, [loop.clip(tone(440.0, 1.0, rate=16000))])
    loop.run(10)
    loop.mixer.update(1, loop.media(caller, send=False, receive=False))
    before = len(caller.heard)
    assert p.Played(1, 7) in loop.run(60)
    assert len(caller.heard) == before


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_a_prompt_is_understood_after_a_codec_change(before: int, after: int) -> None:
    loop = Loop()
    caller = loop.add(Phone(1, before), room=None)
    loop.mixer.play(1, 7, [loop.clip(tone(440.0, 1.0, rate=16000))])
    loop.run(20)
    caller.codec = after
    loop.mixer.update(1, loop.media(caller))
    caller.heard.clear()
    assert p.Played(1, 7) in loop.run(60)
    sound = caller.sound()[: caller.rate // 2].astype(float)
    assert tones_in(sound, TONES, rate=caller.rate) == {"ann"}
    assert rms_db(sound) == pytest.approx(level_db(sound, 440.0, rate=caller.rate), abs=1.5), "no noise"


def test_a_thousand_ticks_of_music_do_not_jump() -> None:
    loop = Loop()
    with_music(loop)
    waiting = loop.add(Phone(1), room=None, hear="music")
    loop.run(300)
    steps = np.abs(np.diff(waiting.sound().astype(float)))
    amplitude = 3276.8 * np.sqrt(2)
    assert steps.max() < amplitude * 2 * np.pi * 1730 / 8000 * 1.2


@pytest.mark.parametrize("people", [CODECS, (PCMU, PCMA), (WIDE,)])
def test_a_room_sound_is_heard_by_all_in_the_room_and_by_nobody_else(people: tuple[int, ...]) -> None:
    loop = Loop()
    phones = [loop.add(Phone(leg, codec)) for leg, codec in enumerate(people, start=1)]
    talker = loop.add(Phone(20, says=sine(440.0)))
    elsewhere = loop.add(Phone(21), room=2)
    loop.run(30)
    loop.mixer.room_sound(1, loop.clip(tone(1310.0, 0.6, rate=16000)))
    loop.run(25)
    for phone in phones:
        assert hears(phone, TONES, last_ticks=20) == {"ann", "joe"}
    assert hears(talker, TONES, last_ticks=20) == {"joe"}
    assert hears(elsewhere, TONES, last_ticks=20) == set()
    loop.run(40)
    assert hears(phones[0], TONES, last_ticks=20) == {"ann"}


def test_a_room_sound_for_a_room_that_is_gone_is_nothing() -> None:
    loop = Loop()
    phone = loop.add(Phone(1))
    loop.mixer.room_sound(99, loop.clip(tone(1310.0, 0.2, rate=16000)))
    loop.mixer.room_sound(1, loop.clip(tone(1310.0, 2.0, rate=16000)))
    loop.run(3)
    loop.remove(phone)
    late = loop.add(Phone(2), room=5)
    loop.run(30)
    assert rms_db(late.sound()) < -70


# Hold, codec and address changes.


@pytest.mark.parametrize("codec", CODECS)
def test_hold_and_back(codec: int) -> None:
    loop = Loop()
    ann, bob = Phone(1, codec), Phone(2, codec)
    loop.add(ann)
    loop.add(bob)
    ann.says, bob.says = sine(440.0, rate=ann.rate), sine(620.0, rate=bob.rate)
    loop.run(60)
    loop.mixer.update(1, loop.media(ann, send=False, receive=False))
    ann.says = sine(910.0, rate=ann.rate)  # the hold music of a phone that sends it nevertheless
    count = len(ann.heard)
    loop.run(60)
    assert len(ann.heard) == count, "nothing is sent to a phone on hold"
    assert hears(bob, TONES) == set(), "and its hold music does not reach the room"
    loop.mixer.update(1, loop.media(ann))
    ann.says = sine(1310.0, rate=ann.rate)
    bob.heard.clear()
    loop.run(60)
    assert hears(ann, TONES) == {"bob"}
    assert tones_in(bob.sound().astype(float), TONES, rate=bob.rate) == {"joe"}, "nothing from the hold"


def test_rtp_of_a_leg_back_from_hold_has_a_marker_and_the_right_time() -> None:
    loop = Loop()
    ann = loop.add(Phone(1))

    def header() -> tuple[bool, int, int]:
        row = loop.mixer.row(1)
        assert row is not None
        raw = loop.mixer.output.header(row)
        return bool(raw[1] & 0x80), int.from_bytes(raw[2:4], "big"), int.from_bytes(raw[4:8], "big")

    loop.run(1)
    assert header()[0], "the first packet"
    loop.run(1)
    mark, seq, ts = header()
    assert not mark
    loop.mixer.update(1, loop.media(ann, send=False))
    loop.run(10)
    loop.mixer.update(1, loop.media(ann))
    loop.run(1)
    mark, seq_after, ts_after = header()
    assert mark
    assert (seq_after - seq) & 0xFFFF == 1
    assert (ts_after - ts) & 0xFFFFFFFF == 11 * 160


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_a_codec_change_of_one_who_talks_is_clean_for_both_sides(before: int, after: int) -> None:
    loop = Loop()
    ann, bob = Phone(1, before), Phone(2, PCMU)
    loop.add(ann)
    loop.add(bob)
    ann.says, bob.says = sine(440.0, rate=ann.rate), sine(620.0)
    loop.run(80)
    ann.codec = after
    ann.says = sine(440.0, rate=ann.rate)
    loop.mixer.update(1, loop.media(ann))
    ann.heard.clear()
    bob.heard.clear()
    loop.run(40)
    for phone, hz in ((ann, 620.0), (bob, 440.0)):
        sound = phone.sound(last_ticks=35).astype(float)
        tone_level = level_db(sound, hz, rate=phone.rate)
        assert tone_level == pytest.approx(-20, abs=3.0)
        assert rms_db(sound) - tone_level < 2.0, "noise: bytes of one codec heard as another's"


def test_an_address_change_is_followed() -> None:
    loop = Loop()
    ann, bob = loop.add(Phone(1, says=sine(440.0))), loop.add(Phone(2))
    loop.run(40)
    ann.address = ("127.0.0.9", 40000)
    loop.mixer.update(1, loop.media(ann))
    loop.run(40)
    row = loop.mixer.row(1)
    assert row is not None
    assert loop.mixer.legs.remote(row) == ("127.0.0.9", 40000)
    assert level_db(bob.sound(last_ticks=30).astype(float), 440.0, rate=8000) > -25


def test_unknown_legs_are_ignored_as_their_call_has_ended() -> None:
    loop = Loop()
    mixer = loop.mixer
    media = loop.media(Phone(77))
    mixer.update(77, media)
    mixer.place(77, room=1, speak=True, hear="room")
    mixer.play(77, 1, [])
    mixer.stop_play(77)
    assert mixer.remove(77) is None
    assert loop.run(2) == []


def test_a_full_mixer_refuses_and_goes_on() -> None:
    loop = Loop(capacity=2)
    ann, bob = loop.add(Phone(1, says=sine(440.0))), loop.add(Phone(2))
    with pytest.raises(ValueError, match="no room"):
        loop.mixer.add(3, loop.media(Phone(3)), ssrc=1)
    with pytest.raises(ValueError, match="taken"):
        loop.mixer.add(1, loop.media(Phone(1)), ssrc=1)
    loop.run(40)
    assert hears(bob, TONES, last_ticks=20) == {"ann"}
    loop.remove(ann)
    loop.add(Phone(3, says=sine(910.0)))
    loop.run(40)
    assert hears(bob, TONES, last_ticks=20) == {"eve"}


def test_a_row_used_again_starts_from_nothing() -> None:
    loop = Loop(capacity=2)
    ann = loop.add(Phone(1, says=sine(440.0)))
    bob = loop.add(Phone(2))
    loop.mixer.play(1, 3, [loop.clip(tone(1730.0, 5.0, rate=16000))])
    loop.run(60)
    loop.remove(ann)
    eve = loop.add(Phone(3))
    bob.heard.clear()
    events = loop.run(40)
    assert rms_db(bob.sound()[160:]) < -70
    assert rms_db(eve.sound()) < -70
    assert set(events) <= {p.Talking(1, False)}
    report = loop.report(eve)
    assert (report.rx_pkts, report.lost_pkts, report.tx_pkts, report.concealed_ms) == (0, 0, 40, 0)
