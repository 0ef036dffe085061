"""Typing a PIN: an engine without I/O.

Rules. Digits collect until `#`, or until `next_digit_s` passes without another. `*` clears. The first key
of an entry silences the prompt and counts: type-ahead is what frequent callers do. Three kinds of failure,
counted apart: a wrong PIN or one longer than any (a *try*; `pin_tries` of them), silence after a prompt
(`pin_tries` of them), and `#` with nothing before it, which is only answered. Above all stands
`pin_phase_max_s`, so that no pattern of keys keeps a line busy for ever. Spoken answers to `#` and `*` are
rate-limited; digits need no limit, the entry is bounded.
"""

from dataclasses import dataclass
from typing import TypeAlias

from bridge.ivr.bucket import Bucket
from bridge.ivr.keypad import DIGITS
from bridge.ivr.pin import Pin, PinEntry
from bridge.ivr.prompt import Prompt, prompt
from bridge.ivr.settings import IvrSettings

__all__ = ["GiveUp", "Hush", "PinMenu", "PinStep", "Say", "Submit"]

SPOKEN_ANSWERS_PER_S = 1.0
SPOKEN_ANSWERS_BURST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Say this instead of whatever is being said."""

    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hush:
    """Stop speaking, should you be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """A PIN is complete."""

    pin: Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """No more tries; `slug` is the reason."""

    slug: str


PinStep: TypeAlias = Say | Hush | Submit | GiveUp | None


class PinMenu:
    """One caller at the PIN prompt."""

    def __init__(self, *, settings: IvrSettings) -> None:
        self._settings = settings
        self._entry = PinEntry(length_max=settings.pin_length_max)
        self._tries_left = settings.pin_tries
        self._silences_left = settings.pin_tries
        self._answers = Bucket(per_s=SPOKEN_ANSWERS_PER_S, burst=SPOKEN_ANSWERS_BURST)
        self._deadline_s = 0.0
        self._phase_end_s = 0.0
        self.tries = 0
        """PINs that failed so far: looked up and wrong, or too long."""

    def deadline_s(self) -> float:
        """When `on_deadline` wants to be called."""
        return min(self._deadline_s, self._phase_end_s)

    def start(self, *, now_s: float) -> PinStep:
        """The call was answered."""
        self._phase_end_s = now_s + self._settings.pin_phase_max_s
        return self._ask("welcome", "pin.ask", now_s=now_s)

    def on_prompt_done(self, *, now_s: float) -> PinStep:
        """What was said has been heard to its end."""
        if not len(self._entry):
            self._deadline_s = now_s + self._settings.first_digit_s
        return None

    def on_key(self, key: str, *, now_s: float) -> PinStep:
        """A key; letters A to D do nothing."""
        if key in DIGITS:
            self._entry.add(key)
            self._deadline_s = now_s + self._settings.next_digit_s
            return Hush()
        if key == "*":
            self._entry.clear()
            return self._answer("pin.cleared", now_s=now_s)
        if key == "#":
            return self._complete(now_s=now_s) if len(self._entry) else self._answer("pin.empty", now_s=now_s)
        return None

    def on_wrong(self, *, now_s: float) -> PinStep:
        """The PIN that was submitted opens nothing."""
        return self._failed("pin.wrong", now_s=now_s)

    def on_deadline(self, *, now_s: float) -> PinStep:
        """The time from `deadline_s` has come."""
        if now_s >= self._phase_end_s:
            return GiveUp(slug="pin-timeout")
        if now_s < self._deadline_s:
            return None
        if len(self._entry):
            return self._complete(now_s=now_s)
        self._silences_left -= 1
        if self._silences_left <= 0:
            return GiveUp(slug="pin-timeout")
        return self._ask("pin.no-keys", "pin.ask", now_s=now_s)

    def _complete(self, *, now_s: float) -> PinStep:
        if self._entry.too_long:
            self._entry.clear()
            return self._failed("pin.too-long", now_s=now_s)
        return Submit(pin=self._entry.take())

    def _failed(self, why: str, *, now_s: float) -> PinStep:
        self.tries += 1
        self._tries_left -= 1
        if self._tries_left <= 0:
            return GiveUp(slug="wrong-pin")
        return self._ask(why, "pin.last-try" if self._tries_left == 1 else "pin.again", now_s=now_s)

    def _answer(self, key: str, *, now_s: float) -> PinStep:
        if self._answers.take(now_s=now_s):
            return self._ask(key, now_s=now_s)
        self._deadline_s = now_s + self._settings.first_digit_s
        return None

    def _ask(self, *keys: str, now_s: float) -> Say:
        # Silence is measured from the prompt's end; should nobody tell of it, from its longest possible end.
        self._deadline_s = now_s + self._settings.prompt_max_s + self._settings.first_digit_s
        return Say(prompts=tuple(prompt(key) for key in keys))
