"""Telephone calls by Twilio: web hooks and media sockets turned into calls, as `sip_lines` does for SIP.

One visit per CallSid.  It waits for its stream from the moment the web hook was answered, has one while
sound flows, and may lose and regain it: inside `<Connect>` a stream ends before its call only when the
socket broke, and then Twilio does what stands behind it, which is to ask us again.  Until then the caller
keeps his place in the room for REGAIN_S.  Twilio repeats a web hook that it saw no answer to, and anybody
who got hold of one can send it once more; the same CallSid is told the same and is never a second call.

A call is over when Twilio says so (`stop`, or the status callback), or when we have ended it: over REST, and
by closing the socket if REST does not answer at once; what Twilio then asks is answered with `<Hangup>`.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import Enum, auto

import structlog

from bridge.calls.call import Call
from bridge.calls.line import Arrival
from bridge.calls.switchboard import BridgeFullError, Switchboard
from bridge.cdr.outcome import outcome
from bridge.cdr.q850 import SIP_TO_Q850
from bridge.cdr.record import CallerPresentation, Channel
from bridge.mixer.client import MixerClient
from bridge.mixer.legs import PCMU
from bridge.numbers import NumberBook
from bridge.twilio import answers
from bridge.twilio import messages as m
from bridge.twilio.answers import Answers
from bridge.twilio.api import TwilioApi
from bridge.twilio.bills import Bills
from bridge.twilio.callers import Caller
from bridge.twilio.errors import ApiError, BadMessageError, TicketError
from bridge.twilio.fields import Fields
from bridge.twilio.loopback import Loopback
from bridge.twilio.stats import TwilioStats
from bridge.twilio.stream import POLICY, MediaSocket, Stream
from bridge.twilio.tickets import TICKET_S, Tickets

_log = structlog.get_logger(__name__)

SOURCE = "twilio"
START_S = 10.0
"""How long an open socket may take to say `start`."""
REGAIN_S = 10.0
"""How long a caller whose socket broke is kept in the room."""
TRIES_MAX = 5
"""Streams of one call that may be lost; a call that cannot keep any is ended."""
HANG_UP_S = 1.5
"""How long REST may take to end a call before its socket is closed as well."""
VISITS_MAX = 20_000
_CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")
_ENDED = frozenset(("completed", "busy", "failed", "no-answer", "canceled"))


class _Stage(Enum):
    WAITING = auto()
    """The web hook is answered, no stream came yet."""
    STREAMING = auto()
    LOST = auto()
    """The socket broke; the caller may be back in a moment."""
    OVER = auto()


@dataclass(slots=True, eq=False)
class _Visit:
    call_sid: str
    answer: str
    """What its first web hook was told."""
    stage: _Stage
    call: Call | None = None
    mixer_ip: str = ""
    mixer_port: int = 0
    loopback: Loopback | None = None
    stream: Stream | None = None
    timer: asyncio.TimerHandle | None = None
    tries: int = 0


class TwilioLine:
    """`Line` of one Twilio call."""

    def __init__(self, lines: TwilioLines, call_sid: str) -> None:
        self._lines, self._call_sid = lines, call_sid

    def hang_up(self, *, q850: int, text: str) -> None:  # noqa: ARG002
        """Twilio cannot be told a cause."""
        self._lines.hang_up(self._call_sid)

    def probe(self) -> None:
        self._lines.probe(self._call_sid)

    def hush(self) -> None:
        stream = self._lines.stream_of(self._call_sid)
        if stream is not None:
            stream.hush()

    def when_heard(self, then: Callable[[], None]) -> None:
        stream = self._lines.stream_of(self._call_sid)
        if stream is None:
            then()
        else:
            stream.when_heard(then)


class TwilioLines:
    def __init__(
        self,
        *,
        switchboard: Switchboard,
        mixer: MixerClient,
        book: NumberBook,
        api: TwilioApi,
        replies: Answers,
        bills: Bills,
        account_sid: str,
        family: str,
        now: Callable[[], datetime],
        stats: TwilioStats,
    ) -> None:
        """family: the IP family ("v4", "v6") that the mixer listens on."""
        self._switchboard, self._mixer, self._book = switchboard, mixer, book
        self._api, self._replies, self._bills, self.stats = api, replies, bills, stats
        self._account_sid, self._family, self._now = account_sid, family, now
        self._loop = asyncio.get_running_loop()
        self._tickets = Tickets()
        self._visits: OrderedDict[str, _Visit] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def streams(self) -> int:
        """Media sockets that carry a call now."""
        return sum(visit.stream is not None for visit in self._visits.values())

    def counters(self) -> dict[str, int]:
        """All counters, streams that are open included."""
        total = replace(self.stats)
        for visit in self._visits.values():
            if visit.stream is not None:
                total.add(visit.stream.playout.stats)
        return {**asdict(total), "bills_dropped": self._bills.dropped}

    # Web hooks. All return TwiML.

    def arrive(self, fields: Fields) -> str:
        """A call has come in. Raises BadMessageError when the fields are not those of a call."""
        call_sid = self._call_sid(fields)
        visit = self._visits.get(call_sid)
        if visit is not None:
            self.stats.hooks_replayed += 1
            return visit.answer
        return self._let_in(call_sid, fields)

    def come_again(self, fields: Fields) -> str:
        """The stream of a call has ended, the call has not: what now?"""
        call_sid = self._call_sid(fields)
        visit = self._visits.get(call_sid)
        if visit is None:  # another life of ours began this call
            return self._let_in(call_sid, fields)
        if visit.call is None or visit.stage is _Stage.OVER:
            return answers.hang_up()
        visit.tries += 1
        if visit.tries > TRIES_MAX:
            _log.warning("twilio_stream_fails_always", call_sid=call_sid)
            visit.call.hang_up("media-timeout")
            return answers.hang_up()
        if visit.stream is None:
            self._arm(visit, TICKET_S)
        return self._replies.connect(self._tickets.give(call_sid, now_s=self._loop.time()))

    def _call_sid(self, fields: Fields) -> str:
        call_sid = fields.get("CallSid")
        if not _CALL_SID.fullmatch(call_sid):
            raise BadMessageError("no CallSid")
        if fields.get("AccountSid") != self._account_sid:
            raise BadMessageError("a call of another account")
        return call_sid

    def _let_in(self, call_sid: str, fields: Fields) -> str:
        caller = Caller.of(fields.get("From"))
        number = self._book.find(fields.get("To"))
        arrival = Arrival(
            channel=Channel.TWILIO,
            source=SOURCE,
            source_call_id=call_sid,
            trunk=SOURCE,
            src_ip=None,
            caller_e164=caller.e164,
            caller_raw=caller.raw,
            caller_user=caller.user,
            caller_presentation=CallerPresentation(caller.presentation),
            called_e164=number.number.value if number else Caller.of(fields.get("To")).e164,
            number=number,
            setup_at=self._now(),
        )
        if number is None:
            return self._turn_away(arrival, "no-such-number")
        if self._switchboard.closing:
            return self._turn_away(arrival, "shutdown")
        try:
            call, ip, port = self._switchboard.arrive(
                arrival, TwilioLine(self, call_sid), family=self._family
            )
        except BridgeFullError:
            return self._turn_away(arrival, "bridge-full")
        answer = self._replies.connect(self._tickets.give(call_sid, now_s=self._loop.time()))
        visit = _Visit(call_sid, answer, _Stage.WAITING, call, ip, port)
        self._remember(visit)
        self._arm(visit, TICKET_S)
        return answer

    def _turn_away(self, arrival: Arrival, slug: str) -> str:
        way = outcome(slug)
        self._switchboard.turn_away(arrival, slug=slug, sip_status=way.sip_status, q850=way.q850)
        answer = answers.reject(busy=way.sip_status == 503)
        self._remember(_Visit(arrival.source_call_id, answer, _Stage.OVER))
        return answer

    def _remember(self, visit: _Visit) -> None:
        self._visits[visit.call_sid] = visit
        while len(self._visits) > VISITS_MAX:
            oldest = next((v for v in self._visits.values() if v.stage is _Stage.OVER), None)
            if oldest is None:
                return
            del self._visits[oldest.call_sid]

    def status(self, fields: Fields) -> None:
        """The status callback: how a call fares in Twilio's books. Raises BadMessageError."""
        call_sid = self._call_sid(fields)
        status = fields.get("CallStatus")
        if status not in _ENDED:
            return
        code = fields.get("SipResponseCode")
        sip_status = int(code) if re.fullmatch(r"[1-6][0-9]{2}", code) else None
        duration = fields.get("CallDuration")
        self._bills.ended(
            call_sid,
            status=status,
            sip_status=sip_status,
            duration_s=int(duration) if re.fullmatch(r"[0-9]{1,7}", duration) else None,
            at=self._now(),
        )
        visit = self._visits.get(call_sid)
        if visit is not None and visit.stage is not _Stage.OVER:
            failed = sip_status if sip_status is not None and sip_status >= 300 else None
            self._over(
                visit,
                sip_status=failed or 487,
                q850=SIP_TO_Q850.get(failed) if failed else None,
                by_remote=True,
            )

    # Media sockets.

    async def serve(self, socket: MediaSocket) -> None:
        """Carry one media socket from its first message to its end."""
        try:
            facts = await asyncio.wait_for(self._start(socket), START_S)
            visit = self._admit(facts)
        except TicketError as exc:
            self.stats.tokens_refused += 1
            _log.warning("twilio_token_refused", why=exc.why)
            await socket.close(POLICY)
            return
        except (BadMessageError, TimeoutError) as exc:
            self.stats.bad_messages += 1
            _log.warning("twilio_socket_refused", why=str(exc) or "no start message")
            await socket.close(POLICY)
            return
        try:
            await self._join(visit, facts, socket)
        except OSError as exc:
            _log.error("twilio_leg_failed", error=str(exc))
            await socket.close(1011)

    async def _start(self, socket: MediaSocket) -> m.StartFacts:
        while True:
            text = await socket.receive()
            if text is None:
                raise BadMessageError("closed before start")
            message = m.read(text)
            if isinstance(message, m.Start):
                return message.start
            if not isinstance(message, m.Connected | None):
                raise BadMessageError("no start message first")

    def _admit(self, facts: m.StartFacts) -> _Visit:
        """The visit that a stream belongs to. Raises TicketError, BadMessageError."""
        token = facts.custom_parameters.get(answers.TOKEN, "")
        call_sid = self._tickets.use(token, now_s=self._loop.time())
        visit = self._visits.get(call_sid)
        if visit is None or visit.stage is _Stage.OVER:
            raise TicketError("expired")
        if facts.call_sid != call_sid or facts.account_sid != self._account_sid:
            raise BadMessageError("a stream of another call")
        sound = facts.media_format
        if sound.sample_rate not in (0, 8000) or sound.encoding not in ("", "audio/x-mulaw"):
            raise BadMessageError("sound that is not µ-law at 8 kHz")
        return visit

    async def _join(self, visit: _Visit, facts: m.StartFacts, socket: MediaSocket) -> None:
        call = visit.call
        assert call is not None
        if visit.loopback is None:
            loopback = await Loopback.to(
                visit.mixer_ip, visit.mixer_port, lambda payload: _to_stream(visit, payload)
            )
            if visit.loopback is not None or visit.stage is _Stage.OVER:  # while we waited
                loopback.close()
            else:
                visit.loopback = loopback
        if visit.stage is _Stage.OVER or visit.loopback is None:
            await socket.close(1000)
            return
        stream = Stream(
            socket,
            facts,
            to_mixer=visit.loopback.send,
            on_key=lambda key: call.key(key, via="signal"),
            stats=self.stats,
        )
        before, visit.stream = visit.stream, stream
        self.stats.streams += 1
        self._disarm(visit)
        if before is not None:  # it broke, and we have not noticed yet
            self.stats.streams_lost += 1
            await before.close()
        if visit.stage is _Stage.WAITING and not call.ended:
            self._answered(visit)
        elif before is not None or visit.stage is _Stage.LOST:
            self.stats.streams_regained += 1
            _log.info("twilio_stream_regained", call_sid=visit.call_sid)
        visit.stage = _Stage.STREAMING
        stopped = await stream.run()
        if visit.stream is not stream:
            return
        visit.stream = None
        if visit.stage is _Stage.OVER:
            return
        if stopped:
            self._over(visit, sip_status=200, q850=None, by_remote=True)
        else:
            self._lost(visit)

    def _answered(self, visit: _Visit) -> None:
        call, loopback = visit.call, visit.loopback
        assert call is not None
        assert loopback is not None
        call.answered("PCMU")
        self._mixer.open(
            call.leg,
            codec=PCMU,
            pt=0,
            dtmf_pt=101,  # keys come as messages: nobody shall listen for them in the sound
            remote_ip=loopback.ip,
            remote_port=loopback.port,
            remote_rtcp_port=loopback.port,
            nat=False,
            send=True,
            receive=True,
        )
        call.start()

    def _lost(self, visit: _Visit) -> None:
        self.stats.streams_lost += 1
        _log.warning("twilio_stream_lost", call_sid=visit.call_sid)
        visit.stage = _Stage.LOST
        self._arm(visit, REGAIN_S)

    # The end.

    def _arm(self, visit: _Visit, wait_s: float) -> None:
        self._disarm(visit)
        visit.timer = self._loop.call_later(wait_s, self._too_late, visit)

    def _disarm(self, visit: _Visit) -> None:
        if visit.timer is not None:
            visit.timer.cancel()
            visit.timer = None

    def _too_late(self, visit: _Visit) -> None:
        """The stream did not come, or did not come back."""
        visit.timer = None
        if visit.call is not None and visit.stage is not _Stage.OVER:
            self.stats.streams_missing += 1
            _log.warning("twilio_stream_missing", call_sid=visit.call_sid)
            visit.call.hang_up("media-timeout")

    def hang_up(self, call_sid: str) -> None:
        """End a call from our side."""
        visit = self._visits.get(call_sid)
        if visit is not None and visit.stage is not _Stage.OVER:
            self._spawn(self._end(visit))

    async def _end(self, visit: _Visit) -> None:
        try:
            await asyncio.wait_for(self._api.hang_up(visit.call_sid), HANG_UP_S)
        except (ApiError, TimeoutError) as exc:
            self.stats.rest_failures += 1
            _log.warning("twilio_hang_up_failed", call_sid=visit.call_sid, error=str(exc) or "no answer")
        self._over(visit, sip_status=408, q850=None, by_remote=False)

    def _over(self, visit: _Visit, *, sip_status: int, q850: int | None, by_remote: bool) -> None:
        if visit.stage is _Stage.OVER:
            return
        never_came = visit.stage is _Stage.WAITING
        visit.stage = _Stage.OVER
        self._disarm(visit)
        assert visit.call is not None
        visit.call.line_over(
            sip_status=sip_status, q850=q850, by_remote=by_remote, cancelled=never_came and by_remote
        )
        visit.call = None
        if visit.loopback is not None:
            visit.loopback.close()
            visit.loopback = None
        if visit.stream is not None:
            self._spawn(visit.stream.close())

    def stream_of(self, call_sid: str) -> Stream | None:
        visit = self._visits.get(call_sid)
        return None if visit is None else visit.stream

    def probe(self, call_sid: str) -> None:
        """Nothing was heard for long: ask Twilio whether the call still exists."""
        visit = self._visits.get(call_sid)
        if visit is not None and visit.call is not None:
            self._spawn(self._ask(visit, visit.call))

    async def _ask(self, visit: _Visit, call: Call) -> None:
        try:
            alive = (await self._api.call(visit.call_sid)).alive
        except ApiError as exc:
            self.stats.rest_failures += 1
            alive = exc.status != 404 and visit.stream is not None
        call.probed(alive)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, *, wait_s: float = 3.0) -> None:
        """End all calls, while web hooks and sockets still work."""
        self._switchboard.closing = True
        for visit in list(self._visits.values()):
            if visit.call is not None and visit.stage is not _Stage.OVER:
                visit.call.hang_up("shutdown")
        until = self._loop.time() + wait_s
        while self._tasks and self._loop.time() < until:
            await asyncio.wait(set(self._tasks), timeout=until - self._loop.time())


def _to_stream(visit: _Visit, payload: bytes) -> None:
    if visit.stream is not None:
        visit.stream.frame(payload)
