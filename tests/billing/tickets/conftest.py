"""The scene of payments, and an event that sells tickets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session, sessionmaker

from tests.billing.tickets.box_office import BoxOffice, open_box_office


@pytest.fixture
def office(sessions: sessionmaker[Session]) -> Iterator[BoxOffice]:
    with open_box_office(sessions) as office:
        yield office
