"""The record of a call while it goes on: facts are replaced as they become known, and told to the store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridge.calls.line import Arrival
from bridge.cdr.outcome import PinResult, outcome
from bridge.cdr.progress import Checkpoint
from bridge.cdr.q850 import CauseSource
from bridge.cdr.quality import LegStats, with_media
from bridge.cdr.record import CallFacts, Direction, EndBasis, HangupParty, NumberClass, new_id
from bridge.cdr.store import CdrStore
from bridge.mixer.protocol import LegReport


def first_facts(arrival: Arrival, *, node_id: str, version: str) -> CallFacts:
    """What is known when a call arrives."""
    number = arrival.number
    # Phones use a Call-ID again when they try again, so it alone does not name a leg.
    record_id = new_id()
    return CallFacts(
        id=record_id,
        source=arrival.source,
        source_call_id=arrival.source_call_id,
        leg=record_id,
        setup_at=arrival.setup_at,
        direction=Direction.IN,
        channel=arrival.channel,
        node_id=node_id,
        sw_version=version,
        caller_e164=arrival.caller_e164,
        caller_presentation=arrival.caller_presentation,
        caller_raw=arrival.caller_raw,
        called_e164=arrival.called_e164,
        number_id=number.id if number else None,
        number_class=NumberClass(number.number_class) if number else None,
        trunk_id=arrival.trunk or None,
        src_ip=arrival.src_ip,
    )


def from_ns(realtime_ns: int) -> datetime:
    """A CLOCK_REALTIME instant as an aware datetime, to the millisecond."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=realtime_ns // 1_000_000)


class Record:
    """One call's facts and where they are kept."""

    def __init__(self, facts: CallFacts, store: CdrStore) -> None:
        self.facts = facts
        self._store = store
        self._report: LegReport | None = None
        self._codec = ""
        self._heard_ns: int | None = None
        store.open(facts)

    def note(self, **changes: object) -> None:
        """More is known."""
        self.facts = replace(self.facts, **changes)  # type: ignore[arg-type]
        self._store.progress(self.facts)

    def media(self, codec: str) -> None:
        self._codec = codec

    def report(self, report: LegReport) -> None:
        """Counters from the mixer; the last ones count."""
        self._report = report
        self.heard(report.last_rx_ns)

    def heard(self, realtime_ns: int | None) -> None:
        if realtime_ns:
            self._heard_ns = max(self._heard_ns or 0, realtime_ns)

    @property
    def heard_ns(self) -> int | None:
        """CLOCK_REALTIME of the last packet."""
        return self._heard_ns

    def checkpoint(self, now: datetime) -> Checkpoint:
        return Checkpoint(
            id=self.facts.id,
            seen_at=now,
            last_rtp_at=from_ns(self._heard_ns) if self._heard_ns else None,
            stats=self._stats(),
        )

    def _stats(self) -> LegStats | None:
        report = self._report
        if report is None or not self._codec:
            return None
        return LegStats(
            codec=self._codec,
            ptime_ms=report.ptime_ms or 20,
            rx_pkts=report.rx_pkts,
            tx_pkts=report.tx_pkts,
            lost_pkts=report.lost_pkts,
            discarded_pkts=report.discarded_pkts,
            loss_bursts=None if report.discarded_pkts else report.loss_bursts,
            jitter_avg_ms=report.jitter_avg_ms,
            jitter_max_ms=report.jitter_max_ms,
            rtt_ms=report.rtt_ms,
        )

    def close(
        self,
        *,
        slug: str,
        at: datetime,
        sip_status: int | None,
        q850: int | None,
        cause_source: CauseSource,
        party: HangupParty,
        basis: EndBasis = EndBasis.BYE,
        pin_attempts: int = 0,
        pin_result: PinResult | None = None,
    ) -> None:
        """The call is over.  With another basis than BYE it ends when it was last heard."""
        facts = self.facts
        if basis is not EndBasis.BYE and self._heard_ns:
            at = from_ns(self._heard_ns)
            # We learned of the end only later; nobody was in the room, or pays, after being last heard.
            facts = replace(facts, leave_at=None if facts.leave_at is None else min(facts.leave_at, at))
        way = outcome(slug)
        stats = self._stats()
        if stats is not None:
            facts = with_media(facts, stats)
        self.facts = replace(
            facts,
            leave_at=facts.leave_at or (at if facts.join_at else None),
            end_at=at,
            end_basis=basis,
            sip_status=sip_status,
            q850=way.q850 if q850 is None else q850,
            cause_source=cause_source,
            hangup_party=party,
            disposition=way.disposition,
            reason_slug=way.slug,
            pin_attempts=pin_attempts,
            pin_result=pin_result or way.pin_result,
        )
        self._store.close(self.facts)
