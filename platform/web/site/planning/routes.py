"""The pages of this folder as one router."""

from __future__ import annotations

from fastapi import APIRouter

from web.site.planning import calendars, invitations, unsubscribe, web_hooks

router = APIRouter(include_in_schema=False)
for module in (invitations, calendars, unsubscribe, web_hooks):
    router.include_router(module.router)
