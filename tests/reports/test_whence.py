"""What a browser says about itself: device, system, browser, country."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.user_agents import Agent, read_user_agent
from reports.whereabouts import country_of

MOZILLA = "Mozilla/5.0 "
BLINK = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"


@pytest.mark.parametrize(
    ("text", "device", "system", "browser"),
    [
        (f"(Windows NT 10.0; Win64; x64) {BLINK} Safari/537.36", "computer", "Windows", "Chrome"),
        (f"(Windows NT 10.0; Win64; x64) {BLINK} Safari/537.36 Edg/141.0.0.0", "computer", "Windows", "Edge"),
        (f"(X11; CrOS x86_64 14541.0.0) {BLINK} Safari/537.36", "computer", "ChromeOS", "Chrome"),
        ("(Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 "
         "Safari/605.1.15",
         "computer", "macOS", "Safari"),
        ("(iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 "
         "Mobile/15E148 Safari/604.1", "phone", "iOS", "Safari"),
        ("(iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0 "
         "Mobile/15E148 Safari/604.1", "phone", "iOS", "Chrome"),
        (f"(Linux; Android 10; K) {BLINK} Mobile Safari/537.36", "phone", "Android", "Chrome"),
        (f"(Linux; Android 10; K) {BLINK} Safari/537.36", "tablet", "Android", "Chrome"),
        (f"(Linux; Android 13; SM-S911B) SamsungBrowser/28.0 {BLINK} Mobile Safari/537.36", "phone",
         "Android", "Samsung Internet"),
        ("(X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "computer", "Linux", "Firefox"),
        ("curl", "other", "other", "other"),
    ],
)  # fmt: skip
def test_browsers_of_today(text: str, device: str, system: str, browser: str) -> None:
    assert read_user_agent(MOZILLA + text) == Agent(device=device, system=system, browser=browser)


@given(st.text())
def test_anything_may_be_in_the_headers(text: str) -> None:
    assert read_user_agent(text).device in ("computer", "phone", "tablet", "other")
    found = country_of(timezone=text, accept_language=text)
    assert found is None or (len(found) == 2 and found.isupper())


@pytest.mark.parametrize(
    ("zone", "languages", "country"),
    [("Europe/Paris", "en-US", "FR"), ("Asia/Kolkata", "", "IN"), ("US/Eastern", "", "US"),
     ("UTC", "fr-CA,fr;q=0.9", "CA"), (None, "fr", None), (None, "zh-Hans-CN", "CN"),
     (None, "en-XX,de-AT", "AT"),     ("Nowhere/City", "", None)],
)  # fmt: skip
def test_countries(zone: str | None, languages: str, country: str | None) -> None:
    assert country_of(timezone=zone, accept_language=languages) == country
