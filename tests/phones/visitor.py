"""A person with a browser: enters by the join page, speaks with a tone, listens.

    with Chromiums(product, ear, folder, voices) as browsers:
        ada = browsers.visitor("ada", room, hz=700).enter(presenter_key)
        ada.hears()      "silence", "music", or voices such as "ann+bob"
        ada.becomes(muted=True)
        ada.shows("#toggle-lock[aria-checked=true]")

What is heard is what the page's audio element plays: its stream is recorded in the page by a script processor
of Web Audio.  A microphone is a WAV file and belongs to a Chromium, so visitors with the same tone share one,
one after the other; all who never speak share another, each with cookies and storage of their own.

When something is seen is told by the page: an observer writes down the wall clock of the moment in which a
selector first matches, with nothing of ours in between.
"""

from __future__ import annotations

import base64
import contextlib
import wave
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.phones.caller import until
from tests.phones.ear import Ear
from tests.support.browser import DESKTOP, launch, wait_until
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

# Processing would take a steady tone for noise.
_AS_IT_IS = """
if (localStorage.getItem("tollbridge.sound") === null) {
  localStorage.setItem("tollbridge.sound", JSON.stringify({ echo: false, noise: false }));
}
"""

_CLOCK = """
window.testSeen = {};
window.testWatch = (selector) => {
  delete window.testSeen[selector];
  const look = () => {
    if (document.querySelector(selector) === null) return false;
    window.testSeen[selector] = performance.timeOrigin + performance.now();
    return true;
  };
  if (look()) throw new Error(`${selector} is there already`);
  const observer = new MutationObserver(() => { if (look()) observer.disconnect(); });
  observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
};
window.WebSocket = class extends WebSocket {
  constructor(...words) { super(...words); window.testSocket = this; }
};
addEventListener("click", () => { window.testClicked = performance.timeOrigin + performance.now(); }, true);
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

    def __init__(
        self, name: str, browser: Browser, room: Room, ear: Ear, voices: dict[str, float], **options: Any
    ) -> None:
        self.name, self.room = name, room
        self._ear, self._voices = ear, voices
        wishes = {"locale": "en-GB", "timezone_id": "Europe/Paris", **DESKTOP, **options}
        self.context = browser.new_context(**wishes)
        self.context.add_init_script(_CLOCK)
        self.context.add_init_script(_AS_IT_IS)
        self.wrong: list[str] = []
        self.page: Page = self.new_page()

    def new_page(self) -> Page:
        """One more tab of the same browser; `self.page` is the tab in use."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda line: self._console(line.text))
        return page

    def _console(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.wrong.append(text)

    @property
    def address(self) -> str:
        """Where the event's entrance is."""
        return f"{self.room.product.url}/{self.room.facts()['name_url']}"

    def enter(self, key: str | None = None, *, way: str = "browser", password: str | None = None) -> Visitor:
        """Fill in the join page and go in; `key`: what the link carries, for a role."""
        self.knock(key, way=way, password=password)
        self.here()
        return self

    def knock(self, key: str | None = None, *, way: str = "browser", password: str | None = None) -> None:
        """Fill in the join page and send it off, whatever comes of it."""
        self.page.goto(self.address if key is None else f"{self.address}?l={key}")
        self.fill_in(way=way, password=password)

    def fill_in(
        self, *, way: str = "browser", password: str | None = None, email: str = "somebody@example.org"
    ) -> None:
        """Fill in the join page that is open, and send it off."""
        self.page.fill("#name", self.name)
        self.page.fill("#email", email)
        if password is not None:
            self.page.fill("#password", password)
        self.page.click(f"label.choice:has(input[name=way][value={way}])")
        self.page.locator("#enter").click()

    def here(self) -> None:
        """Wait until the page is in the room, and record what it plays."""
        self.page.wait_for_url("**/rooms/**", timeout=15_000)
        self.page.wait_for_selector("#room[data-phase=live]", timeout=15_000)
        self.page.evaluate(_RECORD)

    @property
    def state(self) -> dict[str, Any]:
        """As the live room shows them; empty when they are not in it."""
        return next((one for one in self.room.people() if one["name"] == self.name), {})

    @property
    def participant_id(self) -> str:
        return str(self.state["id"])

    def becomes(self, *, within_s: float = 10.0, **values: Any) -> None:
        """Wait until the live room shows these values."""
        until(
            lambda: {name: self.state.get(name) for name in values} == values,
            lambda: f"{self.name} is {self.state}, not {values}",
            within_s=within_s,
        )

    def row(self, participant_id: str) -> str:
        """The selector of a person in the list."""
        return f'#panel-people li.person[data-id="{participant_id}"]'

    @property
    def names(self) -> list[str]:
        """Who stands in the page's list, from the top."""
        return [text.strip() for text in self.page.locator("#panel-people li.person .name").all_inner_texts()]

    def shows(self, selector: str, *, within_s: float = 10.0) -> None:
        """Wait until the page has this, seen or not."""
        self.page.wait_for_selector(selector, state="attached", timeout=within_s * 1000)

    def sees(self, selector: str, text: str = "", *, within_s: float = 10.0) -> None:
        """Wait until this can be seen, with that text in it."""
        self.page.locator(selector).filter(has_text=text).first.wait_for(timeout=within_s * 1000)

    def watch(self, selector: str) -> None:
        """From now on, write down when this is first there."""
        self.page.evaluate("selector => testWatch(selector)", selector)

    def seen_at(self, selector: str, *, within_s: float = 10.0) -> float:
        """When what is watched for was there, in seconds since 1970."""
        seen = "selector => testSeen[selector] !== undefined"
        wait_until(self.page, seen, selector, within_s=within_s)
        return float(self.page.evaluate("selector => testSeen[selector]", selector)) / 1000

    @property
    def clicked_at(self) -> float:
        """When this page was last clicked, in seconds since 1970."""
        return float(self.page.evaluate("testClicked")) / 1000

    def do(self, participant_id: str, action: str) -> None:
        """Choose from the menu of a person in the list."""
        self.page.click(f"{self.row(participant_id)} .more")
        self.page.get_by_role("menuitem", name=action, exact=True).click()

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
        self.product = product
        self._ear, self._folder, self._voices = ear, folder, voices
        self._playwright: Playwright | None = None
        self._browsers: dict[float | None, Browser] = {}
        self.visitors: list[Visitor] = []

    def __enter__(self) -> Chromiums:
        self._playwright = sync_playwright().start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wrong = {visitor.name: visitor.wrong for visitor in self.visitors if visitor.wrong}
        for browser in self._browsers.values():
            browser.close()
        if self._playwright is not None:
            self._playwright.stop()
        assert kind is not None or wrong == {}

    def visitor(self, name: str, room: Room, *, hz: float | None = None, **options: Any) -> Visitor:
        """Somebody whose microphone plays a tone, or who has none; `options`: of their browser's context."""
        assert self._playwright is not None
        if hz not in self._browsers:
            microphone = None if hz is None else tone_file(self._folder / f"{hz}.wav", hz)
            self._browsers[hz] = launch(self._playwright, microphone=microphone)
        if hz is not None:
            self._voices[name] = hz
        visitor = Visitor(name, self._browsers[hz], room, self._ear, self._voices, **options)
        self.visitors.append(visitor)
        return visitor

    @contextlib.contextmanager
    def of_a_test(self, voices: dict[str, float]) -> Iterator[Chromiums]:
        """For one test: its visitors are gone afterwards, and their pages had no errors."""
        self._voices = voices
        try:
            yield self
        finally:
            visitors, self.visitors = self.visitors, []
            for visitor in visitors:
                visitor.context.close()
        assert {visitor.name: visitor.wrong for visitor in visitors if visitor.wrong} == {}
