"""All pages of billing staff as one router."""

from __future__ import annotations

from fastapi import APIRouter

from web.site.staff import calls

router = APIRouter(include_in_schema=False)
for module in (calls,):
    router.include_router(module.router)
