"""A person with a browser: enters by the join page, speaks with a tone, listens.

    with Chromiums(product, ear, folder) as browsers:
        ada = browsers.visitor("ada", room, hz=700, role="presenter")
        ada.hears()      "silence", "music", or voices such as "ann+bob"

What is heard is what the page's audio element plays: its stream is recorded in the page by a script processor
of Web Audio.  Each microphone is a WAV file, so each visitor has a Chromium of their own.
"""

from __future__ import annotations

import base64
import wave
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.phones.caller import until
from tests.phones.ear import Ear
from tests.support.browser import launch
from tests.support.product import Product, Room
from tests.support.sound import Sound

RATE = 48000
HEARD_RATE = 16000

_RECORD = """
() => {
  const element = document.getElementById('remote');
  const context = new AudioContext({ sampleRate: 48000 });
  const node = context.createScriptProcessor(2048, 1, 1);
  const chunks = [];
  node.onaudioprocess = (event) => {
    chunks.push(new Float32Array(event.inputBuffer.getChannelData(0)));
    while (chunks.length > 48000 * 4 / 2048) chunks.shift();
  };
  node.connect(context.destination);
  let source = null, stream = null;
  const tie = () => {
    if (element.srcObject && element.srcObject !== stream) {
      if (source) source.disconnect();
      stream = element.srcObject;
      source = context.createMediaStreamSource(stream);
      source.connect(node);
    }
  };
  setInterval(tie, 50);
  tie();
  window.testHeard = (seconds) => {
    const wanted = Math.round(48000 * seconds), all = [];
    let have = 0;
    for (let at = chunks.length - 1; at >= 0 && have < wanted; at--, have += 2048) all.unshift(chunks[at]);
    if (have < wanted) return '';
    const out = new Int16Array(have);
    let at = 0;
    for (const chunk of all) for (const value of chunk) out[at++] = Math.max(-1, Math.min(1, value)) * 32767;
    const bytes = new Uint8Array(out.buffer);
    let text = '';
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(text);
  };
  window.testForget = () => { chunks.length = 0; };
}
"""


def tone_file(path: Path, hz: float, *, db: float = -20.0, seconds: int = 10) -> Path:
    """A WAV file with a steady tone that can be repeated without a click (whole periods)."""
    t = np.arange(RATE * seconds) / RATE
    wave_ = 32767 * 10 ** (db / 20) * np.sqrt(2) * np.sin(2 * np.pi * hz * t)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(wave_.astype("<i2").tobytes())
    return path


class Visitor:
    """One person in one browser."""

    def __init__(self, name: str, browser: Browser, room: Room, ear: Ear, voices: dict[str, float]) -> None:
        self.name, self.room = name, room
        self._ear, self._voices = ear, voices
        self.context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))

    def enter(self, key: str | None = None, *, way: str = "browser") -> Visitor:
        """Fill in the join page and go in; `key`: what the link carries, for a role."""
        name_url = self.room.facts()["name_url"]
        base = f"{self.room.product.url}/{name_url}"
        self.page.goto(base if key is None else f"{base}?l={key}")
        self.page.fill("#name", self.name)
        self.page.fill("#email", f"{self.name}@example.org")
        self.page.check(f"input[name=way][value={way}]", force=True)
        if way == "browser":  # processing would take a steady tone for noise
            for switch in self.page.locator("input[role=switch]").all():
                switch.uncheck(force=True)
        self.page.locator("form button[type=submit]").last.click()
        self.page.wait_for_url("**/rooms/**")
        self.here()
        return self

    def here(self) -> None:
        """Wait until the page is in the room, and record what it plays."""
        self.page.wait_for_selector("#room[data-phase=live], #room[data-phase=waiting]", timeout=15_000)
        self.page.evaluate(_RECORD)

    @property
    def state(self) -> dict[str, Any]:
        """As the live room shows them; empty when they are not in it."""
        return next((one for one in self.room.people() if one["name"] == self.name), {})

    @property
    def participant_id(self) -> str:
        return str(self.state["id"])

    def becomes(self, **values: Any) -> None:
        """Wait until the live room shows these values."""
        until(
            lambda: {name: self.state.get(name) for name in values} == values,
            lambda: f"{self.name} is {self.state}, not {values}",
        )

    def listen(self) -> None:
        """Forget what was heard so far."""
        self.page.evaluate("testForget()")

    def sound(self, seconds: float = 1.0) -> Sound:
        """What was heard last, at `HEARD_RATE`; empty when it is too early."""
        text = self.page.evaluate("seconds => testHeard(seconds)", seconds)
        heard = np.frombuffer(base64.b64decode(text), "<i2").astype(np.float64)
        if not len(heard):
            return heard
        heard = heard[len(heard) % 3 :]
        spectrum = np.fft.rfft(heard)[: len(heard) // 6 + 1]
        return np.fft.irfft(spectrum, len(heard) // 3) / 3

    def hears(self, *, seconds: float = 1.0) -> str:
        """What is heard right now, in words; "" when it is too early to say."""
        sound = self.sound(seconds)
        return self._ear.hears(sound, self._voices, HEARD_RATE) if len(sound) else ""

    def click(self, selector: str) -> None:
        self.page.click(selector)


class Chromiums:
    """Browsers of one product."""

    def __init__(self, product: Product, ear: Ear, folder: Path, voices: dict[str, float]) -> None:
        self._product, self._ear, self._folder, self._voices = product, ear, folder, voices
        self._playwright: Playwright | None = None
        self._browsers: list[Browser] = []
        self.visitors: dict[str, Visitor] = {}

    def __enter__(self) -> Chromiums:
        self._playwright = sync_playwright().start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wrong = {name: visitor.wrong for name, visitor in self.visitors.items() if visitor.wrong}
        for browser in self._browsers:
            browser.close()
        if self._playwright is not None:
            self._playwright.stop()
        assert kind is not None or wrong == {}

    def visitor(self, name: str, room: Room, *, hz: float) -> Visitor:
        """Somebody with a microphone that plays a tone."""
        assert self._playwright is not None
        microphone = tone_file(self._folder / f"{name}.wav", hz)
        browser = launch(self._playwright, microphone=microphone)
        self._browsers.append(browser)
        self._voices[name] = hz
        visitor = self.visitors[name] = Visitor(name, browser, room, self._ear, self._voices)
        return visitor
