"""Chromium for the tests of a module, and the people of one test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.phones.caller import Office
from tests.phones.ear import Ear
from tests.phones.visitor import Chromiums
from tests.support.product import Product


@pytest.fixture(scope="module")
def chromiums(product: Product, ear: Ear, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromiums]:
    """Browsers that the tests of a module use one after the other: starting one takes a second."""
    with Chromiums(product, ear, tmp_path_factory.mktemp("tones"), {}) as browsers:
        yield browsers


@pytest.fixture
def browsers(chromiums: Chromiums, office: Office) -> Iterator[Chromiums]:
    """Browsers whose voices the telephones of the same test know, too."""
    with chromiums.of_a_test(office.voices) as people:
        yield people
