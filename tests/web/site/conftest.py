"""The site over a fresh database, before and after signing in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from database.engine import make_sessions
from events.directory import PinDirectory
from rooms.feed import RoomFeed
from rooms.feed import RoomFeed
from rooms.live import LiveRooms
from tests.web.conftest import PARIS
from web import errors, lists
from web.services import Services
from web.site.errors import error_page
from web.site.routes import router


def create_site(services: Services) -> FastAPI:
    """The pages alone, with their errors."""
    app = FastAPI(title="Tollbridge", description="An API.", docs_url=None, redoc_url=None)
    app.state.services = services
    app.include_router(lists.router)
    app.include_router(router)
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
