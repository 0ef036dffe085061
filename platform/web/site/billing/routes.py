"""All pages about money as one router."""

from __future__ import annotations

from fastapi import APIRouter

from web.site.billing import (
    cards,
    details,
    estimating,
    explained,
    invoices,
    overview,
    payer,
    top_ups,
    transactions,
)

router = APIRouter(include_in_schema=False)
for module in (
    overview,
    top_ups,
    transactions,
    details,
    explained,
    estimating,
    payer,
    cards,
    invoices,
):
    router.include_router(module.router)
