"""Pages about people: the address book, its groups, and files that come in and go out."""

from __future__ import annotations

from fastapi import APIRouter

from web.site.contacts import book, files

router = APIRouter(include_in_schema=False)
for _module in (files, book):
    router.include_router(_module.router)
