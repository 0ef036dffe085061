"""Telephone calls by SIP: the engine's events, brought to the event loop and turned into calls."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from bridge.calls.call import Call
from bridge.calls.line import Arrival
from bridge.calls.switchboard import BridgeFullError, Switchboard
from bridge.cdr.outcome import outcome
from bridge.cdr.record import CallerPresentation, Channel
from bridge.media import Codec
from bridge.mixer.client import MixerClient
from bridge.mixer.legs import CODEC_NAMES
from bridge.numbers import NumberBook
from bridge.sip import messages as sip
from bridge.sip.engine import SipEngine

_log = structlog.get_logger(__name__)

RETRY_AFTER_S = 10
_CODECS = {name: number for number, name in enumerate(CODEC_NAMES)}


class SipLine:
    """`Line` of one SIP call."""

    def __init__(self, engine: SipEngine, call: sip.SipCallId) -> None:
        self._engine, self._call = engine, call

    def hang_up(self, *, q850: int, text: str) -> None:
        self._engine.hang_up(self._call, q850=q850, text=text)

    def probe(self) -> None:
        self._engine.probe(self._call)

    def hush(self) -> None:
        """Nothing to do: a phone plays what it gets within milliseconds."""

    def when_heard(self, then: Callable[[], None]) -> None:
        then()


@dataclass(slots=True)
class _Up:
    call: Call
    media: sip.Negotiated | None = None
    confirmed: bool = False


class SipLines:
    def __init__(
        self,
        *,
        switchboard: Switchboard,
        mixer: MixerClient,
        book: NumberBook,
        media_addresses: tuple[str, ...],
        nat: bool,
        now: Callable[[], datetime],
    ) -> None:
        """media_addresses: what callers are told to send to, at most one per IP family."""
        self._switchboard, self._mixer, self._book = switchboard, mixer, book
        self._addresses = {_family(ip): ip for ip in reversed(media_addresses)}
        self._nat, self._now = nat, now
        self._loop = asyncio.get_running_loop()
        self._calls: dict[sip.SipCallId, _Up] = {}
        self._engine: SipEngine | None = None
        self.registrations: dict[str, bool] = {}
        """By trunk: whether its provider accepts us at the moment."""

    def attach(self, engine: SipEngine) -> None:
        self._engine = engine

    def from_sip_thread(self, event: sip.SipEvent) -> None:
        """`on_event` of the engine."""
        self._loop.call_soon_threadsafe(self._handle, event)

    def _handle(self, event: sip.SipEvent) -> None:
        match event:
            case sip.Invited():
                self._invited(event)
            case sip.Refused():
                arrival = self._arrival(event)
                self._switchboard.turn_away(arrival, slug=event.slug, sip_status=event.status)
            case sip.Registered():
                self.registrations[event.trunk] = event.ok
            case _:
                self._about_call(event)

    def _arrival(self, event: sip.CallerFacts) -> Arrival:
        number = self._book.by_id(event.number_id) if event.number_id else None
        waited = timedelta(seconds=max(0.0, self._loop.time() - event.received_at_s))
        return Arrival(
            channel=Channel.SIP,
            source="sip",
            source_call_id=event.sip_call_id,
            trunk=event.trunk,
            src_ip=event.source_ip or None,
            caller_e164=event.caller_e164,
            caller_raw=event.caller_raw,
            caller_user=_user_part(event.caller_raw),
            caller_presentation=CallerPresentation(event.caller_presentation.value),
            called_e164=event.called_e164,
            number=number,
            setup_at=self._now() - waited,
        )

    def _invited(self, event: sip.Invited) -> None:
        engine = self._engine
        assert engine is not None
        arrival = self._arrival(event)
        if arrival.number is None:
            self._reject(event, arrival, "no-such-number")
            return
        if self._switchboard.closing:
            self._reject(event, arrival, "shutdown")
            return
        family = f"v{event.media_ip_version}"
        if family not in self._addresses:
            self._reject(event, arrival, "no-common-codec")  # sound could not reach it: 488
            return
        try:
            call, ip, port = self._switchboard.arrive(arrival, SipLine(engine, event.call), family=family)
        except BridgeFullError:
            self._reject(event, arrival, "bridge-full")
            return
        self._calls[event.call] = _Up(call)
        told = self._addresses[family]
        engine.answer(event.call, sip.LocalMedia(ip=ip if _is_any(told) else told, port=port))

    def _reject(self, event: sip.Invited, arrival: Arrival, slug: str) -> None:
        assert self._engine is not None
        way = outcome(slug)
        retry = RETRY_AFTER_S if way.sip_status == 503 else None
        self._engine.reject(event.call, way.sip_status, retry_after_s=retry, q850=way.q850)
        self._switchboard.turn_away(arrival, slug=slug, sip_status=way.sip_status, q850=way.q850)

    def _about_call(self, event: sip.SipEvent) -> None:
        assert not isinstance(event, sip.Invited | sip.Refused | sip.Registered)
        up = self._calls.get(event.call)
        if up is None:
            return
        match event:
            case sip.Answered():
                up.call.answered(event.media.codec.value if event.media else "")
                self._take_media(up, event.media)
            case sip.Confirmed():
                up.confirmed = True
                self._begin(up)
            case sip.MediaChanged():
                self._take_media(up, event.media)
                self._begin(up)
            case sip.KeyInfo():
                up.call.key(event.key, via="signal")
            case sip.Probed():
                up.call.probed(event.alive)
            case sip.Ended():
                del self._calls[event.call]
                up.call.line_over(
                    sip_status=event.status,
                    q850=event.q850,
                    by_remote=event.by_remote,
                    cancelled=event.cancelled,
                )

    def _begin(self, up: _Up) -> None:
        if up.confirmed and up.media is not None:
            up.call.start()

    def _take_media(self, up: _Up, media: sip.Negotiated | None) -> None:
        if media is None or up.call.ended:
            return
        up.media = media
        up.call.record.media(media.codec.value)
        self._mixer.open(
            up.call.leg,
            codec=_CODECS[Codec(media.codec).value],
            pt=media.payload_type,
            dtmf_pt=media.dtmf_payload_type,
            remote_ip=media.remote_ip,
            remote_port=media.remote_port,
            remote_rtcp_port=media.remote_rtcp_port,
            nat=self._nat,
            send=media.send,
            # `sendonly` is how an exchange puts us on hold: what it sends is its music, not our caller.
            receive=media.receive and media.send,
        )


def _user_part(address: str) -> str | None:
    """The user part of a SIP address as raw as it came, or None."""
    _, scheme, rest = address.partition("sip:")
    user, at, _ = rest.partition("@")
    return user if scheme and at and user else None


def _family(ip: str) -> str:
    return "v6" if ":" in ip else "v4"


def _is_any(ip: str) -> bool:
    return ipaddress.ip_address(ip).is_unspecified
