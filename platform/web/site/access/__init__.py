"""Pages about who may enter an event: its tokens, its registration form, who registered, and registering."""

from __future__ import annotations

from fastapi import APIRouter

from web.site.access import form_editor, register, registered, token_list

router = APIRouter(include_in_schema=False)
for _module in (token_list, form_editor, registered, register):
    router.include_router(_module.router)
