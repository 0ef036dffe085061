"""Pages of the address book, and files that come in."""

from __future__ import annotations

import httpx
import pytest
from fastapi.testclient import TestClient

from contacts import service
from tests.web.site.conftest import Person, token_of
from web.services import Services

EVIL = '"><script>alert(1)</script>'
PAGES = ["/contacts", "/contacts/new", "/contacts/import", "/contacts/contacts.csv"]


def send_file(person: Person, body: bytes, **fields: str) -> httpx.Response:
    data = {**fields, "csrf_token": token_of(person.client, "/contacts/import")}
    return person.client.post("/contacts/import", data=data, files={"file": ("x.csv", body, "text/csv")})


def book(services: Services, person: Person) -> list[str]:
    with services.readers() as session:
        return [one.email for one in service.find(session, account_id=person.account_id)[0]]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_pages_are_for_those_who_signed_in(
    path: str, language: str, ann: Person, browser: TestClient
) -> None:
    assert browser.get(path).headers["location"].startswith("/sign-in")
    assert ann.client.get(path, params={"lang": language}).status_code == 200


def test_a_contact_is_made_changed_and_deleted(ann: Person, bob: Person, services: Services) -> None:
    ann.post("/contacts/groups", {"name": EVIL}, page="/contacts")
    with services.readers() as session:
        ((group, _),) = service.groups(session, account_id=ann.account_id)
    fields = {"email": "zoe@example.org", "first_name": EVIL, "groups[]": str(group.id)}
    assert ann.post("/contacts/new", fields).status_code == 303
    page = ann.client.get(f"/contacts?group={group.id}").text
    assert "zoe@example.org" in page
    assert EVIL not in page
    with services.readers() as session:
        (contact,), _ = service.find(session, account_id=ann.account_id)
    own = f"/contacts/{contact.id}"
    assert EVIL not in ann.client.get(own).text
    assert bob.client.get(own).status_code == 404
    assert bob.post(own, fields).status_code == 404
    assert bob.post(f"{own}/delete").status_code == 404
    assert bob.client.get(f"/contacts?group={group.id}").status_code == 404
    assert bob.post(f"/contacts/groups/{group.id}/delete").status_code == 404
    assert bob.client.get(f"/contacts/contacts.csv?group={group.id}").status_code == 404
    assert ann.post(own, {"email": "nobody"}).status_code == 422
    assert ann.post(own, {"email": "zoe@example.com", "unsubscribed": "1"}).status_code == 303
    with services.readers() as session:
        assert service.is_unsubscribed(session, account_id=ann.account_id, email="zoe@example.com")
        assert service.find(session, account_id=ann.account_id, group_id=group.id)[1] == 0
    assert ann.post(f"/contacts/groups/{group.id}/rename", {"name": "Friends"}).status_code == 303
    assert ann.post(f"/contacts/groups/{group.id}/rename", {"name": " "}).status_code == 422
    assert ann.post(f"/contacts/groups/{group.id}/delete").status_code == 303
    assert ann.post(f"{own}/delete").status_code == 303
    assert book(services, ann) == []
    for missing in ("/contacts/999", "/contacts/x", "/contacts?group=999", "/contacts?group=x"):
        assert ann.client.get(missing).status_code == 404, missing


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_files_of_every_encoding(encoding: str, ann: Person, services: Services) -> None:
    body = f"E-mail;Prénom;Nom\nzoe@example.org;Zoé;{EVIL}\n{EVIL};;\n".encode(encoding)
    answer = send_file(ann, body, new_group="Friends")
    assert answer.status_code == 200
    assert EVIL not in answer.text
    assert "script" in answer.text, "the line that was not taken is shown"
    assert book(services, ann) == ["zoe@example.org"]
    with services.readers() as session:
        assert [(group.name, n) for group, n in service.groups(session, account_id=ann.account_id)] == [
            ("Friends", 1)
        ]
    assert "Zoé" in ann.client.get("/contacts/contacts.csv").text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"\x89PNG\x00\x01\x02" * 9, 422),
        (b"a@example.org\n" * 150_000, 413),
        (b"x" * 2_000_001, 422),
    ],
)
def test_files_that_are_not_taken(body: bytes, status: int, ann: Person, services: Services) -> None:
    assert send_file(ann, body).status_code == status
    assert book(services, ann) == []


def test_files_from_other_pages_are_refused(ann: Person, browser: TestClient, services: Services) -> None:
    file = {"file": ("x.csv", b"a@example.org", "text/csv")}
    assert ann.client.post("/contacts/import", files=file).status_code == 403
    assert ann.client.post("/contacts/import", content=b"x" * 100).status_code == 403
    assert browser.post("/contacts/import", files=file).status_code == 403
    assert book(services, ann) == []
