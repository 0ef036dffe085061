"""One connected room page: its messages become commands, changes of the room become frames.

The page says `hello` first; then it is let in through the gate, is the page of its seat, and gets the whole
state or the changes it missed. Between the moment in which the page stands in the hub's list and that in
which it is told what it missed there is no await, so that no change falls between the two or comes twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from starlette.concurrency import run_in_threadpool

from database.errors import is_outage
from events import service
from events.errors import EventsError
from events.personal_pins import grouped, personal_pin
from rooms.errors import NoSuchRoom, Refused
from rooms.gate import PersonalPin, Visitor
from rooms.modes import Role
from rooms.people import UNDO_KICK_S
from rooms.webrtc.errors import BadOffer, WebRtcError
from web.access import transaction
from web.nearest import nearest_first
from web.outbox import Outbox
from web.room_state import (
    DoorFacts,
    dial_in_json,
    limits_json,
    me_json,
    number_json,
    settings_json,
    sound_json,
)
from web.services import Services
from web.socket_commands import COMMANDS, BadMessageError, Message
from web.socket_hub import REMOVED, SocketHub, frame

_log = structlog.get_logger(__name__)

#: Refusals of the page's own, besides those of the room → one English sentence.
REASONS: dict[str, str] = {
    "bad-message": "This message cannot be understood.",
    "bad-offer": "This offer cannot be answered.",
    "gateway-off": "The event takes no telephone calls.",
    "hello-first": "Say hello first.",
    "out-of-order": "Numbers of messages must rise.",
    "room-empty": "The room is not open.",
    "server-error": "Something went wrong on our side.",
    "too-fast": "Too many messages; wait a moment.",
    "unknown-command": "There is no such command.",
    "unavailable": "This is not possible now, try again soon.",
}


class PageError(Exception):
    """The message cannot be obeyed; `slug` is one of `REASONS`."""

    def __init__(self, slug: str, message: str | None = None) -> None:
        super().__init__(message or REASONS[slug])
        self.slug = slug


class RoomPage:
    """See the module text; implements `web.socket_hub.RoomPage`."""

    def __init__(
        self,
        *,
        services: Services,
        hub: SocketHub,
        visitor: Visitor,
        facts: DoorFacts,
        accept_language: str | None,
        close: Callable[[int, str], None],
    ) -> None:
        self._services, self._hub, self._visitor, self._facts = services, hub, visitor, facts
        self._accept_language = accept_language
        self._close = close
        self._entered = False
        self._out = False
        self._out_timer: asyncio.TimerHandle | None = None
        self._over = False
        self._sound: dict[str, Any] | None = None
        self.outbox = Outbox(state=self._state_frames)

    @property
    def seat_id(self) -> str:
        return self._visitor.seat_id

    @property
    def room_id(self) -> str:
        return self._visitor.room_id

    @property
    def role(self) -> Role:
        return self._visitor.role

    # What the hub tells.

    def change(self, frame: str) -> None:
        before = self.outbox.overflows
        self.outbox.change(frame)
        if self.outbox.overflows > before:
            self._hub.overflows.inc()

    def sound(self) -> None:
        room = self._services.live.get(self.room_id)
        if room is None or self.seat_id not in room:
            return
        now = sound_json(room, self.seat_id)
        if now != self._sound:
            self._sound = now
            self.outbox.change(frame({"sound": now}))

    def removed(self) -> None:
        self._entered, self._out = False, True
        self.outbox.answer(frame({"removed": {"undo_s": UNDO_KICK_S}}))
        self._out_timer = asyncio.get_running_loop().call_later(UNDO_KICK_S + 1.0, self._too_late)

    def invited_back(self) -> None:
        self._hub.spawn(self._come_back())

    def finish(self, code: int, reason: str) -> None:
        self._entered, self._over = False, True
        self._forget_out_timer()
        self._close(code, reason)

    async def _come_back(self) -> None:
        try:
            await self._enter(None)
        except (Refused, NoSuchRoom):
            self.finish(REMOVED, "removed")

    def _too_late(self) -> None:
        """Nobody took the removal back in time."""
        self.finish(REMOVED, "removed")

    # What the page says.

    async def obey(self, message: Message) -> dict[str, Any]:
        """Carry out one message; what the answer says besides `ok`.

        Raises PageError, BadMessageError, Refused, NoSuchRoom.
        """
        own = _OWN.get(message.do)
        if own is None and message.do not in COMMANDS:
            raise PageError("unknown-command")
        if message.do in ("hello", "ping"):
            assert own is not None
            return await own(self, message)
        if self._out:
            raise Refused("removed")
        if not self._entered:
            raise PageError("hello-first")
        if own is not None:
            return await own(self, message)
        command = COMMANDS[message.do](message, self.seat_id)
        self._services.live.apply(self.room_id, command, now_s=self._services.clock())
        return {}

    def gone(self) -> None:
        """The socket is closed."""
        if self._hub.leave(self) and self._entered:
            self._services.gate.lost(self.seat_id)
        self._entered, self._over = False, True
        self._forget_out_timer()

    async def _enter(self, seq: int | None) -> None:
        # A socket that closes meanwhile must not leave somebody half in.
        await asyncio.shield(self._hub.spawn(self._enter_whole(seq)))

    async def _enter_whole(self, seq: int | None) -> None:
        await self._services.gate.enter(self._visitor)
        if self._over:
            if not self._hub.has(self.seat_id):
                self._services.gate.lost(self.seat_id)
            raise NoSuchRoom(self.room_id)
        self._hub.enter(self)
        self._services.gate.back(self.seat_id)
        self._entered, self._out = True, False
        self._forget_out_timer()
        self._catch_up(seq)

    def _catch_up(self, seq: int | None) -> None:
        """Tell what came after number `seq`, or the whole state."""
        missed = None if seq is None else self._services.feed.since(self.room_id, seq)
        if missed is None or len(missed) > _MISSED_MAX:
            self.outbox.restate()
            return
        self.outbox.forget_changes()  # they are among the missed
        for entry in missed:
            self.change(entry.frame(self.role))
        self._sound = None
        self.sound()

    def _forget_out_timer(self) -> None:
        if self._out_timer is not None:
            self._out_timer.cancel()
            self._out_timer = None

    async def _hello(self, message: Message) -> dict[str, Any]:
        seq = message.fields.get("seq")
        if seq is not None and (not isinstance(seq, int) or isinstance(seq, bool)):
            raise BadMessageError("seq must be a number or null")
        if self._entered:
            self._catch_up(seq)
        else:
            await self._enter(seq)
        return {"seat": self.seat_id}

    async def _state(self, _message: Message) -> dict[str, Any]:
        self.outbox.restate()
        return {}

    def _state_frames(self) -> list[str]:
        services, room = self._services, self._services.live.get(self.room_id)
        if not self._entered or room is None or self.seat_id not in room:
            return []
        self._sound = sound_json(room, self.seat_id)
        state = {
            **services.feed.state(self.room_id, self.role),
            "me": me_json(room, self._visitor),
            "settings": settings_json(services, self._visitor, self._facts),
            "dial_in": dial_in_json(
                services, self._visitor, self._facts, accept_language=self._accept_language
            ),
            "ice_servers": services.gate.ice_servers(),
            "limits": limits_json(room),
        }
        return [frame({"state": state}), frame({"sound": self._sound})]

    async def _offer(self, message: Message) -> dict[str, Any]:
        sdp = message.fields.get("sdp")
        if not isinstance(sdp, str):
            raise BadMessageError("sdp must be text")
        try:
            return {"sdp": await self._services.gate.offer(self.seat_id, sdp)}
        except BadOffer as exc:
            raise PageError("bad-offer") from exc
        except WebRtcError as exc:
            _log.warning("socket_offer_failed", room_id=self.room_id, error=type(exc).__name__)
            raise PageError("unavailable") from exc

    async def _sound_off(self, _message: Message) -> dict[str, Any]:
        await self._services.gate.stop_sound(self.seat_id)
        return {}

    async def _leave(self, _message: Message) -> dict[str, Any]:
        self._hub.leave(self)
        self._entered = False
        await self._services.gate.leave(self.seat_id)
        self.finish(1000, "left")
        return {}

    async def _ping(self, _message: Message) -> dict[str, Any]:
        return {}

    async def _phone(self, message: Message) -> dict[str, Any]:
        services, visitor = self._services, self._visitor
        if not settings_json(services, visitor, self._facts)["gateway"]:
            raise PageError("gateway-off")
        timezone = message.fields.get("timezone")
        room = services.live.get(self.room_id)
        name = visitor.name if room is None or self.seat_id not in room else room.card(self.seat_id).name
        pin = await self._in_thread(_personal_pin, services, visitor, name, services.now())
        numbers = nearest_first(
            services.gateways,
            timezone=timezone if isinstance(timezone, str) else None,
            accept_language=self._accept_language,
        )
        return {
            "phone": {
                "pin": pin.pin,
                "pin_grouped": pin.pin_grouped,
                "numbers": [number_json(gateway, pin=pin.pin) for gateway in numbers],
            }
        }

    async def _toll_free(self, message: Message) -> dict[str, Any]:
        settings = await self._switch("toll_free_enabled", message)
        offered = bool(settings["toll_free_enabled"]) and not settings["phonegateway_enabled"]
        return {"gateway_off": offered}

    async def _gateway(self, message: Message) -> dict[str, Any]:
        await self._switch("phonegateway_enabled", message)
        return {}

    async def _switch(self, name: str, message: Message) -> Mapping[str, bool | str]:
        on = message.flag("on")
        if self.role is not Role.PRESENTER:
            raise Refused("not-presenter")
        services = self._services
        settings: Mapping[str, bool | str] = await self._in_thread(
            _switch, services, self._visitor.event_id, {name: on}, services.now()
        )
        self._facts.gateway = bool(settings["phonegateway_enabled"])
        self._facts.toll_free = bool(settings["toll_free_enabled"])
        change = {
            "type": "settings_changed",
            "gateway": self._facts.gateway,
            "toll_free": self._facts.toll_free,
            "actor": self.seat_id,
        }
        services.feed.publish(self.room_id, change)
        return settings

    async def _in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        try:
            return await run_in_threadpool(work, *args)
        except EventsError as exc:
            raise PageError("unavailable", str(exc)) from exc
        except Exception as exc:
            if not is_outage(exc):
                raise
            raise PageError("unavailable") from exc


def _personal_pin(services: Services, visitor: Visitor, name: str, now: datetime) -> PersonalPin:
    with transaction(services) as session:
        pin = personal_pin(
            session,
            event_id=visitor.event_id,
            seat_id=visitor.seat_id,
            name=name,
            role=visitor.role,
            now=now,
        )
    return PersonalPin(pin=pin, pin_grouped=grouped(pin))


def _switch(
    services: Services, event_id: int, switches: Mapping[str, bool], now: datetime
) -> Mapping[str, bool | str]:
    with transaction(services) as session:
        return service.switch_settings(session, event_id, switches=switches, now=now)


_MISSED_MAX = 200
"""With more changes missed than this the whole state is shorter."""

_OWN: dict[str, Callable[[RoomPage, Message], Awaitable[dict[str, Any]]]] = {
    "hello": RoomPage._hello,
    "state": RoomPage._state,
    "offer": RoomPage._offer,
    "sound_off": RoomPage._sound_off,
    "leave": RoomPage._leave,
    "ping": RoomPage._ping,
    "phone": RoomPage._phone,
    "toll_free": RoomPage._toll_free,
    "gateway": RoomPage._gateway,
}
