"""A house full of calls and four browsers: nobody's, an organiser's, and those of two people of staff."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from accounts import sign_in
from accounts.users import Role, create_user
from tests.support.call_house import NOW, House, fill, parts_of
from tests.web.site.conftest import create_site, new_browser, post
from web.services import Services
from web.site.csrf import SESSION_COOKIE


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The site at one moment, and who looks at it. `ada` and `bo` are staff, `org` is an organiser."""

    services: Services
    house: House
    stranger: TestClient
    org: TestClient
    ada: TestClient
    bo: TestClient

    def get(self, path: str) -> httpx.Response:
        """What Ada sees."""
        return self.ada.get(path)

    def post(
        self, path: str, data: dict[str, str] | None = None, who: TestClient | None = None
    ) -> httpx.Response:
        """A form, sent by Ada or by `who`."""
        return post(who or self.ada, path, data, page="/account")


@pytest.fixture
def desk(services: Services, sessions: sessionmaker[Session]) -> Iterator[Desk]:
    house = fill(sessions, calls=120)
    known = replace(services, billing=parts_of(sessions), now=lambda: NOW)
    site = create_site(known)
    with new_browser(site) as stranger, new_browser(site) as org, new_browser(site) as ada, new_browser(
        site
    ) as bo:
        for client, name, role in (
            (ada, "Ada", Role.BILLING), (bo, "Bo", Role.ADMIN), (org, "Org", Role.ORGANISER),
        ):  # fmt: skip
            with sessions.begin() as session:
                user = create_user(
                    session, account_id=house.accounts[1], email=f"{name}@staff.example", password=None,
                    now=NOW, roles=[role], name=name, timezone="Europe/Paris",
                )  # fmt: skip
                token = sign_in.begin(session, user_id=user.id, now=NOW, ip="", user_agent="")
            client.cookies.set(SESSION_COOKIE, token)
        yield Desk(services=known, house=house, stranger=stranger, org=org, ada=ada, bo=bo)
