"""All pages of the site as one router, files included. The page of an event's own address comes last of all,
because its path fits anything; the application adds it after this one.
"""

from __future__ import annotations

from fastapi import APIRouter

from web.site import account, assets, events, home, join, room, signin
from web.site.billing import routes as billing
from web.site.staff import routes as staff_routes

router = APIRouter(include_in_schema=False)
for module in (assets, home, signin, account, events, billing, join, room):
    router.include_router(module.router)
router.include_router(staff_routes.router)

last_router = join.last_router
"""To be added after every other route of the application."""
