"""Schemathesis against the application: whatever fits the OpenAPI document, or does not, is answered by it.

Examples, the edges of every schema, random data right and wrong, and sequences of requests; all made from the
document alone, on a database with something of everything in it. Statuses, content types and bodies must be
the described ones, data that breaks the schema must be refused, and a key that is missing must be missed.

The seed is fixed and stands in each failure, so what is found once is found again.
`TOLLBRIDGE_SCHEMATHESIS=200 pytest -m slow tests/web/test_schemathesis.py` tries as many cases for each
operation, some twenty thousand.

Not checked, each for a reason: that all data which fits the schema is taken (rules between fields, such as
events that may not overlap, are in no schema), and `Allow` where two descriptions fit one address
(`/v1/conferences/active` is a room's address, too; `test_openapi.py` has the ordinary case).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from tests.web.full_house import Full, full_house

SEED = 20260
EXAMPLES = int(os.environ.get("TOLLBRIDGE_SCHEMATHESIS", "5"))
OFF = ("positive_data_acceptance", "unsupported_method", "allow_header_conformance")


@pytest.fixture
def full(engine: Engine, sessions: sessionmaker[Session]) -> Iterator[Full]:
    with full_house(engine, sessions) as full:
        yield full


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False], ids=["with-key", "without-key"])
def test_nothing_is_found(full: Full, known: bool) -> None:
    config = SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "continue-on-failure": True,
            "headers": {"X-Api-Key": full.api_key} if known else {},
            "generation": {
                "deterministic": True, "no-shrink": True, "max-examples": EXAMPLES if known else 1,
            },
            "checks": {name: {"enabled": False} for name in OFF},
        }
    )  # fmt: skip
    schema = schemathesis.openapi.from_asgi("/openapi.json", full.app, config=config)
    found: list[str] = []
    answers: Counter[int] = Counter()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            for interaction in event.recorder.interactions.values():
                if interaction.response is not None:
                    answers[interaction.response.status_code] += 1
            for case, made in event.recorder.checks.items():
                for check in made:
                    if check.failure_info is not None:
                        failure = check.failure_info.failure
                        shown = event.recorder.cases[case].value.as_curl_command()
                        found.append(f"{check.name}: {failure.title}\n{failure.message}\n{shown}")
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.append(repr(event))
    assert not found, f"seed {SEED}, {len(found)} findings:\n\n" + "\n\n".join(found[:20])
    assert answers.total() > (1_000 if known else 200), answers
    assert answers[200] + answers[201] > 100 or not known, answers
