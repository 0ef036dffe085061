"""Pages about tickets: buying one, and what organisers see of those they sold."""

from __future__ import annotations

from fastapi import APIRouter

from web.site.tickets import buy, sold, state

router = APIRouter(include_in_schema=False)
for _module in (sold, buy, state):
    router.include_router(_module.router)
