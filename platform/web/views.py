"""Stored and live things as answers. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.tickets.offers import Offer
from events.fields import DEFAULT_SETTINGS, AccessType, Status
from events.models import Event, EventSession
from events.schedule import local, offset_s
from events.steps import State
from rooms.modes import AudioMode, Role
from rooms.state import RoomState
from web.masking import mask_numbers
from web.schemas import (
    AgendaItem,
    Conference,
    GatewayEntry,
    LiveParticipant,
    LiveRoom,
    RoleHashes,
    SessionEntry,
    TicketOffer,
)
from web.services import Gateway


def iso(moment: datetime, *, zone: str) -> str:
    """`moment` on the clocks of `zone`, to the second, with offset."""
    return local(moment, zone=zone).isoformat(timespec="seconds")


def conference(event: Event, *, public_url: str, offer: Offer | None = None) -> Conference:
    """An event with its PINs loaded. `offer`: what a ticket costs, if it has a price."""
    zone = event.timezone
    pins = {pin.role: int(pin.pin) for pin in event.pins}
    ends_at = None if event.starts_at is None else event.starts_at + timedelta(minutes=event.duration_min)
    return Conference(
        id=event.id,
        room_type=event.room_type,
        room_pin=int(event.room_pin),
        name=event.name,
        name_url=event.url_name,
        starts_at=None if event.starts_at is None else iso(event.starts_at, zone=zone),
        ends_at=None if ends_at is None else iso(ends_at, zone=zone),
        access_type=event.access_type,
        lobby_enabled=event.lobby_enabled,
        lobby_description=event.lobby_description,
        registration_enabled=int(bool(event.registration.get("enabled"))),
        registration=event.registration,
        status=Status(event.status),
        timezone=zone,
        timezone_offset=offset_s(event.starts_at or event.created_at, zone=zone),
        permanent_room=event.permanent_room,
        access_role_hashes=RoleHashes(
            listener=event.hash_listener, presenter=event.hash_presenter, host=event.hash_host
        ),
        room_url=f"{public_url}/{event.url_name}",
        embed_room_url=f"{public_url}/embed/{event.url_name}",
        phone_presenter_pin=pins[Role.PRESENTER],
        phone_listener_pin=pins[Role.PARTICIPANT],
        skin_id=event.skin_id,
        agenda=[AgendaItem(time=one["time"], title=one["title"]) for one in event.agenda],
        state=State.ENDED if event.status == Status.INACTIVE else State(event.state),
        recorder_list=[],
        settings={**DEFAULT_SETTINGS, **event.settings},
        created_at=iso(event.created_at, zone=zone),
        updated_at=iso(event.updated_at, zone=zone),
        ticket=None if offer is None or event.access_type != AccessType.PAID else ticket_offer(offer),
    )


def ticket_offer(offer: Offer) -> TicketOffer:
    return TicketOffer(
        price=str(offer.price.amount), currency=offer.price.currency, capacity=offer.capacity, sold=offer.sold
    )


def live_room(state: RoomState | None, *, now: datetime, now_s: float) -> LiveRoom:
    """A live room, or the one that would be opened. `now` and `now_s` are the same moment on the two
    clocks.
    """
    if state is None:
        return LiveRoom(
            open=False,
            mode=AudioMode.LISTEN_ONLY,
            started=False,
            locked=False,
            music=True,
            participants=[],
        )
    return LiveRoom(
        open=not state.ended,
        mode=state.mode,
        started=state.started,
        locked=state.locked,
        music=state.music_on,
        participants=[
            LiveParticipant(
                id=person.id,
                name=mask_numbers(person.name),
                role=person.role,
                via=person.via,
                devices=sorted(person.devices),
                sound=person.sound,
                connected=person.connected,
                quality=person.quality,
                city=person.city,
                country=person.country,
                number=person.number,
                music=person.music_on,
                muted=person.muted,
                muted_by=person.muted_by,
                talking=person.talking,
                floor=person.floor,
                question=person.question,
                joined_at=iso(now - timedelta(seconds=now_s - person.joined_at_s), zone="UTC"),
            )
            for person in state.participants
        ],
    )


def session_entry(run: EventSession, *, zone: str) -> SessionEntry:
    return SessionEntry(
        id=run.id,
        total_visitors=run.total_visitors,
        max_visitors=run.max_visitors,
        start_date=iso(run.started_at, zone=zone),
        end_date=None if run.ended_at is None else iso(run.ended_at, zone=zone),
    )


def gateway_entry(gateway: Gateway) -> GatewayEntry:
    return GatewayEntry(
        code=gateway.code,
        location=gateway.location,
        value=gateway.number,
        geo=gateway.country,
        display=gateway.display,
        language=gateway.language,
    )
