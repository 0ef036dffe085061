"""Five hundred people in the list, twenty of them starting or stopping to talk every second."""

from __future__ import annotations

import threading
import time

import pytest
from playwright.sync_api import Page
from sqlalchemy.orm import Session, sessionmaker

from rooms import commands as c
from rooms.modes import AudioMode, Role, Via
from tests.support.browser import DESKTOP, chromium, new_page, wait_until
from tests.support.room_site import RoomSite

PEOPLE = 500
CHANGES_PER_S = 20
SECONDS = 6
LONG_TASK_MS = 50


_WATCH = """() => {
    window.measured = { long: [], frames: [] };
    new PerformanceObserver((list) => measured.long.push(...list.getEntries().map((e) => e.duration)))
        .observe({ type: "longtask" });
    let last = performance.now();
    const step = (now) => {
        measured.frames.push(now - last);
        last = now;
        requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
}"""


@pytest.mark.slow
def test_the_list_stays_smooth(sessions: sessionmaker[Session]) -> None:
    """The figures are printed: on a quiet machine no task of the page's thread takes longer than 50 ms. What
    fails is a list that is drawn anew as a whole, which takes ten times as long on any machine.
    """
    with RoomSite(sessions).serving() as site, chromium() as browser, new_page(browser, **DESKTOP) as page:
        site.call(lambda: site.live.open(site.room_id, name="Town hall", discussion_limit=1_000))
        site.apply(
            *(
                c.Join(
                    participant_id=f"p{n}",
                    name=f"Person {n}",
                    role=Role.PARTICIPANT,
                    via=Via.PHONE if n % 4 == 0 else Via.WEB,
                    city="Paris",
                    country="FR",
                )
                for n in range(PEOPLE)
            ),
            c.SetMode(mode=AudioMode.DISCUSSION, by=c.ORGANISER),
            c.Start(by=c.ORGANISER),
        )
        site.enter(page, "Ada", host=True)
        wait_until(page, f"document.querySelectorAll('.side .person').length === {PEOPLE + 1}")
        page.wait_for_timeout(1_000)
        page.evaluate(_WATCH)
        costs = _Costs(page)
        for _attempt in range(3):
            page.evaluate("() => { measured.long = []; measured.frames = []; }")
            costs.begin()
            talking = threading.Thread(target=_talk, args=(site,))
            talking.start()
            page.wait_for_timeout(SECONDS * 1_000)
            talking.join()
            work_ms = costs.per_change_ms()
            measured = page.evaluate("measured")
            frames = sorted(measured["frames"])
            p99_ms = frames[len(frames) * 99 // 100]
            print(f"{work_ms:.1f} ms a change, frames p99 {p99_ms:.1f} ms, long {measured['long']}")
            if max(measured["long"], default=0) <= LONG_TASK_MS:
                break
        assert max(measured["long"], default=0) < 10 * LONG_TASK_MS
        assert work_ms < 50


def _talk(site: RoomSite) -> None:
    for tick in range(SECONDS * CHANGES_PER_S):
        site.apply(c.SetTalking(participant_id=f"p{(tick // 2) % 40}", talking=tick % 2 == 0))
        time.sleep(1 / CHANGES_PER_S)


class _Costs:
    """CPU that the page spends on scripts, styles and layout, as Chromium counts it."""

    def __init__(self, page: Page) -> None:
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.send("Performance.enable")
        self._before = 0.0

    def _now_s(self) -> float:
        metrics = {
            each["name"]: each["value"] for each in self._cdp.send("Performance.getMetrics")["metrics"]
        }
        return float(sum(metrics[f"{kind}Duration"] for kind in ("Script", "RecalcStyle", "Layout")))

    def begin(self) -> None:
        self._before = self._now_s()

    def per_change_ms(self) -> float:
        return (self._now_s() - self._before) * 1_000 / (SECONDS * CHANGES_PER_S)
