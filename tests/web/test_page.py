"""The page docs/http-api.md names every route that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from tests.web.conftest import House

PAGE = Path(__file__).parents[2] / "docs" / "http-api.md"


def test_every_route_is_on_the_page(house: House) -> None:
    paths = house.anonymous.get("/openapi.json").json()["paths"]
    there_are = {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}
    on_the_page = set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`]*)`", PAGE.read_text()))
    assert on_the_page == there_are
