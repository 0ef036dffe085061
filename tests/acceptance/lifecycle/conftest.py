"""A product that sends its mail to a real mail server, its organiser, and people who come."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.lifecycle.organiser import Organiser
from tests.phones.caller import Office
from tests.phones.ear import Ear
from tests.phones.visitor import Chromiums
from tests.support.post_office import PostOffice
from tests.support.product import Product


@pytest.fixture(scope="module")
def post() -> Iterator[PostOffice]:
    with PostOffice() as server:
        yield server


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, ear: Ear, post: PostOffice) -> Iterator[Product]:
    """One running product for the tests of a module; each test makes its own events."""
    folder = tmp_path_factory.mktemp("product")
    with Product(folder, prompt_cache=ear.folder, **post.settings) as running:
        yield running


@pytest.fixture(scope="module")
def chromiums(product: Product, ear: Ear, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromiums]:
    with Chromiums(product, ear, tmp_path_factory.mktemp("tones"), {}) as browsers:
        yield browsers


@pytest.fixture
def browsers(chromiums: Chromiums, office: Office) -> Iterator[Chromiums]:
    with chromiums.of_a_test(office.voices) as people:
        yield people


@pytest.fixture
def organiser(browsers: Chromiums, product: Product) -> Organiser:
    """Somebody who has signed in with a browser of their own."""
    return Organiser(browsers.visitor("organiser", product.demo)).sign_in()
