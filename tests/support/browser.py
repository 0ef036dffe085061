"""Chromium for tests: headless, a fresh profile each time, with a microphone that nobody has to allow.

The fake microphone beeps once a second; with `microphone` it plays a WAV file over and over instead, so that
a test knows what each browser says. Pages from 127.0.0.1 count as secure, so no certificate is needed.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 800}}

_FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)


def chromium_path() -> str | None:
    """The Chromium of this machine; `TOLLBRIDGE_TEST_CHROMIUM` names another one."""
    return (
        os.environ.get("TOLLBRIDGE_TEST_CHROMIUM")
        or shutil.which("chromium")
        or shutil.which("chromium-browser")
    )


def launch(playwright: Playwright, *, microphone: Path | None = None, flags: tuple[str, ...] = ()) -> Browser:
    """A running browser. `microphone`: a WAV file that its microphone plays in a loop."""
    arguments = [*_FLAGS, *flags]
    if microphone is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={microphone}")
    return playwright.chromium.launch(executable_path=chromium_path(), args=arguments, headless=True)


@contextmanager
def chromium(*, microphone: Path | None = None, flags: tuple[str, ...] = ()) -> Iterator[Browser]:
    """A browser that is closed at the end."""
    with sync_playwright() as playwright:
        browser = launch(playwright, microphone=microphone, flags=flags)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def new_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page with cookies and storage of its own. It fails the test when a script of it raised an error or
    the browser refused something for the page's Content Security Policy.
    """
    context: BrowserContext = browser.new_context(
        **{"locale": "en-GB", "timezone_id": "Europe/Paris", **options}
    )
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda line: wrong.append(line.text) if "Content Security Policy" in line.text else None
    )
    try:
        yield page
    finally:
        context.close()
    assert wrong == []


def wait_until(page: Page, expression: str, argument: Any = None, *, within_s: float = 10.0) -> None:
    """Wait until JavaScript is true on a page.

    Playwright's own `wait_for_function` evaluates its text again inside the page when it is not true at once,
    which the pages' Content-Security-Policy forbids.
    """
    until = time.monotonic() + within_s
    while not page.evaluate(expression, argument):
        assert time.monotonic() < until, f"not true within {within_s} s: {expression}"
        page.wait_for_timeout(20)
