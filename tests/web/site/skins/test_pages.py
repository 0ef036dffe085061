"""The pages about looks, what guests' browsers fetch of them, and what strangers may try."""

from __future__ import annotations

import io
import re

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import select

from events import service
from events.fields import parse_wishes
from events.models import Event
from tests.web.site.conftest import Person, token_of
from web.services import Services

LOOK = {"name": "Berry & Sons", "accent": "#b4235a", "background": "#1d2f6f"}


def png(size: tuple[int, int] = (300, 100)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "#b4235a").save(out, "PNG")
    return out.getvalue()


def send(
    person: Person, path: str, fields: dict[str, str], files: dict[str, tuple[str, bytes]] | None = None
) -> httpx.Response:
    """Post the form of a look, as its page would."""
    data = {**fields, "csrf_token": token_of(person.client, "/skins/new")}
    parts = files or {"logo": ("", b"")}
    return person.client.post(path, data=data, files=parts)


def make(person: Person, files: dict[str, tuple[str, bytes]] | None = None, **fields: str) -> int:
    """A look; its number."""
    answer = send(person, "/skins/new", {**LOOK, **fields}, files)
    assert answer.status_code == 303, answer.text
    return max(int(number) for number in re.findall(r'href="/skins/(\d+)"', person.client.get("/skins").text))


def entrance(person: Person, services: Services, skin_id: int) -> str:
    """The entrance of the person's event in a look, as a guest gets it."""
    with services.sessions.begin() as session:
        event = service.get_event(session, account_id=person.account_id, event_id=person.event_id)
        service.update_event(session, event, wishes=parse_wishes({"skin_id": skin_id}), now=services.now())
        return f"/{event.url_name}"


def test_a_look_dresses_every_page_of_a_guest(ann: Person, browser: TestClient, services: Services) -> None:
    number = make(ann, {"logo": ("logo.png", png()), "banner": ("b.png", png((800, 200)))})
    path = entrance(ann, services, number)
    with services.sessions.begin() as session:
        event = session.scalars(select(Event).where(Event.id == ann.event_id)).one()
        event.registration = {**event.registration, "enabled": True}
    for page in (path, f"{path}/register", f"{path}/thanks"):
        body = browser.get(page).text
        style = re.search(r'href="(/look/[\w-]+/[0-9a-f]{12}\.css)"', body)
        logo = re.search(r'class="band-logo" src="(/look/[^"]+\.png)"[^>]*alt="Berry &amp; Sons"', body)
        banner = re.search(r'class="band-banner" src="(/look/[^"]+\.jpeg)"', body)
        assert style is not None, page
        assert logo is not None, page
        assert banner is not None, page
        assert "style=" not in body
    sheet = browser.get(style[1])
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"
    assert "--accent: #b4235a;" in sheet.text
    picture = browser.get(logo[1])
    assert picture.headers["content-type"] == "image/png"
    assert picture.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in picture.headers["cache-control"]
    assert Image.open(io.BytesIO(picture.content)).size == (300, 100)


def test_pages_without_a_look_are_as_they_were(ann: Person, browser: TestClient, services: Services) -> None:
    body = browser.get(entrance(ann, services, 1)).text
    assert "band-inner" not in body
    assert "/look/" not in body


def test_changing_and_deleting(ann: Person, browser: TestClient, services: Services) -> None:
    number = make(ann, {"logo": ("logo.png", png())}, is_default="1")
    path = entrance(ann, services, number)
    changed = {**LOOK, "name": "Plum", "remove_logo": "1", "is_default": "1"}
    assert send(ann, f"/skins/{number}", changed).headers["location"] == "/skins?done=skin_changed"
    body = browser.get(path).text
    assert '<span class="band-name">Plum</span>' in body
    assert "band-logo" not in body
    new_event = ann.client.get("/events/new").text
    assert f'<option value="{number}" selected>Plum</option>' in new_event
    assert ann.post(f"/skins/{number}/delete").headers["location"] == "/skins?done=skin_deleted"
    assert browser.get(path).status_code == 200
    assert "/look/" not in browser.get(path).text
    assert ann.client.get(f"/skins/{number}").status_code == 404


def test_a_colour_on_which_nothing_can_be_read(ann: Person) -> None:
    answer = send(ann, "/skins/new", {**LOOK, "accent": "#ffd400"})
    assert answer.status_code == 422
    assert "the contrast is 1.4" in answer.text
    offered = re.search(r'name="use_instead" value="(#[0-9a-f]{6})"', answer.text)
    assert offered is not None
    taken = send(ann, "/skins/new", {**LOOK, "accent": "#ffd400", "use_instead": offered[1]})
    assert taken.status_code == 303
    assert f'fill="{offered[1]}"' in ann.client.get("/skins").text


@pytest.mark.parametrize("name", ['"><script>alert(1)</script>', "</svg><img src=x onerror=alert(1)>"])
def test_names_stay_text(ann: Person, browser: TestClient, services: Services, name: str) -> None:
    number = make(ann, name=name)
    bodies = [ann.client.get(page).text for page in ("/skins", f"/skins/{number}", "/events/new")]
    for body in (*bodies, browser.get(entrance(ann, services, number)).text):
        assert "alert(1)" in body
        assert "<script>alert" not in body
        assert "<img src=x" not in body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html><script>alert(1)</script></html>", "Must be a picture: PNG, JPEG or WebP"),
        (b"\x89PNG\r\n\x1a\nlies", "Is broken"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1024 * 1024), "Must not be larger than 1 MB"),
    ],
)
def test_files_that_are_no_pictures(ann: Person, body: bytes, said: str) -> None:
    answer = send(ann, "/skins/new", LOOK, {"logo": ("logo.png", body)})
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="Berry &amp; Sons"' in answer.text
    assert "/skins/2" not in ann.client.get("/skins").text


def test_twenty_megabytes(ann: Person) -> None:
    answer = send(ann, "/skins/new", LOOK, {"logo": ("logo.png", bytes(20 * 1024 * 1024))})
    assert answer.status_code == 413


@pytest.mark.parametrize("field", ["accent", "background"])
def test_a_colour_cannot_carry_a_style(ann: Person, field: str) -> None:
    answer = send(ann, "/skins/new", {**LOOK, field: "red;}body{"})
    assert answer.status_code == 422
    assert "Must be a colour such as #0f766e." in answer.text


def test_what_is_of_another_account_is_not_there(ann: Person, bob: Person, services: Services) -> None:
    hers = make(ann)
    assert bob.client.get(f"/skins/{hers}").status_code == 404
    assert send(bob, f"/skins/{hers}", LOOK).status_code == 404
    assert bob.post(f"/skins/{hers}/delete").status_code == 404
    assert bob.post("/skins/default", {"skin_id": str(hers)}).status_code == 404
    for house in ("/skins/1", "/skins/x", "/skins/99999999999"):
        assert ann.client.get(house).status_code == 404
    form = {"name": "Mine", "skin_id": str(hers)}
    made = bob.post("/events/new", form)
    assert made.status_code == 303
    with services.readers() as session:
        number = int(made.headers["location"].split("/")[2].partition("?")[0])
        assert service.get_event(session, account_id=bob.account_id, event_id=number).skin_id == 1
    assert ann.client.get(f"/skins/{hers}").status_code == 200


def test_strangers_and_forms_of_others(ann: Person, browser: TestClient) -> None:
    number = make(ann)
    for path in ("/skins", "/skins/new", f"/skins/{number}"):
        assert browser.get(path).headers["location"].startswith("/sign-in")
    assert ann.client.post("/skins/new", data=LOOK, files={"logo": ("", b"")}).status_code == 403
    assert ann.client.post(f"/skins/{number}/delete", data={}).status_code == 403


@pytest.mark.parametrize(
    "path", ["/look/tollbridge/000000000000.css", "/look/x/y", "/look/x/../style.css", "/look/x/logo-00.png",
             "/look/tollbridge/logo-000000000000000000000000.png"]
)  # fmt: skip
def test_addresses_that_nobody_gave_out(browser: TestClient, path: str) -> None:
    assert browser.get(path).status_code == 404


def test_the_clock(browser: TestClient, services: Services) -> None:
    answer = browser.get("/clock")
    assert abs(answer.json()["now"] / 1000 - services.now().timestamp()) < 60
    assert answer.headers["cache-control"] == "no-store"
