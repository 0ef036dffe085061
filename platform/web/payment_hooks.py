"""Route: messages of payment providers.

The body is read whole and as it came, because the signature is over its bytes. A wrong signature is 400 and
leaves nothing but a counter; a message that was seen before is 200, so that the provider stops sending it.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from billing.payments.hooks import BODY_MAX
from web.access import AllServices
from web.billing_parts import Parts, told
from web.errors import ApiError

router = APIRouter(prefix="/hooks/payments", include_in_schema=False)


@router.post("/{psp}")
async def receive(psp: str, request: Request, parts: Parts, services: AllServices) -> dict[str, list[str]]:
    """What became of each event in the message."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_MAX:
            raise ApiError(413, "the message is too large")
    with told():
        outcomes = await run_in_threadpool(
            parts.hooks.receive, psp, request.headers, bytes(body), now=services.now()
        )
    return {"events": outcomes}
