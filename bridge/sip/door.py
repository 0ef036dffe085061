"""What to do with an INVITE, decided from its text alone: an engine without I/O.

Order: is it from a trunk (source, else digest)? Is there a line? Is the offer one we can answer? Only then
does the rest of the house hear of it. Strangers learn nothing but 403, late.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from bridge.media import Codec
from bridge.numbers import NumberBook
from bridge.sip.config import SipConfig, Trunk
from bridge.sip.dialled import resolve_dialled
from bridge.sip.digest import DigestGate, Verdict
from bridge.sip.errors import MalformedSdpError, NoCommonCodecError
from bridge.sip.headers import Request, parse_request
from bridge.sip.identity import read_caller
from bridge.sip.limiter import RefusalLimiter
from bridge.sip.messages import CallerFacts, Presentation
from bridge.sip.negotiation import Preference, choose_codecs, choose_stream, negotiated
from bridge.sip.sdp import Session, parse_sdp
from bridge.sip.trusted import TrunkTable, split_source


@dataclass(frozen=True, slots=True, kw_only=True)
class LetIn:
    """The call is one of ours."""

    facts: CallerFacts
    codecs: tuple[Codec, ...]
    offer: Session | None
    """None when the phone leaves the offer to us."""
    media_ip_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnAway:
    """The call is refused with `status`, after `delay_s`."""

    facts: CallerFacts
    status: int
    slug: str
    delay_s: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()
    record: bool = True
    """Whether it gets a record; a flood of strangers does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """401: the caller should send credentials."""

    fields: list[str]


Decision = LetIn | TurnAway | Challenge


class Door:
    """Decides about INVITEs, one after another."""

    def __init__(self, config: SipConfig, book: NumberBook) -> None:
        self._config = config
        self._book = book
        self._trunks = TrunkTable(config.trunks)
        self._gate = DigestGate(realm=config.realm, secret=secrets.token_bytes(32), find=self._trunks.by_user)
        self._preference = Preference(codecs=config.codecs, preferred=config.preferred_codecs)
        self.limiter = RefusalLimiter(
            free=config.unknown_refusals_max, delay_s_max=config.unknown_delay_s_max
        )

    def decide(
        self, text: str, source: str, *, registered: Trunk | None = None, full: bool, now_s: float
    ) -> Decision:
        """Judge an INVITE.

        Args:
            text: the whole request.
            source: address and port it came from.
            registered: the trunk whose registrar sent it, if any did.
            full: no line is free.
        """
        request = parse_request(text)
        ip, _ = split_source(source)
        trunk = self._trunks.by_source(ip) or registered
        if trunk is None and self._trunks.digest:
            checked = self._gate.check(request.all("authorization"), method="INVITE", now_s=now_s)
            if checked.verdict in (Verdict.CHALLENGE, Verdict.STALE):
                if self.limiter.held(ip, now_s=now_s):
                    return self._stranger(request, source, "not-allowed", now_s)
                return Challenge(
                    fields=self._gate.challenges(stale=checked.verdict is Verdict.STALE, now_s=now_s)
                )
            if checked.verdict is Verdict.WRONG:
                return self._stranger(request, source, "auth-failed", now_s)
            trunk = checked.trunk
        if trunk is None:
            return self._stranger(request, source, "not-allowed", now_s)
        facts = self.facts(request, source, trunk=trunk, now_s=now_s)
        if full:
            wait = ("Retry-After", str(self._config.retry_after_s))
            return TurnAway(facts=facts, status=503, slug="bridge-full", headers=(wait,))
        if self._too_brief(request):
            least = ("Min-SE", str(self._config.session_min_s))
            return TurnAway(facts=facts, status=422, slug="malformed", headers=(least,), record=False)
        try:
            offer = _offer(request)
            codecs = self._codecs(offer)
        except MalformedSdpError:
            return TurnAway(facts=facts, status=400, slug="malformed")
        except NoCommonCodecError:
            return TurnAway(facts=facts, status=488, slug="no-common-codec")
        address = choose_stream(offer)[1].address if offer else ip
        return LetIn(facts=facts, codecs=codecs, offer=offer, media_ip_version=6 if ":" in address else 4)

    def _stranger(self, request: Request, source: str, slug: str, now_s: float) -> TurnAway:
        ip, _ = split_source(source)
        return TurnAway(
            facts=self.facts(request, source, trunk=None, now_s=now_s),
            status=403,
            slug=slug,
            delay_s=self.limiter.refuse(ip, now_s=now_s),
            record=self.limiter.may_record(now_s=now_s),
        )

    def _too_brief(self, request: Request) -> bool:
        """RFC 4028 section 9: pjsip answers 422 too, but only after it has told us of a call that is none."""
        match = re.match(r"\d{1,9}", request.first("session-expires"))
        return match is not None and int(match[0]) < self._config.session_min_s

    def _codecs(self, offer: Session | None) -> tuple[Codec, ...]:
        if offer is None:
            return ()
        _, stream = choose_stream(offer)
        common = choose_codecs(stream, self._preference)
        negotiated(stream, codec=common[0][0], payload_type=common[0][1])
        return tuple(dict.fromkeys(codec for codec, _ in common))

    def library_refusal(self, text: str, source: str, *, now_s: float) -> CallerFacts | None:
        """Facts of an INVITE that the library refused; None when a stranger's flood is not recorded."""
        trunk = self._trunks.by_source(split_source(source)[0])
        if trunk is None and not self.limiter.may_record(now_s=now_s):
            return None
        return self.facts(parse_request(text), source, trunk=trunk, now_s=now_s)

    def facts(self, request: Request, source: str, *, trunk: Trunk | None, now_s: float) -> CallerFacts:
        """Who called whom from where; never raises, whatever the request holds."""
        ip, port = split_source(source)
        caller = read_caller(request, region=trunk.country if trunk else None)
        dialled = resolve_dialled(request, trunk=trunk, book=self._book)
        via = request.first("via").split()
        return CallerFacts(
            trunk=trunk.name if trunk else "",
            called_raw=dialled.raw,
            called_e164=dialled.e164,
            number_id=dialled.entry.id if dialled.entry else None,
            caller_raw=caller.raw,
            caller_e164=caller.e164,
            caller_presentation=caller.presentation if trunk else Presentation.UNAVAILABLE,
            display_name=caller.display_name if trunk else "",
            source_ip=ip,
            source_port=port,
            transport=via[0].rpartition("/")[2].lower()[:8] if via else "",
            sip_call_id=request.first("call-id")[:255],
            user_agent="".join(char for char in request.first("user-agent") if char.isprintable())[:128],
            received_at_s=now_s,
        )


def _offer(request: Request) -> Session | None:
    # The same bytes that pjsip takes for the offer, or its view of the call and ours would part.
    length = request.first("content-length")
    body = request.body[: int(length)] if re.fullmatch(r"\d{1,6}", length) else request.body
    kind = request.first("content-type").partition(";")[0].strip().lower()
    if not body.strip() or not kind.startswith(("application/sdp", "multipart/")):
        return None
    if kind.startswith("multipart/"):
        # RFC 5621: the description is one of the parts, found by its first line.
        start = body.find("v=0")
        end = body.find("\n--", start)
        body = body[start : end if end >= 0 else len(body)] if start >= 0 else ""
    return parse_sdp(body)
