"""The site over a fresh database, before and after signing in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from accounts.users import create_user
from database.engine import make_sessions
from database.types import now_utc
from events.directory import PinDirectory
from events.fields import parse_wishes
from events.service import create_event
from rooms.feed import RoomFeed
from rooms.live import LiveRooms
from tests.web.conftest import PARIS
from web import errors, lists
from web.services import Services
from web.site.errors import error_page
from web.site.routes import last_router, router


def create_site(services: Services) -> FastAPI:
    """The pages alone, with their errors."""
    app = FastAPI(title="Tollbridge", description="An API.", docs_url=None, redoc_url=None)
    app.state.services = services
    app.include_router(lists.router)
    app.include_router(router)
    app.include_router(last_router)
    errors.install(app, page=error_page)
    return app


@pytest.fixture
def services(engine: Engine, sessions: sessionmaker[Session]) -> Services:
    readers = make_sessions(engine, read_only=True)
    live = LiveRooms()
    return Services(
        sessions=sessions,
        readers=readers,
        live=live,
        feed=RoomFeed(live),
        directory=PinDirectory(readers),
        registry=CollectorRegistry(),
        version="1.2.3",
        public_url="http://testserver",
        gateways=(PARIS,),
    )


@pytest.fixture
def site(services: Services) -> FastAPI:
    return create_site(services)


@pytest.fixture
def browser(site: FastAPI) -> Iterator[TestClient]:
    """A browser that nobody signed in with."""
    with new_browser(site) as client:
        yield client


def new_browser(site: FastAPI) -> TestClient:
    return TestClient(
        site,
        headers={"Accept": "text/html,application/xhtml+xml"},
        raise_server_exceptions=False,
        follow_redirects=False,
    )


PASSWORD = "correct horse battery"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody's browser, signed in. `post` sends a form as the page at `page` would."""

    client: TestClient
    account_id: int
    event_id: int

    def post(
        self, path: str, data: dict[str, str] | None = None, *, page: str = "/account"
    ) -> httpx.Response:
        return post(self.client, path, data, page=page)


def token_of(client: TestClient, page: str) -> str:
    """The token in the forms of a page."""
    found = _TOKEN.search(client.get(page).text)
    assert found is not None, page
    return found[1]


def post(client: TestClient, path: str, data: dict[str, str] | None = None, *, page: str) -> httpx.Response:
    """Send a form as a page of ours would."""
    return client.post(path, data={**(data or {}), "csrf_token": token_of(client, page)})


def sign_in(
    client: TestClient, email: str, password: str = PASSWORD, *, next_path: str = ""
) -> httpx.Response:
    """Fill in the sign-in page."""
    fields = {"email": email, "password": password, "next": next_path}
    return post(client, "/sign-in", fields, page="/sign-in")


@pytest.fixture
def people(services: Services, site: FastAPI) -> Iterator[tuple[Person, Person]]:
    """Ann and Bob, of different accounts, each with an event, both signed in."""
    with new_browser(site) as ann, new_browser(site) as bob:
        yield _person(services, ann, "ann@example.org"), _person(services, bob, "bob@example.org")


@pytest.fixture
def ann(people: tuple[Person, Person]) -> Person:
    return people[0]


@pytest.fixture
def bob(people: tuple[Person, Person]) -> Person:
    return people[1]


def _person(services: Services, client: TestClient, email: str) -> Person:
    now = now_utc()
    with services.sessions.begin() as session:
        account = create_account(session, email=email, now=now).account
        create_user(session, account_id=account.id, email=email, password=PASSWORD, now=now)
        wishes = parse_wishes({"name": f"Event of {email}", "starts_at": "2036-05-01T10:00"})
        event = create_event(session, account_id=account.id, wishes=wishes, now=now)
    assert sign_in(client, email).status_code == 303
    return Person(client=client, account_id=account.id, event_id=event.id)
