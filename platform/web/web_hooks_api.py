"""Routes: web hooks, the addresses of other programs that are told what happens. See docs/web-hooks.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from events import web_hooks
from events.web_hook_models import WebHook, WebHookDelivery
from events.web_hooks import HOOKS_MAX, OFFERED
from web.access import PAGE_MAX, AllServices, Caller, Reader, Writer, id_text, parse_id
from web.bodies import Fields
from web.errors import bad_fields
from web.openapi import body_of, errors_of
from web.views import iso

router = APIRouter(prefix="/v1/web_hooks", tags=["web hooks"])
_EXAMPLE = {"url": "https://hooks.example.com/tollbridge", "kinds": ["event.started"]}
_KINDS = ", ".join(f"`{kind}`" for kind in OFFERED)
Page = Annotated[
    int, Query(ge=1, le=PAGE_MAX, description=f"Page from 1, {web_hooks.PAGE_SIZE} entries each.")
]


OfferedKind = Annotated[str, Field(json_schema_extra={"enum": [kind.value for kind in OFFERED]})]


class HookBody(BaseModel):
    """Where to, and what. As a form: `kinds[]=event.started&kinds[]=event.ended`."""

    url: str | None = Field(None, description="Required for a new one.", max_length=1000)
    kinds: list[OfferedKind] | None = Field(
        None, min_length=1, description="What is told; required for a new one."
    )


class HookItem(BaseModel):
    """An address that is told what happens."""

    id: int
    url: str
    kinds: list[str] = Field(description=f"What is told: {_KINDS}.")
    created_at: str = Field(description="ISO 8601, UTC.")


class HookWithSecret(HookItem):
    secret: str = Field(description="The key of `Tollbridge-Signature`.")


class HookAnswer(BaseModel):
    web_hook: HookWithSecret


class HookList(BaseModel):
    web_hooks: list[HookItem]


class HookDeleted(BaseModel):
    web_hook: str = Field(description="`OK`.")


class DeliveryItem(BaseModel):
    """One message to one address. Kept for 30 days."""

    id: int = Field(description="The header `Tollbridge-Delivery`.")
    type: str = Field(description="The `type` of the message.")
    key: str = Field(description="The `id` of the message: what happened.")
    state: str = Field(description="`queued`, `sending`, `delivered`, `failed` or `dropped`.")
    tries: int = Field(description="How often it was tried since it was queued.")
    status: int | None = Field(description="HTTP status of the last try; null: nobody answered.")
    error: str | None = Field(description="What was wrong with the last try.")
    created_at: str = Field(description="ISO 8601, UTC.")
    tried_at: str | None = Field(description="The last try.")
    next_try_at: str | None = Field(description="Null when it is over.")
    body: str = Field(description="The message itself, JSON as text.")


class DeliveryList(BaseModel):
    total: int = Field(description="Messages in the log.")
    deliveries: list[DeliveryItem]


class DeliveryAnswer(BaseModel):
    status: str = Field(description="`OK`: it is on its way.")


HookText = Annotated[str, id_text("hook", "The web hook's `id`.", digits_max=9)]


def get_hook_read(caller: Caller, session: Reader, hook: HookText) -> WebHook:
    return web_hooks.hook_of(session, account_id=caller.id, hook_id=_id(hook))


def get_hook_written(caller: Caller, session: Writer, hook: HookText) -> WebHook:
    return web_hooks.hook_of(session, account_id=caller.id, hook_id=_id(hook))


HookRead = Annotated[WebHook, Depends(get_hook_read)]
HookWritten = Annotated[WebHook, Depends(get_hook_written)]


@router.get("", summary="Web hooks", responses=errors_of(401, 503))
def list_hooks(caller: Caller, session: Reader) -> HookList:
    """All addresses of the account, oldest first."""
    return HookList(web_hooks=[_item(one) for one in web_hooks.hooks_of(session, account_id=caller.id)])


@router.post(
    "",
    status_code=201,
    summary="New web hook",
    description=f"Tell an address what happens. An account has {HOOKS_MAX} at most.",
    responses=errors_of(400, 401, 413, 415, 422, 503),
    openapi_extra=body_of(HookBody, example=_EXAMPLE),
)
def add(caller: Caller, fields: Fields, session: Writer, services: AllServices) -> HookAnswer:
    hook = web_hooks.add_hook(
        session,
        account_id=caller.id,
        url=_url(fields) or "",
        kinds=_kinds(fields) or [],
        now=services.now(),
        allow_private=services.web_hooks_allow_private,
    )
    return _answer(hook)


@router.get("/{hook}", summary="One web hook", responses=errors_of(401, 404, 503))
def read(hook: HookRead) -> HookAnswer:
    """One address, with its secret."""
    return _answer(hook)


@router.put(
    "/{hook}",
    summary="Change a web hook",
    responses=errors_of(400, 401, 404, 413, 415, 422, 503),
    openapi_extra=body_of(HookBody, example=_EXAMPLE),
)
def update(
    _caller: Caller, fields: Fields, hook: HookWritten, session: Writer, services: AllServices
) -> HookAnswer:
    """Change the fields that are sent. The secret stays; what waits goes to the new address."""
    web_hooks.change_hook(
        session, hook, url=_url(fields), kinds=_kinds(fields), allow_private=services.web_hooks_allow_private
    )
    return _answer(hook)


@router.delete("/{hook}", summary="Delete a web hook", responses=errors_of(401, 404, 503))
def delete(hook: HookWritten, session: Writer, services: AllServices) -> HookDeleted:
    """Nothing more goes to the address, neither what waits."""
    web_hooks.delete_hook(session, hook, now=services.now())
    return HookDeleted(web_hook="OK")


@router.post("/{hook}/secret", summary="New secret", responses=errors_of(401, 404, 503))
def rotate(hook: HookWritten, session: Writer) -> HookAnswer:
    """A new secret, which signs everything from now on, also what waits."""
    web_hooks.rotate_secret(session, hook)
    return _answer(hook)


@router.post("/{hook}/test", status_code=202, summary="Send a test", responses=errors_of(401, 404, 503))
def test(hook: HookWritten, session: Writer, services: AllServices) -> DeliveryAnswer:
    """Send a message of the type `test`, to see whether the address works."""
    web_hooks.publish_test(session, hook, now=services.now())
    return DeliveryAnswer(status="OK")


@router.get("/{hook}/deliveries", summary="Deliveries", responses=errors_of(401, 404, 422, 503))
def list_deliveries(hook: HookRead, session: Reader, page: Page = 1) -> DeliveryList:
    """What went to the address or is on its way, newest first."""
    rows, total = web_hooks.deliveries(session, hook, page=page)
    return DeliveryList(total=total, deliveries=[_delivery(row) for row in rows])


@router.post(
    "/{hook}/deliveries/{delivery}/redeliver",
    status_code=202,
    summary="Send again",
    responses=errors_of(401, 404, 503),
)
def redeliver(
    hook: HookWritten,
    session: Writer,
    services: AllServices,
    delivery: Annotated[str, id_text("delivery", "The delivery's `id`.", digits_max=18)],
) -> DeliveryAnswer:
    """Send one message of the log again, at once; the address sees the same `Tollbridge-Delivery`."""
    number = parse_id(delivery, digits_max=18, what="delivery")
    web_hooks.redeliver(session, hook, delivery_id=number, now=services.now())
    return DeliveryAnswer(status="OK")


def _id(text: str) -> int:
    return parse_id(text, digits_max=9, what="web hook")


def _url(fields: Mapping[str, Any]) -> str | None:
    given = fields.get("url")
    if given is not None and not isinstance(given, str):
        raise bad_fields(("url", "must be text"))
    return given


def _kinds(fields: Mapping[str, Any]) -> list[str] | None:
    given = fields.get("kinds")
    if given is None:
        return None
    if isinstance(given, str):
        return [word.strip() for word in given.split(",") if word.strip()]
    values = list(given.values()) if isinstance(given, Mapping) else given
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise bad_fields(("kinds", "must be a list of words"))
    return values


def _item(hook: WebHook) -> HookItem:
    created = iso(hook.created_at, zone="UTC")
    return HookItem(id=hook.id, url=hook.url, kinds=hook.kinds, created_at=created)


def _answer(hook: WebHook) -> HookAnswer:
    return HookAnswer(web_hook=HookWithSecret(**_item(hook).model_dump(), secret=hook.secret))


def _delivery(row: WebHookDelivery) -> DeliveryItem:
    return DeliveryItem(
        id=row.id,
        type=row.kind,
        key=row.key,
        state=row.state,
        tries=row.tries,
        status=row.status,
        error=row.error,
        created_at=iso(row.created_at, zone="UTC"),
        tried_at=None if row.tried_at is None else iso(row.tried_at, zone="UTC"),
        next_try_at=None if row.next_try_at is None else iso(row.next_try_at, zone="UTC"),
        body=row.body,
    )
