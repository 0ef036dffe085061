"""All pages of the site as one router, files included. The page of an event's own address comes last of all,
because its path fits anything; the application adds it after this one.
"""

from __future__ import annotations

from fastapi import APIRouter

from web.site import access, account, assets, contacts, events, home, join, room, signin, thanks, tickets
from web.site.billing import routes as billing
from web.site.planning import routes as planning
from web.site.skins import routes as skins
from web.site.staff import routes as staff_routes
from web.site.statistics import routes as statistics

router = APIRouter(include_in_schema=False)
for module in (
    assets, home, signin, account, planning, skins, events, access, tickets, contacts, statistics, billing,
    join, room,
):  # fmt: skip
    router.include_router(module.router)
router.include_router(staff_routes.router)

last_router = APIRouter(include_in_schema=False)
for module in (join, thanks):
    last_router.include_router(module.last_router)
"""To be added after every other route of the application."""
