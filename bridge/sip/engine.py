"""The SIP engine: one thread that owns pjsua2, commands in, events out.

Commands may come from any thread and are run in order; a command for a call that is over does nothing.
Events are handed to `on_event` on the engine's thread, which must not block: while it runs, no other call
is answered.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

import pjsua2 as pj
import structlog

from bridge.media import Codec, codec_of_name
from bridge.numbers import NumberBook
from bridge.sip.call import SipCall
from bridge.sip.config import SipConfig, Trunk
from bridge.sip.door import Challenge, Door, LetIn, TurnAway
from bridge.sip.errors import SipConfigError
from bridge.sip.library import Account, Endpoint, account_settings, open_transports, start_library
from bridge.sip.messages import CallerFacts, Invited, LocalMedia, Refused, Registered, SipCallId, SipEvent
from bridge.sip.negotiation import Preference
from bridge.sip.pump import Pump
from bridge.sip.stats import SipStats
from bridge.sip.trusted import split_source

_log = structlog.get_logger("bridge.sip")
_START_S = 20.0
_STOP_S = 2.0
_SLUGS = {400: "malformed", 415: "no-common-codec", 420: "malformed", 421: "malformed", 486: "bridge-full",
          488: "no-common-codec", 406: "no-common-codec"}  # fmt: skip


class SipEngine:
    """Answers telephone calls; see the package's docstring for its parts."""

    def __init__(
        self,
        config: SipConfig,
        on_event: Callable[[SipEvent], None],
        *,
        book: NumberBook | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.stats_now = SipStats()
        self.preference = Preference(codecs=config.codecs, preferred=config.preferred_codecs)
        self.addresses: list[str] = []
        self.version = ""
        self.lines = 0
        self._on_event = on_event
        self._clock = clock
        self._door = Door(config, book or NumberBook.load(NumberBook.default_path()))
        self._pump = Pump(clock=clock)
        self._calls: dict[SipCallId, SipCall] = {}
        self._bodies: list[SipCall] = []
        self._ids = itertools.count(1)
        self._trunks = {trunk.name: trunk for trunk in config.trunks}
        self._accounts: list[Account] = []
        self._registrars: dict[str, Trunk] = {}
        """Addresses that accepted a registration of ours; their calls belong to that trunk."""
        self._thread = threading.Thread(target=self._run, name="sip", daemon=True)
        self._ready = threading.Event()
        self._failure: SipConfigError | None = None
        self._stopping = False

    # -- from any thread --

    def start(self) -> None:
        """Start the thread; returns when calls can come in.

        Raises:
            SipConfigError: an address cannot be listened on, or pjsua2 does not start.
        """
        self._thread.start()
        if not self._ready.wait(_START_S):
            raise SipConfigError("pjsua2 did not start in time")
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """End all calls and the thread; a second call does nothing."""
        if self._thread.is_alive():
            self._pump.post(self._begin_stop)
            self._thread.join(_STOP_S + 5.0)

    def ring(self, call: SipCallId) -> None:
        """180 Ringing."""
        self._order(call, lambda body: body.respond(180))

    def answer(self, call: SipCallId, media: LocalMedia) -> None:
        """200 OK with a session description that points to `media`."""
        self._order(call, lambda body: body.accept(media))

    def reject(
        self, call: SipCallId, status: int, retry_after_s: int | None = None, q850: int | None = None
    ) -> None:
        """Refuse a call that is not answered yet."""
        assert 400 <= status <= 699
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        self._order(call, lambda body: body.respond(status, headers, q850=q850))

    def hang_up(self, call: SipCallId, q850: int = 16, text: str = "") -> None:
        """BYE with a Reason; a call not yet answered gets 480 with it."""
        self._order(call, lambda body: body.finish(status=480, q850=q850, text=text))

    def probe(self, call: SipCallId) -> None:
        """Ask whether the phone still knows the call; `Probed` tells."""
        self._order(call, lambda body: body.ask_alive())

    def stats(self) -> dict[str, float]:
        """Counters by name."""
        numbers: dict[str, float] = asdict(self.stats_now)
        numbers["pump_delay_ms_max"] = self._pump.busy_ms_max
        numbers["lines"] = self.lines
        numbers["strangers_suppressed"] = self._door.limiter.suppressed
        return numbers

    def _order(self, call: SipCallId, action: Callable[[SipCall], None]) -> None:
        def run() -> None:
            body = self._calls.get(call)
            if body is None or body.over:
                self.stats_now.late_commands += 1
                return
            try:
                action(body)
            except pj.Error as error:
                self.stats_now.failed_commands += 1
                _log.warning("sip_command_failed", call=call, error=error.reason)
                if not body.answered:
                    self._end_with_500(body)  # or the caller would hear ringing for ever

        self._pump.post(run)

    # -- on the engine's thread --

    def _run(self) -> None:
        try:
            endpoint, writer, self.lines = start_library(self, self.config)
        except SipConfigError as error:
            self._failure = error
            self._ready.set()
            return
        try:
            self._open(endpoint)
        except SipConfigError as error:
            self._failure = error
            self._close(endpoint, writer)
            self._ready.set()
            return
        self._ready.set()
        deadline_s = float("inf")
        while self._clock() < deadline_s:
            try:
                self._pump.turn(endpoint)
            except Exception as error:
                self.stats_now.callback_errors += 1
                _log.error("sip_pump_error", error=repr(error))
            self._bodies.clear()  # only now: a call must not be deleted inside its own callback
            if self._stopping:
                deadline_s = min(deadline_s, self._clock() + _STOP_S)
                if not self._calls:
                    break
        self._close(endpoint, writer)

    def _open(self, endpoint: Endpoint) -> None:
        opened = open_transports(endpoint, self.config)
        self.version = endpoint.libVersion().full
        self.addresses = [
            f"sip:{name};transport={key.partition(' ')[0]}" for key, (_, name) in opened.items()
        ]
        first = next(iter(opened.values()))[1]
        try:
            endpoint.libStart()
            self._pump.attach(endpoint)
            self._add_account(account_settings(self.config, first, None), None, default=True)
            for trunk in self.config.trunks:
                if trunk.register is not None:
                    self._add_account(
                        account_settings(self.config, first, trunk.register), trunk.name, default=False
                    )
        except pj.Error as error:
            raise SipConfigError(f"pjsua2 does not start: {error.reason}") from error

    def _add_account(self, settings: Any, trunk: str | None, *, default: bool) -> None:
        account = Account(self, trunk)
        account.create(settings, default)
        self._accounts.append(account)

    def _begin_stop(self) -> None:
        self._stopping = True
        for body in list(self._calls.values()):
            try:
                body.finish(status=503, q850=41, text="shutdown")
            except pj.Error:
                self.stats_now.failed_commands += 1

    def _close(self, endpoint: Endpoint, writer: Any) -> None:
        self._calls.clear()
        self._bodies.clear()
        for account in self._accounts:
            account.shutdown()
        self._accounts.clear()
        # The library waits a second for answers to its unregistrations, even if there are none.
        waits = any(trunk.register is not None for trunk in self.config.trunks)
        try:
            endpoint.libDestroy(0 if waits else pj.PJSUA_DESTROY_NO_NETWORK)
        except pj.Error as error:
            _log.warning("sip_stop_failed", error=error.reason)
        del writer
        self._pump.close()

    def incoming(self, account: Account, pj_id: int, text: str, source: str) -> None:
        """An INVITE opened a call: decide, then announce or refuse it."""
        body = SipCall(account, pj_id, call=SipCallId(next(self._ids)), engine=self)
        self._calls[body.call] = body
        self.stats_now.invites += 1
        try:
            self._decide(body, text, source)
        except Exception as error:
            self.callback_failed(body, error)

    def _decide(self, body: SipCall, text: str, source: str) -> None:
        now_s = self._clock()
        registered = self._registrars.get(split_source(source)[0])
        full = self._stopping or self.stats_now.active >= self.lines
        decision = self._door.decide(text, source, registered=registered, full=full, now_s=now_s)
        if isinstance(decision, Challenge):
            self.stats_now.challenges += 1
            body.challenge(decision.fields)
        elif isinstance(decision, TurnAway):
            self._turn_away(body, decision, now_s)
        else:
            assert isinstance(decision, LetIn)
            body.facts = decision.facts
            body.offer = decision.offer
            self.stats_now.active += 1
            invited = Invited(
                **_fields(decision.facts),
                call=body.call,
                codecs=decision.codecs,
                media_ip_version=decision.media_ip_version,
            )
            if not self.emit(invited):
                self._end_with_500(body)  # nobody has heard of it

    def _turn_away(self, body: SipCall, decision: TurnAway, now_s: float) -> None:
        self.stats_now.refused += 1
        ip = decision.facts.source_ip
        if not decision.facts.trunk:
            self.stats_now.strangers += 1
            _log.info("sip_stranger", source=ip, slug=decision.slug, delay_s=decision.delay_s)
        headers = dict(decision.headers)

        def refuse() -> None:
            if decision.delay_s > 0:
                self._door.limiter.sent(ip)
            if not body.over:
                body.respond(decision.status, headers)

        if decision.delay_s > 0:
            self._pump.later(now_s + decision.delay_s, refuse)
        else:
            refuse()
        if decision.record:
            self.emit(Refused(**_fields(decision.facts), status=decision.status, slug=decision.slug))

    def rejected_by_library(self, pj_id: int, status: int, text: str, source: str) -> None:
        """pjsip refused an INVITE by itself: malformed, no codec, no line; mostly before we were asked."""
        try:
            body = next((body for body in self._calls.values() if body.pj_id == pj_id), None)
            if body is not None:
                body.refused_by_library(status)
                return
            self.stats_now.invites += 1
            self.stats_now.refused += 1
            now_s = self._clock()
            facts = self._door.library_refusal(text, source, now_s=now_s)
            if facts is not None:
                self.emit(Refused(**_fields(facts), status=status, slug=_SLUGS.get(status, "server-error")))
        except Exception as error:
            self.callback_failed(None, error)

    def registered(self, name: str, status: int, expires_s: int, source: str) -> None:
        """A registrar answered from `source`, or did not."""
        try:
            trunk = self._trunks[name]
            ok = status // 100 == 2 and expires_s > 0
            self._registrars = {ip: kept for ip, kept in self._registrars.items() if kept is not trunk}
            if ok:
                self._registrars[split_source(source)[0]] = trunk
            _log.info("sip_registration", trunk=name, ok=ok, status=status)
            self.emit(Registered(trunk=name, ok=ok, status=status))
        except Exception as error:
            self.callback_failed(None, error)

    def emit(self, event: SipEvent) -> bool:
        """Hand an event out; whatever the listener raises stays here. False when it raised."""
        try:
            self._on_event(event)
            return True
        except Exception as error:
            self.stats_now.callback_errors += 1
            _log.error("sip_listener_failed", sip_event=type(event).__name__, error=repr(error))
            return False

    def forget(self, body: SipCall) -> None:
        """A call is over."""
        if self._calls.pop(body.call, None) is not None:
            self._bodies.append(body)
            if body.facts is not None:
                self.stats_now.active -= 1

    def callback_failed(self, body: SipCall | None, error: Exception) -> None:
        """A fault of ours in a callback: count, log, end the call."""
        self.stats_now.callback_errors += 1
        _log.error("sip_callback_failed", call=body.call if body else None, error=repr(error))
        if body is not None:
            self._end_with_500(body)

    def _end_with_500(self, body: SipCall) -> None:
        """Not at once: pjsua2 does not expect its call to end inside some of its callbacks."""

        def end() -> None:
            if not body.over:
                try:
                    body.finish(status=500, q850=41, text="server error")
                except pj.Error:
                    self.stats_now.failed_commands += 1

        self._pump.post(end)

    def codec_named(self, name: str) -> Codec | None:
        """A codec of ours by its encoding name."""
        codec = codec_of_name(name)
        return codec if codec in self.config.codecs else None

    @staticmethod
    def split(address: str) -> tuple[str, int]:
        """`host:port` taken apart."""
        return split_source(address)


def _fields(facts: CallerFacts) -> dict[str, Any]:
    return {field.name: getattr(facts, field.name) for field in fields(facts)}
