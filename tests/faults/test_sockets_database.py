"""The database is away while browsers and telephones are in a room: the room goes on, the door says so."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.faults.conftest import StartProduct
from tests.faults.scene import Scene, until
from tests.support.pages import Pages
from tests.support.postgresql import PostgresServer
from tests.support.product import Product
from tests.support.sound import sine

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

ANN_HZ, ADA_HZ = 425.0, 700.0


def through_an_outage(
    product: Product, database_url: str | None, away: Callable[[], None], back: Callable[[], None]
) -> None:
    with Scene(product, database_url=database_url) as scene, Pages(product) as pages:
        ann = scene.caller(says=sine(ANN_HZ))
        ann.enter(product.presenter_pin)
        ada = pages.presenter("Ada").enter().sound(says_hz=ADA_HZ)
        zoe, late = pages.page("Zoe"), pages.page("Late")
        assert zoe.join().status_code == 200
        until(lambda: ann.hears(ADA_HZ) and ada.hears(ANN_HZ), "the two hear each other", within_s=20)
        away()

        # Who is in stays in: sound, commands, and a socket that stays open.
        begun_s = time.monotonic()
        lost = ann.sound.lost()
        for command in ("lock", "unlock", "mute", "unmute"):
            asked_s = time.monotonic()
            assert ada.ask(command)["ok"]
            assert time.monotonic() - asked_s < 1.0
        until(lambda: ann.hears(ADA_HZ) and ada.hears(ANN_HZ), "the two hear each other")

        # Who comes is told: pages with 503 and a sentence, sockets with a code that says "again later".
        url = f"{product.url}/{late.url_name}"
        page = httpx.get(url, timeout=60, headers={"Accept": "text/html"})
        assert page.status_code == 503
        assert page.headers["content-type"].startswith("text/html")
        assert "Retry-After" in page.headers
        joining = httpx.post(f"{url}/join", json={"name": "Late", "email": "late@example.org"}, timeout=60)
        assert joining.status_code == 503
        zoe.connect()
        pages.until(lambda: zoe.closed, "the socket's end", within_s=60)
        assert zoe.closed is not None
        assert zoe.closed[0] == 1013

        # What needs the database is refused, the rest of the page goes on.
        assert ada.ask("phone")["error"]["slug"] == "unavailable"
        assert ada.ask("toll_free", on=True)["error"]["slug"] == "unavailable"
        billing = httpx.get(
            f"{product.url}/v1/billing/balance", headers={"X-Api-Key": product.api_key}, timeout=60
        )
        assert billing.status_code == 503
        assert ada.closed is None
        assert ada.ask("ping")["ok"]
        assert ada.hears(ANN_HZ)
        assert ann.sound.lost() == lost
        assert time.monotonic() - begun_s < 120

        back()
        until(lambda: product.send("GET", "/healthz").status_code == 200, "good health", within_s=60)
        zoe.enter()
        late.enter()
        assert sorted(one["name"] for one in scene.people()) == sorted([ann.name, "Ada", "Late", "Zoe"])
        assert ada.states == 1
        for one in (ada, zoe, late):
            assert one.ask("leave")["ok"]
        ann.hang_up()
        until(lambda: len(product.cdrs()) == 4, "four records", within_s=30)


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test's own, which it may stop."""
    server = PostgresServer()
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        server.remove()


def test_postgresql_is_stopped(database: PostgresServer, make_product: StartProduct) -> None:
    with database.database(migrated=False) as url:
        through_an_outage(make_product(database_url=url), url, database.stop, database.start)


def test_somebody_holds_the_sqlite_file(make_product: StartProduct) -> None:
    """A backup program that locks the file for writers: reading goes on, so pages do; what writes waits."""
    product = make_product()
    with Scene(product) as scene, Pages(product) as pages:
        ann = scene.caller()
        ann.enter(product.presenter_pin)
        ada = pages.presenter("Ada").enter()
        with writer_lock(product):
            begun_s = time.monotonic()
            for command in ("lock", "unlock", "mute", "unmute"):
                assert ada.ask(command)["ok"]
            assert time.monotonic() - begun_s < 4.0
            bea = pages.page("Bea").enter()  # reads only
            cleo = scene.caller()
            cleo.enter(product.listener_pin)
            assert len(scene.people()) == 4
            cleo.hang_up()
            assert bea.ask("leave")["ok"]
            assert ada.closed is None
        until(lambda: len(scene.records()) == 2, "the records of those who left", within_s=30)
        assert ada.ask("phone")["ok"]
        assert ada.ask("leave")["ok"]
        ann.hang_up()
        until(product.demo.sessions, "the session", within_s=30)
        until(lambda: len(product.cdrs()) == 4, "four records", within_s=30)


@contextmanager
def writer_lock(product: Product) -> Iterator[None]:
    """Another program writes and does not come to an end."""
    connection = sqlite3.connect(product.folder / "data" / "tollbridge.db", isolation_level=None, timeout=30)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()
