"""Twilio's door: an ASGI application to be mounted at /twilio.

    POST /voice    a call has come in                  TwiML
    POST /again    its stream ended, the call did not   TwiML
    POST /status   a call is over                      204
    wss  /media    the sound of one call

Everything is signed or refused with 403, counted and logged: these are the only routes of the bridge that
anybody on the internet may send to without a key of ours.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send

from bridge.twilio.answers import AGAIN_PATH, MEDIA_PATH, STATUS_PATH, VOICE_PATH
from bridge.twilio.errors import BadMessageError
from bridge.twilio.fields import Fields
from bridge.twilio.lines import TwilioLines
from bridge.twilio.signature import HEADER, Signatures

_log = structlog.get_logger(__name__)

MOUNT = "/twilio"
BODY_BYTES_MAX = 64 * 1024
SOCKETS_BEYOND_CALLS = 64
"""Media sockets there may be besides those that carry calls."""


class TwilioDoor:
    """The routes over one `TwilioLines`."""

    def __init__(self, lines: TwilioLines, signatures: Signatures, *, max_calls: int) -> None:
        self._lines, self._signatures = lines, signatures
        self._sockets, self._sockets_max = 0, max_calls + SOCKETS_BEYOND_CALLS
        self.router = Router(
            [
                Route("/voice", self._voice, methods=["POST"]),
                Route("/again", self._again, methods=["POST"]),
                Route("/status", self._status, methods=["POST"]),
                WebSocketRoute("/media", _Socket(self._media)),
            ],
            redirect_slashes=False,
        )

    async def _voice(self, request: Request) -> Response:
        return await self._hook(request, VOICE_PATH, self._lines.arrive)

    async def _again(self, request: Request) -> Response:
        return await self._hook(request, AGAIN_PATH, self._lines.come_again)

    async def _status(self, request: Request) -> Response:
        return await self._hook(request, STATUS_PATH, self._lines.status)

    async def _hook(self, request: Request, path: str, act: Callable[[Fields], str | None]) -> Response:
        stats = self._lines.stats
        try:
            fields = Fields.parse(await _body(request))
        except (ValueError, ClientDisconnect):
            return PlainTextResponse("the form cannot be read", status_code=400)
        query = request.scope["query_string"].decode("latin-1")
        if not self._signatures.good_hook(path, query, fields, request.headers.get(HEADER, "")):
            stats.hooks_refused += 1
            _log.warning(
                "twilio_signature_refused", path=path, signed=HEADER in request.headers, client=_host(request)
            )
            return PlainTextResponse("not signed by Twilio for this address", status_code=403)
        stats.hooks += 1
        try:
            answer = act(fields)
        except BadMessageError as exc:
            _log.warning("twilio_hook_unreadable", path=path, why=str(exc))
            return PlainTextResponse(f"this is not about a call of ours: {exc}", status_code=400)
        if answer is None:
            return Response(status_code=204)
        return Response(answer, media_type="application/xml")

    async def _media(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        headers = dict(scope["headers"])
        signature = headers.get(HEADER.encode(), b"").decode("latin-1")
        if self._sockets >= self._sockets_max or not self._signatures.good_socket(MEDIA_PATH, signature):
            self._lines.stats.sockets_refused += 1
            _log.warning("twilio_socket_refused", why="too many" if signature else "not signed")
            await send({"type": "websocket.close", "code": 1008})  # before accept: a 403
            return
        await send({"type": "websocket.accept"})
        self._sockets += 1
        try:
            await self._lines.serve(AsgiSocket(receive, send))
        finally:
            self._sockets -= 1


class _Socket:
    """An ASGI application of its own class, so that Starlette does not take it for an endpoint function."""

    def __init__(self, app: Callable[[Scope, Receive, Send], object]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)  # type: ignore[misc]


class AsgiSocket:
    """A media socket over ASGI, as `stream` wants it."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._open = True

    async def receive(self) -> str | bytes | None:
        if not self._open:
            return None
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self._open = False
            return None
        text: str | None = message.get("text")
        found: bytes = message.get("bytes") or b""
        return found if text is None else text

    async def send(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        if self._open:
            self._open = False
            await self._send({"type": "websocket.close", "code": code})


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise ValueError("too long")
    return bytes(body)


def _host(request: Request) -> str:
    return request.client.host if request.client else ""
