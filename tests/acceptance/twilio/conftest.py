"""A product that rents numbers at Twilio, and people who call it both ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.phones.ear import Ear
from tests.phones.twilio_caller import MixedOffice
from tests.phones.twilio_cloud import TwilioCloud
from tests.support.product import Product


@pytest.fixture(scope="module")
def cloud() -> Iterator[TwilioCloud]:
    with TwilioCloud() as running:
        yield running


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, ear: Ear, cloud: TwilioCloud) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("product"), prompt_cache=ear.folder, **cloud.settings()) as running:
        yield running


@pytest.fixture
def office(product: Product, ear: Ear, cloud: TwilioCloud) -> Iterator[MixedOffice]:
    with MixedOffice(product, ear, cloud) as people:
        yield people
