"""What the pages of this folder share: the ticket desk, where billing is set up."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from billing.tickets.desk import TicketDesk
from web.billing_parts import Parts
from web.errors import not_found


def get_desk(parts: Parts) -> TicketDesk:
    """The desk. Raises ApiError 404."""
    if parts.tickets is None:
        raise not_found("page: no tickets are sold here")
    return parts.tickets


Desk = Annotated[TicketDesk, Depends(get_desk)]
