"""Noise gate, levelling and talk detection for the legs that may speak.

- Talk: webrtcvad judges a frame whenever it is louder than FLOOR_DB.  A leg talks after 60 ms of speech and
  stops 400 ms after the last.  A detector that has just begun takes any noise for speech until it has learnt
  the line (four frames, measured), so its first verdicts are not believed.
- Gate: open while there is speech or anything louder than LOUD_DB (a tone, music, an instrument: judging
  what is worth hearing is not the bridge's business), closed 300 ms after.  Opens within 5 ms, closes over
  20 ms.  A closed leg costs the mix nothing and adds no line noise to it, which is what makes rooms with
  hundreds of open microphones bearable.
- Levelling: each voice is brought to TARGET_DB (RMS of active speech, dB relative to int16 full scale) by a
  slow gain, at most +15 and −12 dB, moving up 5 dB/s and down 20 dB/s, and only while the leg talks, so
  that pauses do not pump.  The level is a mean of power over about a second: a mean of decibels would count
  the soft half of each syllable as much as the loud one and make everybody 5 dB too loud.

All states are columns over the worker's legs; `Levels.shape` handles one frame of many legs.
"""

import numpy as np
import numpy.typing as npt
import webrtcvad

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

TARGET_DB = -20.0
FLOOR_DB = -56.0
LOUD_DB = -38.0
MAX_GAIN_DB = 15.0
MIN_GAIN_DB = -12.0
_UP_DB = 0.1  # per tick of 20 ms
_DOWN_DB = 0.4
_GATE_TICKS = 15
_TALK_ON_TICKS = 3
_SETTLE_FRAMES = 5
_FOLLOW = 0.02
_TALK_OFF_TICKS = 20
_FULL_SCALE_DB = 90.309
_TARGET_POWER = 10.0 ** ((TARGET_DB + _FULL_SCALE_DB) / 10)
_EVERY_TICK_LEGS = 64
"""With more candidates than this, each is judged every second tick."""


def _ramps(samples: int) -> tuple[F32, F32]:
    """Gain over a frame: all of it, and its first 5 ms."""
    slow = np.linspace(1 / samples, 1.0, samples, dtype=np.float32)
    return slow, np.minimum(slow * 4, 1.0)


_RAMPS = {samples: _ramps(samples) for samples in (160, 320, 960)}


class Levels:
    def __init__(self, capacity: int) -> None:
        n = capacity
        self.speech_power = np.full(n, _TARGET_POWER)
        self.gain_db = np.zeros(n)
        self.applied = np.zeros(n, np.float32)  # linear gain at the end of the last frame
        self.open_until = np.zeros(n, np.int64)
        self.speech_run = np.zeros(n, np.int64)
        self.last_speech = np.full(n, -(10**9), np.int64)
        self.talking = np.zeros(n, np.bool_)
        self._vads: dict[int, webrtcvad.Vad] = {}
        self._settling = np.zeros(n, np.int64)

    def reset(self, row: int) -> None:
        self.speech_power[row] = _TARGET_POWER
        self.gain_db[row] = 0.0
        self._vads.pop(row, None)
        self.hush(row)

    def hush(self, row: int) -> bool:
        """The leg may not speak any more: forget that it was talking.  True if it was."""
        was = bool(self.talking[row])
        self.applied[row] = 0.0
        self.open_until[row] = 0
        self.speech_run[row] = 0
        self.last_speech[row] = -(10**9)
        self.talking[row] = False
        return was

    def shape(self, rows: Ints, frame: F32, *, rate: int, tick: int) -> tuple[F32, Ints]:
        """Gate and level one frame of each leg.

        rows (n,), frame (n, samples).  Returns the shaped frames of the open legs and their indices into
        rows.
        """
        power = np.einsum("ij,ij->i", frame, frame) / frame.shape[1]
        level = 10.0 * np.log10(power + 1e-3) - _FULL_SCALE_DB
        speech = self._judge(rows, frame, level, rate=rate, tick=tick)
        loud = level > LOUD_DB
        heard = speech | loud
        self.open_until[rows[heard]] = tick + _GATE_TICKS
        self._follow_talk(rows, speech, tick)
        active = rows[heard]
        self.speech_power[active] += _FOLLOW * (power[heard] - self.speech_power[active])
        speech_db = 10.0 * np.log10(self.speech_power[active]) - _FULL_SCALE_DB
        wanted = (TARGET_DB - speech_db).clip(MIN_GAIN_DB, MAX_GAIN_DB)
        self.gain_db[active] += (wanted - self.gain_db[active]).clip(-_DOWN_DB, _UP_DB)

        open_ = self.open_until[rows] > tick
        before = self.applied[rows]
        now = np.where(open_, 10.0 ** (self.gain_db[rows] / 20.0), 0.0).astype(np.float32)
        self.applied[rows] = now
        used = ((before > 0) | (now > 0)).nonzero()[0]
        if len(used) == 0:
            return frame[:0], used
        samples = frame.shape[1]
        start, end = before[used, None], now[used, None]
        if (start == end).all():
            return frame[used] * end, used
        slow, fast = _RAMPS[samples]
        rise = np.where(start == 0, fast, slow)
        return frame[used] * (start + (end - start) * rise), used

    def _judge(self, rows: Ints, frame: F32, level: F64, *, rate: int, tick: int) -> Mask:
        speech = np.zeros(len(rows), np.bool_)
        candidates = (level > FLOOR_DB).nonzero()[0]
        if len(candidates) > _EVERY_TICK_LEGS:
            due = ((rows[candidates] + tick) & 1) == 0
            held = candidates[~due]
            speech[held] = self.last_speech[rows[held]] == tick - 1
            candidates = candidates[due]
        if len(candidates) == 0:
            return speech
        pcm = frame[candidates].clip(-32768, 32767).astype(np.int16)
        raw, size = pcm.tobytes(), pcm.shape[1] * 2
        for i, index in enumerate(candidates.tolist()):
            row = int(rows[index])
            vad = self._vads.get(row)
            if vad is None:
                vad = self._vads[row] = webrtcvad.Vad(2)
                self._settling[row] = _SETTLE_FRAMES
            speech[index] = vad.is_speech(raw[i * size : (i + 1) * size], rate)
            if self._settling[row] > 0:
                self._settling[row] -= 1
                speech[index] = False
        return speech

    def _follow_talk(self, rows: Ints, speech: Mask, tick: int) -> None:
        self.speech_run[rows] = np.where(speech, self.speech_run[rows] + 1, 0)
        self.last_speech[rows[speech]] = tick
        begun = self.speech_run[rows] >= _TALK_ON_TICKS
        recent = tick - self.last_speech[rows] < _TALK_OFF_TICKS
        self.talking[rows] = (self.talking[rows] & recent) | begun
