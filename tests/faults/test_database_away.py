"""The database is away for twenty seconds: calls go on, new ones get in, records arrive later."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.faults.conftest import StartProduct
from tests.faults.scene import Scene, until
from tests.support.postgresql import PostgresServer

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

AWAY_S = 20.0


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


def test_twenty_seconds_without_a_database(database: PostgresServer, make_product: StartProduct) -> None:
    with database.database(migrated=False) as url:
        product = make_product(database_url=url)
        with Scene(product, database_url=url) as scene:
            early = scene.caller()
            early.enter(product.presenter_pin)
            database.stop()
            back_s = time.monotonic() + AWAY_S

            answer = product.send("GET", f"/v1/conferences/{product.room}/sessions")
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.json()["message"]
            assert product.send("GET", "/healthz").status_code == 503

            # A right PIN opens the door, a wrong one does not, and keys work.
            new = scene.caller()
            new.dial()
            new.type("1#")
            until(lambda: new.heard("pin.wrong"), "the word about a wrong PIN")
            new.type(f"{product.listener_pin}#")
            until(lambda: scene.metric("tollbridge_pin_attempts_total") == 3, "the PIN")
            early.type("7")
            heard = len(new.sound.heard)
            until(lambda: len(new.sound.heard) > heard + 50, "another second of sound")
            early.hang_up()
            metrics = product.send("GET", "/metrics")
            assert metrics.status_code == 200

            statuses = set()
            while time.monotonic() < back_s:
                for path in ("/v1/ping", f"/v1/conferences/{product.room}", "/v1/conferences/active"):
                    statuses.add(product.send("GET", path).status_code)
                time.sleep(0.2)
            assert statuses <= {200, 503}
            assert 503 in statuses
            assert not new.call.ended.is_set()
            assert new.sound.lost() == 0

            database.start()
            assert early.record()["reason_slug"] == "caller-hung-up"
            participant = new.inside()
            assert participant["via"] == "phone"
            until(lambda: product.send("GET", "/healthz").status_code == 200, "good health")
            new.hang_up()
            record = new.record()
            assert (record["pin_result"], record["pin_attempts"]) == ("ok", 2)
            # Both records lie with the one session that they were part of.
            until(lambda: len(product.cdrs()) == 2, "two records in the session")
