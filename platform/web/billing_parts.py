"""What the billing routes need from the rest of the house, and their errors in HTTP's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from billing import profile
from billing.calls import CallSource
from billing.deck_shelf import DeckShelf
from billing.errors import NoSuchCallError
from billing.estimate import BadEstimateError
from billing.invoices.seller import SellerDetails
from billing.ledger_errors import NoSuchTransactionError
from billing.payments.cashier import Cashier
from billing.payments.errors import (
    BadAmountError,
    BadHookError,
    BadKeyError,
    BadSignatureError,
    GatewayAwayError,
    GatewayRefusedError,
    KeyReusedError,
    NotPossibleError,
    UnknownPaymentError,
)
from billing.payments.hooks import HookDesk
from billing.tickets.desk import TicketDesk
from bridge.cdr.errors import BadSearchError
from web.errors import ApiError, bad_fields, not_found

RETRY_AFTER_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingParts:
    """Parts of billing that routes use."""

    cashier: Cashier
    hooks: HookDesk
    decks: DeckShelf
    calls: CallSource
    seller: SellerDetails
    currency: str = profile.DEFAULT_CURRENCY
    tickets: TicketDesk | None = None


def get_parts(request: Request) -> BillingParts:
    """The parts, where billing is set up. Raises ApiError 404."""
    parts: BillingParts | None = getattr(request.app.state.services, "billing", None)
    if parts is None:
        raise not_found("page: billing is not set up here")
    return parts


Parts = Annotated[BillingParts, Depends(get_parts)]


@contextmanager
def told() -> Iterator[None]:
    """Errors of billing leave as answers."""
    try:
        yield
    except (UnknownPaymentError, NoSuchTransactionError, NoSuchCallError) as exc:
        raise ApiError(404, str(exc)) from exc
    except BadAmountError as exc:
        raise bad_fields(("amount", str(exc))) from exc
    except BadKeyError as exc:
        raise bad_fields(("Idempotency-Key", str(exc))) from exc
    except (BadSearchError, BadEstimateError) as exc:
        raise bad_fields((exc.field, str(exc))) from exc
    except KeyReusedError as exc:
        raise ApiError(409, str(exc), errors=[("key-reused", str(exc))]) from exc
    except NotPossibleError as exc:
        raise ApiError(409, str(exc), errors=[("not-possible", str(exc))]) from exc
    except GatewayRefusedError as exc:
        raise ApiError(502, "the payment provider refused", errors=[(exc.slug, str(exc))]) from exc
    except GatewayAwayError as exc:
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        message = "the payment provider does not answer; try again with the same key"
        raise ApiError(503, message, headers=headers) from exc
    except (BadSignatureError, BadHookError) as exc:
        raise ApiError(400, str(exc)) from exc
