"""A person with a telephone: dials, types, listens.

    with Office(product, ear) as office:
        ann = office.caller("ann", hz=425, codec="PCMA")
        ann.dial("+33975129519")
        ann.hears_prompt(prompt("pin.ask"))
        ann.enter(room, room.presenter_pin)
        ann.press("7")
        office.settle({"ann": "bob", "bob": "ann"})

Nobody here looks at a clock longer than sound takes: everything waits for a condition, within a bound.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from bridge.ivr.prompt import Prompt
from tests.phones.ear import SAME, Ear
from tests.phones.rtp_phone import RtpPhone, Studio
from tests.phones.sip_message import Message
from tests.phones.sip_phone import PhoneCall, SipPhone
from tests.support.product import Product, Room
from tests.support.sound import Sound, sine

PARIS, LONDON = "+33975129519", "+442070484146"
BEGINNING_S = 1.5
"""Enough of a prompt to know it by."""
_PACKETS_PER_S = 50
_POLL_S = 0.1


def until(condition: Callable[[], Any], what: Callable[[], str], *, within_s: float = 10.0) -> Any:
    """The first true value of a condition; AssertionError with `what()` when none comes in time."""
    end_s = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end_s, what()
        time.sleep(_POLL_S)


class Caller:
    """One telephone and who holds it."""

    def __init__(
        self, office: Office, name: str, *, sip: SipPhone, phone: RtpPhone, user: str, language: str = "fr"
    ) -> None:
        self.office, self.name, self.user, self.language = office, name, user, language
        self.sip, self.phone = sip, phone
        self.call: PhoneCall | None = None
        self.room: Room | None = None
        self.participant_id = ""
        self._from = 0
        """Packets before this one were listened to."""

    # What they do.

    def dial(self, number: str = PARIS, *, answered: bool = True) -> Message:
        """Call a number; the final answer."""
        before = len(self.phone.heard)
        sender = f"<sip:{self.user}@{self.sip.host}>"
        self.call = self.sip.dial(number, sdp=self.phone.sdp(), sender=sender)
        final = self.call.final(timeout_s=10.0)
        if answered:
            assert final.status == 200, final.start
            self.phone.sending = True
            self.phone.connect(final.body)
            until(lambda: len(self.phone.heard) > before, lambda: f"{self.name} was sent no sound")
        return final

    def press(self, keys: str) -> None:
        """Type keys to the end, and listen anew from the last one on."""
        self.phone.press(keys[:-1])
        until(lambda: self.phone.typed, lambda: "keys were not sent", within_s=5 + len(keys))
        self.listen()
        self.phone.press(keys[-1])
        until(lambda: self.phone.typed, lambda: "keys were not sent", within_s=5)

    def enter(self, room: Room, pin: str) -> Caller:
        """Type a PIN and wait until HTTP shows this caller in the room."""
        self.press(f"{pin}#")
        return self.joined(room, retype=None if self.phone.dtmf_pt else pin)

    def joined(self, room: Room, *, retype: str | None = None) -> Caller:
        """Wait until HTTP shows this caller in the room, whose PIN is typed or being typed.

        Args:
            retype: a PIN that may be typed once more: tones in the sound do not outlive every stall of a test
                machine, and a person would try again, too.
        """
        self.room = room
        if retype is not None:
            try:
                self.participant_id = until(self._found, lambda: "")
            except AssertionError:
                self.press(f"*{retype}#")
        self.participant_id = until(self._found, lambda: f"{self.name} is not in the room")
        return self

    def _found(self) -> str:
        assert self.room is not None
        return next((p["id"] for p in self.room.people() if p["name"].endswith(self.user[-2:])), "")

    def hang_up(self) -> None:
        assert self.call is not None
        assert self.call.bye().status == 200

    # What they hear.

    def listen(self, *, again: bool = False) -> None:
        """Forget what was heard so far, or think of all of it again."""
        self._from = 0 if again else len(self.phone.heard)

    def sound(self) -> Sound:
        """What was heard since `listen`."""
        return self.phone.sound(first=self._from)

    def hears_prompt(self, *prompts: Prompt, within_s: float = 8.0, whole: bool = False) -> None:
        """Wait until these prompts were heard, one after the other; then listen anew.

        Args:
            within_s: besides the prompts' own length.
            whole: to the end; else the first seconds are enough, which tell all prompts apart.
        """
        for each in prompts:
            self._hear(each, within_s=within_s, first_s=60.0 if whole else BEGINNING_S)

    def _hear(self, prompt: Prompt, *, within_s: float, first_s: float) -> None:
        rate, ear = self.phone.rate, self.office.ear
        length_s = len(ear.clip(prompt, self.language, rate)) / rate
        best = 0.0

        def heard() -> bool:
            nonlocal best
            score, end = ear.find(prompt, self.language, self.sound(), rate, first_s=first_s)
            best = max(best, score)
            if score < SAME:
                return False
            self._from += end // (rate // _PACKETS_PER_S)
            return True

        until(
            heard,
            lambda: f"{self.name} did not hear {prompt} in {self.language}: best match {best:.2f}",
            within_s=length_s + within_s,
        )

    def hears_name(self, prompt: Prompt, *, within_s: float = 10.0) -> None:
        """Wait until a prompt with a name in it was heard; do not listen anew."""
        until(
            lambda: self.office.ear.resembles(prompt, self.language, self.sound(), self.phone.rate) > 0.75,
            lambda: f"{self.name} did not hear {prompt}",
            within_s=within_s,
        )

    def heard(self, prompt: Prompt, *, language: str | None = None) -> float:
        """How well the best place in what was heard since `listen` matches a prompt, 0 to 1."""
        return self.office.ear.find(prompt, language or self.language, self.sound(), self.phone.rate)[0]

    def hears(self, *, seconds: float = 0.5) -> str:
        """What is heard right now: "silence", "music" or voices such as "ann+bob"; "" too early to say."""
        count = round(seconds * _PACKETS_PER_S)
        if len(self.phone.heard) - self._from < count:
            return ""
        sound = self.phone.sound(last_s=seconds)
        return self.office.ear.hears(sound, self.office.voices, self.phone.rate)

    def hung_up_on(self, *, within_s: float = 15.0) -> Message:
        """Wait until the bridge ends the call; its BYE."""
        assert self.call is not None
        bye = self.call.wait_request("BYE", timeout_s=within_s)
        self.phone.sending = False
        return bye

    # What HTTP says.

    def state(self) -> dict[str, Any]:
        """This caller as the live room shows them."""
        assert self.room is not None
        return next(p for p in self.room.people() if p["id"] == self.participant_id)

    def becomes(self, **values: Any) -> None:
        """Wait until the live room shows these values, such as `muted=True`."""
        until(
            lambda: {name: self.state()[name] for name in values} == values,
            lambda: f"{self.name} is {self.state()}, not {values}",
        )


class Office:
    """Callers of one product, their line and their studio."""

    def __init__(self, product: Product, ear: Ear) -> None:
        self.product, self.ear = product, ear
        self.callers: dict[str, Caller] = {}
        self.voices: dict[str, float] = {}
        self.studio = Studio()
        self._sip = SipPhone(product.sip)

    def __enter__(self) -> Office:
        self._sip.__enter__()
        self.studio.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for caller in self.callers.values():
            if caller.call is not None and caller.call.answered_at_s and not caller.call.ended.is_set():
                with contextlib.suppress(AssertionError):
                    caller.hang_up()
        self.studio.__exit__()
        self._sip.__exit__(kind, error, trace)

    def caller(
        self,
        name: str,
        *,
        hz: float | None = None,
        codec: str = "PCMA",
        dtmf_pt: int | None = 101,
        language: str = "fr",
        sip: SipPhone | None = None,
        host: str = "127.0.0.1",
    ) -> Caller:
        """Somebody with a number of their own, and a sine as voice or none."""
        phone = RtpPhone(codec, host=host, dtmf_pt=dtmf_pt)
        if hz is not None:
            phone.says = sine(hz, rate=phone.rate)
            self.voices[name] = hz
        user = f"+120255501{11 + len(self.callers):02d}"
        caller = Caller(
            self, name, sip=sip or self._sip, phone=self.studio.add(phone), user=user, language=language
        )
        self.callers[name] = caller
        return caller

    def settle(self, expected: Mapping[str, str], *, within_s: float = 20.0) -> None:
        """Wait until everyone hears what is expected, for a whole second on end."""
        people = [self.callers[name] for name in expected]
        for each in people:
            each.listen()
        heard: dict[str, str] = {}

        def as_expected() -> bool:
            heard.update({each.name: each.hears(seconds=1.0) for each in people})
            return heard == dict(expected)

        until(as_expected, lambda: f"heard {heard} instead of {dict(expected)}", within_s=within_s)

    def hush(self, *names: str) -> None:
        """These stop the voice that speaks to them, with `*`, so that they hear the room."""
        for name in names:
            self.callers[name].phone.press("*")
        for name in names:
            until(lambda name=name: self.callers[name].phone.typed, lambda: "keys were not sent")  # type: ignore[misc]

    def nobody_hears(self, prompts: Sequence[Prompt], *, names: Sequence[str]) -> None:
        """Check that what was said to somebody was not heard by these, since each one's `listen`."""
        for name in names:
            hearer = self.callers[name]
            for each in prompts:
                score, _ = self.ear.find(
                    each, hearer.language, hearer.sound(), hearer.phone.rate, first_s=BEGINNING_S
                )
                assert score < 0.6, f"{name} heard {each} too ({score:.2f})"
