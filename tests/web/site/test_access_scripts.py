"""The registration form arranged in a browser, by mouse, finger and keyboard, and filled in on a phone."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Page

from events import service
from events.registration_form import form_of
from tests.support.browser import DESKTOP, PHONE, chromium, new_page
from tests.web.site.conftest import PASSWORD, Person
from web.services import Services


@pytest.fixture
def url(site: FastAPI) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(site, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        threading.Event().wait(0.02)
    assert server.started
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


def labels(page: Page) -> list[str]:
    return [row.input_value() for row in page.locator("#field-rows input[type=text]").all()]


def middle(page: Page, what: str) -> tuple[float, float]:
    box = page.locator(what).bounding_box()
    assert box is not None, what
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, what: str, to: str, *, drop: bool = True) -> None:
    """Take `what` with the mouse, to just above the middle of `to`, in small steps as a hand does."""
    page.locator(what).scroll_into_view_if_needed()
    page.mouse.move(*middle(page, what))
    page.mouse.down()
    across, down = middle(page, to)
    page.mouse.move(across, down - 12, steps=8)
    assert page.locator(f"{to}.before").count() == 1
    if not drop:
        page.keyboard.press("Escape")
    page.mouse.up()


def drag_by_finger(page: Page, what: str, to: str, *, by: float = -12) -> None:
    """The same with a finger, as a touch screen tells it, to `by` pixels below the middle of `to`."""
    page.locator(what).scroll_into_view_if_needed()
    screen = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": across, "y": down} for across, down in points]
        screen.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    begun, (across, down) = middle(page, what), middle(page, to)
    touch("touchStart", begun)
    for step in (0.2, 0.4, 0.6, 0.8, 1.0):
        y = begun[1] + (down + by - begun[1]) * step
        touch("touchMove", (begun[0] + (across - begun[0]) * step, y))
    touch("touchEnd")


def test_fields_are_dragged_moved_by_key_and_saved(url: str, ann: Person, services: Services) -> None:
    with chromium() as browser, new_page(browser, **{**DESKTOP, "has_touch": True}) as page:
        page.goto(f"{url}/sign-in?next=/events/{ann.event_id}/registration")
        page.fill("input[name=email]", "ann@example.org")
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_selector("#form-editor")
        page.click("[data-add=text]")
        page.keyboard.type("Company")
        page.click("[data-add=choice]")
        page.keyboard.type("Size")
        page.locator("#field-rows textarea").fill("small\nlarge")
        drag(page, "[data-grip=checkbox]", "#field-rows > li:nth-child(1)")
        page.locator("#field-rows input[type=text]").first.fill("I agree")
        assert labels(page) == ["I agree", "Company", "Size"]
        third = "#field-rows > li:nth-child(3) [data-drag]"
        drag(page, third, "#field-rows > li:nth-child(1)", drop=False)
        assert labels(page) == ["I agree", "Company", "Size"]
        drag(page, third, "#field-rows > li:nth-child(1)")
        assert labels(page) == ["Size", "I agree", "Company"]
        drag_by_finger(page, third, "#field-rows > li:nth-child(1)")
        assert labels(page) == ["Company", "Size", "I agree"]
        drag_by_finger(
            page, "#field-rows > li:nth-child(1) [data-drag]", "#field-rows > li:nth-child(3)", by=40
        )
        assert labels(page) == ["Size", "I agree", "Company"]
        assert page.locator(".before, .after, .dragged").count() == 0
        page.focus("#field-rows > li:nth-child(1) [data-move=down]")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        assert labels(page) == ["I agree", "Company", "Size"]
        assert page.inner_text("#editor-says") == "Size: place 3 of 3"
        page.focus("#field-rows > li:nth-child(2) [data-move=remove]")
        page.keyboard.press("Enter")
        page.locator("#field-rows input[type=checkbox]").first.check()
        page.locator("label[for=f-enabled]").click()
        page.locator("#form-editor .btn.primary").click()
        page.wait_for_url("**done=registration_saved")
        assert labels(page) == ["I agree", "Size"]
    with services.readers() as session:
        event = service.get_event(session, account_id=ann.account_id, event_id=ann.event_id)
    form = form_of(event.registration)
    assert [(one.kind, one.label, one.required) for one in form.fields] == [
        ("checkbox", "I agree", True),
        ("choice", "Size", False),
    ]
    assert form.enabled
    with chromium() as browser, new_page(browser, **{**PHONE, "timezone_id": "Asia/Tokyo"}) as page:
        page.goto(f"{url}/{event.url_name}/register")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.input_value("input[name=timezone]") == "Asia/Tokyo"
        assert not page.locator("#website").is_visible() or page.locator(".pot").bounding_box()["x"] < 0  # type: ignore[index]
        page.fill("input[name='registration[1]']", "Zoé")
        page.fill("input[name='registration[2]']", "Martin")
        page.fill("input[name='registration[3]']", "zoe@example.org")
        page.locator("input[type=checkbox]").check()
        page.locator("#register button[type=submit]").click()
        page.wait_for_url("**sent=1")
        assert "Thank you" in page.inner_text("main")
