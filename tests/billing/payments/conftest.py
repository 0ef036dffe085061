"""The scene: a shop and the test provider, on real ports."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session, sessionmaker

from tests.billing.payments.scene import Scene, open_scene


@pytest.fixture
def scene(sessions: sessionmaker[Session]) -> Iterator[Scene]:
    with open_scene(sessions) as scene:
        yield scene
