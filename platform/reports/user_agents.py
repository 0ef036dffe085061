"""Which device, system and browser a User-Agent header names. Pure.

Theory. The header (RFC 9110 §10.1.5) is a list of products, and browsers put the names of others into
theirs so that old pages let them in: Edge says Chrome and Safari, Chrome says Safari, everybody says
Mozilla. So names are looked for from the rarest to the most copied. Chrome and Firefox on iOS say CriOS and
FxiOS. Since 2022 Chromium freezes versions and devices in the header, which is why neither is read here:
only what the statistics show. iPads that ask for desktop pages call themselves Macintosh and are counted as
computers; an Android without the word Mobile is a tablet.
"""

from __future__ import annotations

from dataclasses import dataclass

OTHER = "other"
COMPUTER, PHONE, TABLET = "computer", "phone", "tablet"

_BROWSERS = (
    ("SamsungBrowser/", "Samsung Internet"),
    ("EdgiOS/", "Edge"), ("EdgA/", "Edge"), ("Edg/", "Edge"), ("Edge/", "Edge"),
    ("OPiOS/", "Opera"), ("OPR/", "Opera"), ("Opera", "Opera"),
    ("Vivaldi/", "Vivaldi"), ("YaBrowser/", "Yandex"), ("DuckDuckGo/", "DuckDuckGo"), ("Ddg/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"), ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"), ("HeadlessChrome/", "Chrome"), ("Chrome/", "Chrome"), ("Chromium/", "Chrome"),
    ("MSIE ", "Internet Explorer"), ("Trident/", "Internet Explorer"),
    ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("Windows", "Windows"), ("iPhone", "iOS"), ("iPad", "iPadOS"), ("Android", "Android"),
    ("CrOS", "ChromeOS"), ("Macintosh", "macOS"), ("Linux", "Linux"), ("X11", "Linux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """What statistics count. `device` is computer, phone, tablet or other; names are in English."""

    device: str
    system: str
    browser: str


def read_user_agent(text: str) -> Agent:
    """What the header names; anything may be in it."""
    browser = next((name for mark, name in _BROWSERS if mark in text), OTHER)
    system = next((name for mark, name in _SYSTEMS if mark in text), OTHER)
    return Agent(device=_device(text, system), system=system, browser=browser)


def _device(text: str, system: str) -> str:
    match system:
        case "iOS":
            return PHONE
        case "iPadOS":
            return TABLET
        case "Android":
            return PHONE if "Mobile" in text else TABLET
        case "Windows" | "macOS" | "Linux" | "ChromeOS":
            return COMPUTER
    return OTHER
