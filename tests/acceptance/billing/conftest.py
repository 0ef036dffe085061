"""A product with a toll-free number and prices, telephones, and somebody who pays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import prompt_cache
from tests.faults.scene import Scene, record_prompts
from tests.support.product import Product
from tests.support.till import SELLER, Till, numbers_file

__all__ = ["prompt_cache"]

Shop = tuple[Product, Scene, Till]


@pytest.fixture
def shop(tmp_path: Path, prompt_cache: Path) -> Iterator[Callable[..., Shop]]:
    """Open it: `shop(per_minute="4", exposure=5000)`."""
    with contextlib.ExitStack() as stack:

        def open_(*, per_minute: str = "4", exposure: int = 5_000, **settings: str) -> Shop:
            record_prompts(tmp_path / "data")
            product = stack.enter_context(
                Product(
                    tmp_path,
                    prompt_cache=prompt_cache,
                    numbers_file=str(numbers_file(tmp_path)),
                    sample_rates="false",
                    room_idle_s="0.5",
                    **SELLER,
                    **settings,
                )
            )
            till = Till(product)
            stack.callback(till.close)
            till.price(per_minute=per_minute)
            till.customer(exposure=exposure)
            answer = product.send(
                "PUT", f"/v1/conferences/{product.room}", {"settings": {"toll_free_enabled": True}}
            )
            assert answer.status_code == 200, answer.text
            return product, stack.enter_context(Scene(product)), till

        yield open_


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory, prompt_cache: Path) -> Iterator[Till]:
    """One product for tests that only pay in; each leaves what it paid."""
    folder = tmp_path_factory.mktemp("till")
    record_prompts(folder / "data")
    with Product(folder, prompt_cache=prompt_cache, **SELLER) as product:
        made = Till(product)
        yield made
        made.close()
