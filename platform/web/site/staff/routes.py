"""All pages of billing staff as one router."""

from __future__ import annotations

from fastapi import APIRouter

from web.site.staff import books, call, calls, charts, queues, rates, reratings, sessions

router = APIRouter(include_in_schema=False)
for module in (calls, call, sessions, queues, reratings, rates, books, charts):
    router.include_router(module.router)
