"""Products to break: fast to start, because all share one cache of synthesised prompts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.scene import Scene, record_prompts
from tests.support.product import Product

StartProduct = Callable[..., Product]


@pytest.fixture(scope="session")
def prompt_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the products of all test processes."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if base.name.startswith("popen-") else base) / "prompt-cache"


@pytest.fixture
def make_product(tmp_path: Path, prompt_cache: Path) -> Iterator[StartProduct]:
    """Start products with settings of their own: `make_product(max_calls="3")`."""
    with contextlib.ExitStack() as stack:
        made = 0

        def make(**settings: str) -> Product:
            nonlocal made
            made += 1
            folder = tmp_path / f"product{made}"
            folder.mkdir()
            record_prompts(folder / "data")
            return stack.enter_context(Product(folder, prompt_cache=prompt_cache, **settings))

        yield make


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, prompt_cache: Path) -> Iterator[Product]:
    """One product with default settings for all tests of a module that leave it as they found it."""
    folder = tmp_path_factory.mktemp("product")
    record_prompts(folder / "data")
    with Product(folder, prompt_cache=prompt_cache) as running:
        yield running


@pytest.fixture
def scene(product: Product) -> Iterator[Scene]:
    """Telephones around the module's product."""
    with Scene(product) as ready:
        yield ready
