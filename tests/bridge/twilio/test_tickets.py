"""A token opens one stream, soon."""

from __future__ import annotations

import pytest

from bridge.twilio.errors import TicketError
from bridge.twilio.tickets import Tickets


def test_a_token_opens_one_stream_of_its_call() -> None:
    tickets = Tickets(valid_s=20)
    one, other = tickets.give("CA1", now_s=0), tickets.give("CA2", now_s=0)
    assert len({one, other}) == 2
    assert tickets.use(other, now_s=1) == "CA2"
    assert tickets.use(one, now_s=20) == "CA1"
    with pytest.raises(TicketError, match="used"):
        tickets.use(one, now_s=20)


@pytest.mark.parametrize("token", ["", "x", "\ud800", "é" * 1000])
def test_nobody_guesses(token: str) -> None:
    tickets = Tickets()
    tickets.give("CA1", now_s=0)
    with pytest.raises(TicketError, match="unknown"):
        tickets.use(token, now_s=0)


def test_late_is_too_late() -> None:
    tickets = Tickets(valid_s=20)
    token = tickets.give("CA1", now_s=0)
    with pytest.raises(TicketError, match="expired"):
        tickets.use(token, now_s=20.1)


def test_memory_is_bounded() -> None:
    tickets = Tickets(limit=3)
    tokens = [tickets.give(f"CA{n}", now_s=0) for n in range(5)]
    with pytest.raises(TicketError, match="unknown"):
        tickets.use(tokens[0], now_s=0)
    assert tickets.use(tokens[4], now_s=0) == "CA4"
