"""`GET /rooms/{url_name}/socket`: the live socket of a room page (RFC 6455), see docs/live-socket.md.

In the order of cost, before the connection is accepted: how many sockets the address has, the page that it
comes from (`Origin`), the signature of the ticket in the cookie, and only then the database. What fails is
answered with HTTP 403; a ticket that has grown too old, or an event that is over, with an accepted socket
that is closed with a code, because scripts cannot see the status of a refused one.

Two tasks serve a connection: one reads messages and obeys them, one sends what the outbox has. Whichever
ends first ends the connection. What takes its time (an SDP offer, the database) is done beside the reading,
so that a mute is never late because of it. A page that reads nothing for `SEND_TIMEOUT_S` is cut off; that
it is still there is found out by the server's own pings.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from database.errors import is_outage
from events import repository
from events.fields import DEFAULT_SETTINGS, Status
from rooms.errors import NoSuchRoom, Refused
from rooms.gate import Visitor
from web import seat_tokens
from web.join_routes import good_ticket
from web.origins import is_cross_site
from web.room_page import REASONS, PageError, RoomPage
from web.room_state import DoorFacts
from web.seat_tokens import BadTicketError, OldTicketError, Ticket
from web.services import Services
from web.site.i18n import language_of
from web.socket_commands import BadMessageError, Message, read_message
from web.socket_hub import SocketHub, frame

router = APIRouter()

MESSAGE_CHARS_MAX = 64 * 1024
HELLO_TIMEOUT_S = 15.0
"""How long a page may be connected without saying hello."""
SEND_TIMEOUT_S = 20.0
MESSAGES_PER_S, MESSAGES_BURST = 20.0, 60.0
EXCESS_MAX = 200
"""Messages beyond the rate, or unreadable ones, after which the connection is cut."""
SLOW = frozenset({"offer", "phone", "toll_free", "gateway", "sound_off"})
SLOW_MAX = 4

TICKET_OLD = 4403
EVENT_OVER = 4410
NOT_TEXT = 1003
TOO_BIG = 1009
FLOOD = 4429
TOO_SLOW = 4408
AWAY = 1013

_log = structlog.get_logger(__name__)


def hub_of(services: Services, state: Any) -> SocketHub:
    """The one hub of this application."""
    if not hasattr(state, "socket_hub"):
        state.socket_hub = SocketHub(
            live=services.live,
            feed=services.feed,
            registry=services.registry,
            per_address=services.sockets_per_address,
        )
    hub: SocketHub = state.socket_hub
    return hub


@router.websocket("/rooms/{url_name}/socket")
async def socket(websocket: WebSocket, url_name: str) -> None:
    services: Services = websocket.app.state.services
    hub = hub_of(services, websocket.app.state)
    ip = "" if websocket.client is None else websocket.client.host
    if not hub.admit(ip):
        await websocket.close()
        return
    try:
        await _serve(websocket, url_name, services, hub, ip)
    finally:
        hub.release(ip)


async def _serve(websocket: WebSocket, url_name: str, services: Services, hub: SocketHub, ip: str) -> None:
    if is_cross_site(websocket.headers, public_url=services.public_url):
        await _turn_away(websocket, hub, "cross-site")
        return
    tickets, old = _tickets(websocket, services)
    if not tickets and not old:
        await _turn_away(websocket, hub, "bad-ticket")
        return
    try:
        found = await run_in_threadpool(_look_up, services, url_name, tickets, ip, websocket)
    except Exception as exc:
        if not is_outage(exc):
            raise
        await _turn_away(websocket, hub, "unavailable", code=AWAY)
        return
    match found:
        case None:
            await _turn_away(websocket, hub, "bad-ticket")
            return
        case int():
            slug, code = ("old-ticket", TICKET_OLD) if found in old else ("bad-ticket", None)
            await _turn_away(websocket, hub, slug, code=code)
            return
        case Found(over=True):
            await _turn_away(websocket, hub, "event-over", code=EVENT_OVER)
            return
    await websocket.accept()
    await Connection(websocket, services, hub, found).run()


async def _turn_away(websocket: WebSocket, hub: SocketHub, slug: str, *, code: int | None = None) -> None:
    hub.refused.labels(slug).inc()
    if code is None:
        await websocket.close()  # before it is accepted: HTTP 403
        return
    await websocket.accept()
    await websocket.close(code, slug)


def _tickets(websocket: WebSocket, services: Services) -> tuple[dict[int, Ticket], set[int]]:
    """Good tickets among the cookies, by event; and the events of those that were good once."""
    good, old = {}, set()
    unix_s = services.now().timestamp()
    for name, text in websocket.cookies.items():
        event_id = name.removeprefix(seat_tokens.COOKIE_PREFIX)
        if event_id == name or not event_id.isascii() or not event_id.isdigit():
            continue
        try:
            ticket = seat_tokens.read(text, secret=services.secret, unix_s=unix_s)
        except OldTicketError:
            old.add(int(event_id[:18]))
        except BadTicketError:
            continue
        else:
            good[ticket.event_id] = ticket
    return good, old


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Who wants to enter what."""

    visitor: Visitor
    facts: DoorFacts
    over: bool


def _look_up(
    services: Services, url_name: str, tickets: dict[int, Ticket], ip: str, websocket: WebSocket
) -> Found | int | None:
    """The visitor; the event's number when there is no good ticket for it; None when there is no event."""
    with services.readers() as session:
        event = repository.get_by_url_name(session, url_name.lower()[:80])
        if event is None:
            return None
        ticket = good_ticket(session, event, tickets.get(event.id))
        if ticket is None:
            return event.id
        settings = {**DEFAULT_SETTINGS, **event.settings}
        facts = DoorFacts(
            url_name=event.url_name,
            room_pin=event.room_pin,
            access_type=event.access_type,
            pins={pin.role: pin.pin for pin in event.pins},
            gateway=bool(settings["phonegateway_enabled"]),
            toll_free=bool(settings["toll_free_enabled"]),
        )
        visitor = Visitor(
            seat_id=ticket.seat_id,
            event_id=event.id,
            room_id=str(event.id),
            account_id=event.account_id,
            event_name=event.name,
            role=ticket.role,
            name=ticket.name,
            email=ticket.email,
            ip=ip,
            user_agent=websocket.headers.get("user-agent", "")[:500],
            permanent_room=event.permanent_room,
            capacity=event.capacity,
            room_type=event.room_type,
            timezone=websocket.query_params.get("tz", "")[:64] or None,
            accept_language=websocket.headers.get("accept-language", "")[:400],
            language=language_of(websocket),
        )
        return Found(visitor=visitor, facts=facts, over=event.status != Status.ACTIVE)


class Connection:
    """One accepted socket and its two tasks."""

    def __init__(self, websocket: WebSocket, services: Services, hub: SocketHub, found: Found) -> None:
        self._websocket, self._services, self._hub = websocket, services, hub
        self._close: tuple[int, str] | None = None
        self._page = RoomPage(
            services=services,
            hub=hub,
            visitor=found.visitor,
            facts=found.facts,
            accept_language=websocket.headers.get("accept-language"),
            close=self._close_soon,
        )
        self._last_n = 0
        self._tokens, self._tokens_s = MESSAGES_BURST, services.clock()
        self._excess = 0
        self._slow: set[asyncio.Task[None]] = set()
        self._greeted = False
        self._timers: list[asyncio.TimerHandle] = []

    async def run(self) -> None:
        """Serve until either side has enough."""
        loop = asyncio.get_running_loop()
        hello = loop.call_later(HELLO_TIMEOUT_S, self._too_late_for_hello)
        tasks = {loop.create_task(self._read()), loop.create_task(self._send())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hello.cancel()
            self._page.gone()
            tasks |= self._slow
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for task in tasks:
            failure = None if task.cancelled() else task.exception()
            if failure is not None:
                _log.error("socket_failed", room_id=self._page.room_id, exc_info=failure)
        code, reason = self._close or (1000, "")
        if self._websocket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, OSError, TimeoutError, WebSocketDisconnect):  # gone
                await asyncio.wait_for(self._websocket.close(code, reason), 2.0)

    def _close_soon(self, code: int, reason: str) -> None:
        """Close when everything that waits was sent; the first reason counts."""
        if self._close is None:
            self._close = (code, reason)
        self._page.outbox.finish()

    def _too_late_for_hello(self) -> None:
        if not self._greeted:
            self._close_soon(TOO_SLOW, "no hello")

    # Sending.

    async def _send(self) -> None:
        while (text := await self._page.outbox.take()) is not None:
            try:
                await asyncio.wait_for(self._websocket.send_text(text), SEND_TIMEOUT_S)
            except (TimeoutError, RuntimeError, OSError, WebSocketDisconnect):
                self._close = self._close or (TOO_SLOW, "too slow")
                return

    def _answer(self, value: dict[str, Any]) -> None:
        if not self._page.outbox.answer(frame(value)):
            self._close_soon(TOO_SLOW, "too slow")

    def _refuse(self, n: int | None, slug: str, message: str, *, do: str = "") -> None:
        self._hub.refused.labels(slug).inc()
        _log.warning(
            "socket_message_refused",
            slug=slug,
            do=do[:40],
            room_id=self._page.room_id,
            seat=self._page.seat_id,
        )
        self._answer({"re": n, "error": {"slug": slug, "message": message}})

    # Reading.

    async def _read(self) -> None:
        while self._close is None:
            received = await self._websocket.receive()
            if received["type"] == "websocket.disconnect":
                return
            text = received.get("text")
            if text is None:
                self._close_soon(NOT_TEXT, "text only")
            elif len(text) > MESSAGE_CHARS_MAX:
                self._close_soon(TOO_BIG, "too big")
            elif not self._within_rate():
                self._complain(None, "too-fast")
            else:
                await self._take(text)
        await self._page.outbox.drained()

    def _within_rate(self) -> bool:
        now_s = self._services.clock()
        self._tokens = min(MESSAGES_BURST, self._tokens + (now_s - self._tokens_s) * MESSAGES_PER_S)
        self._tokens_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _complain(self, n: int | None, slug: str, message: str | None = None) -> None:
        """Refuse what no page of ours sends; too much of it cuts the connection."""
        self._excess += 1
        if self._excess > EXCESS_MAX:
            self._close_soon(FLOOD, "too many")
        else:
            self._refuse(n, slug, message or REASONS[slug])

    async def _take(self, text: str) -> None:
        try:
            message = read_message(text)
        except BadMessageError as exc:
            self._complain(None, "bad-message", f"{REASONS['bad-message'][:-1]}: {exc}.")
            return
        if message.n <= self._last_n:
            self._complain(message.n, "out-of-order")
            return
        self._last_n = message.n
        if message.do not in SLOW:
            await self._obey(message)
        elif len(self._slow) >= SLOW_MAX:
            self._complain(message.n, "too-fast")
        else:
            task = asyncio.get_running_loop().create_task(self._obey(message))
            self._slow.add(task)
            task.add_done_callback(self._slow.discard)

    async def _obey(self, message: Message) -> None:
        n, do = message.n, message.do
        try:
            more = await self._page.obey(message)
        except BadMessageError as exc:
            self._complain(n, "bad-message", f"{REASONS['bad-message'][:-1]}: {exc}.")
        except (PageError, Refused) as refusal:
            self._refuse(n, refusal.slug, str(refusal), do=do)
        except NoSuchRoom:
            self._refuse(n, "room-empty", REASONS["room-empty"], do=do)
        except Exception:
            _log.exception("socket_message_failed", do=do[:40], room_id=self._page.room_id)
            self._refuse(n, "server-error", REASONS["server-error"], do=do)
        else:
            self._greeted = self._greeted or do == "hello"
            self._answer({"re": n, "ok": True, **more})
