"""The registration form arranged in a browser, by drag events and by keyboard, and filled in on a phone."""

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


DRAG = """(what) => {
  const from = document.querySelector(what);
  const to = document.querySelector("#field-rows > li");
  const fire = (target, type) => target.dispatchEvent(new DragEvent(type, {
    bubbles: true, cancelable: true, dataTransfer: new DataTransfer(),
    clientY: to.getBoundingClientRect().top + 3 }));
  fire(from, "dragstart");
  fire(to, "dragover");
  fire(to, "drop");
  fire(from, "dragend");
}"""


def drag(page: Page, what: str) -> None:
    """Drag something before the first row: what a browser tells of it, without the mouse."""
    assert page.locator(what).get_attribute("draggable") == "true"
    page.evaluate(DRAG, what)


def test_fields_are_dragged_moved_by_key_and_saved(url: str, ann: Person, services: Services) -> None:
    with chromium() as browser, new_page(browser, **DESKTOP) as page:
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
        drag(page, "[data-grip=checkbox]")
        page.locator("#field-rows input[type=text]").first.fill("I agree")
        assert labels(page) == ["I agree", "Company", "Size"]
        drag(page, "#field-rows > li:nth-child(3) [data-drag]")
        assert labels(page) == ["Size", "I agree", "Company"]
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
