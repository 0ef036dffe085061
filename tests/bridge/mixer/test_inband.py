"""Keys as tones, frame by frame: what the jitter buffer does to a tone is no second press."""

import numpy as np
import pytest

from bridge.mixer.inband import InbandKeys

RATE, N = 8000, 160


def tones(frames: int, *, from_sample: int = 0, level: float = 5000.0) -> np.ndarray:
    """Key 5 for some frames: (frames, N)."""
    t = (from_sample + np.arange(frames * N)) / RATE
    sound = level * (np.sin(2 * np.pi * 770 * t) + np.sin(2 * np.pi * 1336 * t))
    return sound.reshape(frames, N).astype(np.float32)


def pressed(frames: np.ndarray) -> str:
    keys = InbandKeys(1, RATE)
    row = np.zeros(1, np.int64)
    return "".join(key for frame in frames for _, key in keys.filter(row, frame[None])[1])


PAUSE = np.zeros((2, N), np.float32)
JUNK = (np.random.default_rng(1).normal(0, 4000, (3, N))).astype(np.float32)


def test_a_press_is_one_key() -> None:
    assert pressed(np.concatenate([PAUSE, tones(8), PAUSE])) == "5"


@pytest.mark.parametrize("broken", [1, 2])
def test_frames_that_the_jitter_buffer_made_up_do_not_press_the_key_again(broken: int) -> None:
    halves = [tones(3), JUNK[:broken], tones(4, from_sample=3777)]
    assert pressed(np.concatenate([PAUSE, *halves, PAUSE])) == "5"


def test_two_presses_with_the_shortest_pause_are_two_keys() -> None:
    assert pressed(np.concatenate([tones(4), PAUSE, tones(4), PAUSE])) == "55"


@pytest.mark.parametrize("offset", range(0, N, 20))
def test_a_pause_of_40_ms_is_seen_wherever_frames_begin(offset: int) -> None:
    sound = np.concatenate([tones(4), PAUSE, tones(4), PAUSE]).reshape(-1)
    shifted = np.concatenate([np.zeros(offset, np.float32), sound])[: len(sound)]
    assert pressed(shifted.reshape(-1, N)) == "55"


def test_noise_between_presses_of_one_key_may_be_loud_if_it_is_long() -> None:
    noise = np.concatenate([JUNK, JUNK])
    assert pressed(np.concatenate([tones(4), noise, tones(4)])) == "55"
