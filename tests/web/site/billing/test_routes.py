"""Every page about money: for strangers, for another account, for what is not there, and for its owner."""

from __future__ import annotations

import pytest

from tests.web.site.billing.conftest import Rooms

OWN = [
    "/billing",
    "/billing/top-up?key=form-0123456789012345678901234",
    "/billing/transactions",
    "/billing/transactions/export.csv",
    "/billing/transactions/{charge}",
    "/billing/transactions/{charge}/calls",
    "/billing/transactions/{charge}/calls.csv",
    "/billing/calls/{call}",
    "/billing/cards",
    "/billing/profile",
    "/billing/invoices",
    "/billing/invoices/{invoice}.pdf",
    "/billing/statement",
    "/billing/statement.csv",
    "/billing/estimate",
    "/billing/estimate/result",
    "/billing/estimate/part",
]
NAMED = [path for path in OWN if "{" in path]


def filled(path: str, rooms: Rooms) -> str:
    return path.format(charge=rooms.charge, call=rooms.call, invoice=rooms.invoice)


@pytest.mark.parametrize("path", OWN)
def test_pages_for_their_owner_and_for_strangers(path: str, rooms: Rooms) -> None:
    mine = filled(path, rooms)
    for language in ("en", "fr"):
        answer = rooms.ann.get(f"{mine}{'&' if '?' in mine else '?'}lang={language}")
        assert answer.status_code == 200, answer.text[:300]
    refused = rooms.stranger.get(mine)
    assert refused.status_code == 303
    assert refused.headers["location"].startswith("/sign-in?next=%2Fbilling")
