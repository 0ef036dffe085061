"""Who I am, and the keys of my account."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from accounts.errors import UnknownKeyError
from accounts.service import authenticate, list_keys
from tests.web.site.conftest import Person, sign_in
from web.services import Services


def test_name_language_and_time_zone(ann: Person) -> None:
    fields = {"name": "  Ann\tO’Hara ", "language": "fr", "timezone": "europe/paris"}
    assert ann.post("/account/profile", fields).headers["location"] == "/account?done=saved"
    page = ann.client.get("/account?done=saved").text
    assert 'lang="fr"' in page
    assert "Vos modifications sont enregistrées." in page
    assert 'value="Ann O’Hara"' in page
    assert '<option value="Europe/Paris" selected>' in page


def test_wrong_fields_are_marked_and_kept(ann: Person) -> None:
    answer = ann.post("/account/profile", {"name": "Kept", "language": "xx", "timezone": "Mars/Base"})
    assert answer.status_code == 422
    assert 'value="Kept"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 2


def test_a_key_is_shown_once_and_works_until_revoked(ann: Person, bob: Person, services: Services) -> None:
    made = ann.post("/account/keys")
    found = re.search(r"tb_\w{53}", made.text)
    assert found is not None
    assert found[0] not in ann.client.get("/account").text
    with services.readers() as session:
        assert authenticate(session, found[0]).id == ann.account_id
        key_id = list_keys(session, account_id=ann.account_id)[-1].id
    assert bob.post(f"/account/keys/{key_id}/revoke").status_code == 404
    assert ann.post(f"/account/keys/{key_id}/revoke").headers["location"] == "/account?done=key_revoked"
    with services.readers() as session, pytest.raises(UnknownKeyError):
        authenticate(session, found[0])


def test_signing_out_everywhere_else(browser: TestClient, ann: Person) -> None:
    sign_in(browser, "ann@example.org")
    assert ann.post("/account/sign-out-elsewhere").status_code == 303
    assert browser.get("/account").status_code == 303
    assert ann.client.get("/account").status_code == 200
