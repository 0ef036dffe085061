"""People with telephones in front of a whole product: what a fault test needs to say in one line each.

A scene has a product, a studio in which all phones sound in real time, and callers.  Prompts that tests want
to recognise are replaced by tones: recordings that an operator drops into the prompt folder win.
"""

from __future__ import annotations

import time
import wave
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from bridge.cdr.models import Cdr
from bridge.cdr.query import CdrFilter, stream
from database.engine import create_engine, make_sessions
from tests.phones.rtp_phone import RtpPhone, Studio
from tests.phones.sip_message import Message
from tests.phones.sip_phone import PhoneCall, SipPhone
from tests.support.product import Product
from tests.support.sound import Says, Sound, level_db, tone

PARIS = "+33975129519"
NOBODY = "+33123456789"

PROMPTS = {
    "welcome": (2300.0, 1.5),
    "pin.ask": (2500.0, 0.4),
    "pin.wrong": (600.0, 0.4),
    "pin.too-long": (700.0, 0.4),
    "pin.empty": (800.0, 0.4),
    "bye.wrong-pin": (900.0, 0.4),
    "bye.pin-guessing": (1000.0, 0.4),
    "bye.event-over": (1100.0, 0.4),
    "bye.event-locked": (1200.0, 0.4),
    "bye.gateway-off": (1300.0, 0.4),
    "bye.event-ended": (1400.0, 0.4),
    "bye": (1500.0, 0.3),
    "pin.again": (1600.0, 0.2),
    "pin.last-try": (1700.0, 0.2),
}
"""Frequency and length in seconds of the tones that stand for prompts, on French numbers."""

_FRAME_S = 0.02


def record_prompts(data: Path, *, language: str = "fr") -> None:
    """Put the tones of PROMPTS where the product looks for recordings."""
    folder = data / "prompts" / language
    folder.mkdir(parents=True, exist_ok=True)
    for name, (hz, seconds) in PROMPTS.items():
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(tone(hz, seconds).tobytes())


def until(condition: Callable[[], Any], what: str, *, within_s: float = 10.0) -> Any:
    """The first true value of `condition()`."""
    deadline_s = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline_s, f"{what} did not come within {within_s} s"
        time.sleep(0.02)


def steadily(condition: Callable[[], Any], what: str, *, for_s: float = 2.0, within_s: float = 20.0) -> None:
    """Wait until a condition has held for some time: words to those who enter may yet interrupt a talk."""
    deadline_s = time.monotonic() + within_s
    since_s: float | None = None
    while since_s is None or time.monotonic() - since_s < for_s:
        now_s = time.monotonic()
        since_s = (since_s or now_s) if condition() else None
        assert now_s < deadline_s, f"{what} did not last for {for_s} s within {within_s} s"
        time.sleep(0.05)


class Caller:
    """Somebody who telephones; `number` is how the bridge sees the caller."""

    def __init__(self, scene: Scene, number: str, *, says: Says | None, codec: str, host: str) -> None:
        self.number = number
        self.phone = SipPhone(scene.product.sip, user=number, host=host)
        self.phone.__enter__()
        self.sound = scene.studio.add(RtpPhone(codec, host=host, says=says))
        self.calls: list[PhoneCall] = []
        self._scene = scene
        self._version = 1

    @property
    def call(self) -> PhoneCall:
        """The latest call."""
        return self.calls[-1]

    @property
    def name(self) -> str:
        """How others see this caller."""
        return f"{self.number[:4]}…{self.number[-2:]}"

    def dial(self, number: str = PARIS, *, headers: dict[str, str] | None = None) -> Message:
        """Call; the final answer. The sound begins when it is 200."""
        self.sound.heard.clear()
        self.calls.append(self.phone.dial(number, sdp=self.sound.sdp(), headers=headers))
        answer = self.call.final()
        if answer.status == 200:
            self.sound.connect(answer.body)
            until(lambda: self.heard("welcome"), "the welcome")
        return answer

    def type(self, keys: str) -> None:
        """Press keys as a person would, and wait until they are out."""
        self.sound.press(keys)
        until(lambda: self.sound.typed, "the last key", within_s=5.0 + 0.4 * len(keys))

    def enter(self, pin: str, *, room: str | None = None) -> dict[str, Any]:
        """Call, type the PIN, be in the room: the participant as HTTP shows it."""
        answer = self.dial()
        assert answer.status == 200, answer.start
        self.type(f"{pin}#")
        return self.inside(room)

    def inside(self, room: str | None = None) -> dict[str, Any]:
        """Wait to be seen in the room."""
        found: dict[str, Any] = until(
            lambda: next((p for p in self._scene.people(room) if p["name"] == self.name), None),
            f"{self.name} in the room",
        )
        return found

    def reinvite(self, *, direction: str = "sendrecv", change: Callable[[str], str] = str) -> Message:
        """Offer again, with another direction or another change of the offer's text."""
        self._version += 1
        answer = self.call.reinvite(change(self.sound.sdp(direction=direction, version=self._version)))
        if answer.status == 200:
            self.sound.connect(answer.body)
        return answer

    def moved(self) -> RtpPhone:
        """The same voice at another port."""
        old = self.sound
        return self._scene.studio.add(RtpPhone(old.codec, host=old.host, says=old.says))

    def hang_up(self, headers: dict[str, str] | None = None) -> None:
        """BYE."""
        self.sound.sending = False
        assert self.call.bye(headers).status == 200

    def hung_up_on(self, *, within_s: float = 15.0) -> Message:
        """Wait for the bridge's BYE."""
        bye = self.call.wait_request("BYE", timeout_s=within_s)
        self.sound.sending = False
        return bye

    def heard(self, prompt: str) -> bool:
        """Whether one of PROMPTS was heard in this call."""
        return hears(self.sound.sound(), PROMPTS[prompt][0], rate=self.sound.rate)

    def hears(self, hz: float, *, last_s: float = 0.5) -> bool:
        """Whether a tone sounds now."""
        recent = self.sound.sound(last_s=last_s)
        return level_db(recent.astype(np.float64), hz, rate=self.sound.rate) > -45

    def record(self) -> dict[str, Any]:
        """The call record of the latest call, once it is there."""
        return self._scene.record(self.call.call_id)

    def close(self) -> None:
        self.phone.__exit__(None, None, None)


def hears(sound: Sound, hz: float, *, rate: int) -> bool:
    """Whether a tone is the loudest thing in some 160 ms of a sound."""
    n = round(0.16 * rate)
    for start in range(0, len(sound) - n + 1, n // 2):
        piece = np.asarray(sound[start : start + n], np.float64)
        loud = 10 * np.log10(np.mean(piece**2) / 32768**2 + 1e-12)
        if loud > -45 and level_db(piece, hz, rate=rate) > loud - 3:
            return True
    return False


class Scene:
    """A product and the people who call it; use as a context manager around a started product."""

    def __init__(self, product: Product, *, database_url: str | None = None) -> None:
        self.product = product
        self._engine = create_engine(database_url or product.database_url)
        self._sessions = make_sessions(self._engine)
        self.studio = Studio()
        self.callers: list[Caller] = []

    def __enter__(self) -> Scene:
        self.studio.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for caller in self.callers:
            if caller.calls and not caller.call.ended.is_set() and caller.call.answered_at_s:
                caller.call.request("BYE")
        self.studio.__exit__()
        for caller in self.callers:
            caller.close()
        self._engine.dispose()

    def caller(
        self,
        number: str | None = None,
        *,
        says: Says | None = None,
        codec: str = "PCMA",
        host: str = "127.0.0.1",
    ) -> Caller:
        """Somebody with a telephone."""
        number = number or f"+1202555{len(self.callers):04d}"
        found = Caller(self, number, says=says, codec=codec, host=host)
        self.callers.append(found)
        return found

    def people(self, room: str | None = None) -> list[dict[str, Any]]:
        """Who is in a room, by default the demo room; nobody when it is closed."""
        answer = self.product.send("GET", f"/v1/conferences/{room or self.product.room}/live")
        return list(answer.json()["participants"]) if answer.status_code == 200 else []

    def order(self, command: str, *, room: str | None = None, **values: str) -> None:
        """A live command that must succeed."""
        path = f"/v1/conferences/{room or self.product.room}/live"
        answer = self.product.send("POST", path, {"command": command, **values})
        assert answer.status_code == 200, answer.text

    def event(self, **wishes: Any) -> dict[str, Any]:
        """A new event."""
        answer = self.product.send("POST", "/v1/conferences", {"name": "Test", **wishes})
        assert answer.status_code == 201, answer.text
        return dict(answer.json()["room"])

    def metric(self, name: str) -> float:
        """One value of /metrics; `name` with its labels."""
        for line in str(self.product.get("/metrics")).splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"/metrics has no {name}")

    def records(self) -> list[dict[str, Any]]:
        """All call records, oldest first, from the database: refused calls belong to nobody's session."""
        with self._sessions() as session:
            rows = list(stream(session, CdrFilter()))
        names = [column.key for column in Cdr.__table__.columns]
        return [{name: getattr(row, name) for name in names} for row in rows]

    def record(self, call_id: str, *, within_s: float = 10.0) -> dict[str, Any]:
        """The record of a call by its Call-ID, once it is there."""
        found: dict[str, Any] = until(
            lambda: next((r for r in self.records() if r["source_call_id"] == call_id), None),
            f"the record of {call_id}",
            within_s=within_s,
        )
        return found
