"""Numbers for Prometheus, read from the parts when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from billing.payments.hooks import HookDesk
from bridge.browsers.desk import BrowserDesk
from bridge.calls.switchboard import Switchboard
from bridge.cdr.guard import PinGuard
from bridge.cdr.store import CdrStore
from bridge.mixer.client import MixerClient
from bridge.sip.engine import SipEngine
from bridge.twilio.lines import TwilioLines
from rooms.live import LiveRooms
from rooms.webrtc.client import WebRtcClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is measured."""

    switchboard: Switchboard
    mixer: MixerClient
    sip: SipEngine
    guard: PinGuard
    cdrs: CdrStore
    live: LiveRooms
    hooks: HookDesk
    twilio: TwilioLines | None = None
    browsers: tuple[BrowserDesk, WebRtcClient] | None = None


class BridgeCollector(Collector):
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        parts = self._parts
        yield GaugeMetricFamily("tollbridge_calls", "Calls that are up.", value=parts.switchboard.calls)
        yield CounterMetricFamily(
            "tollbridge_calls",
            "Calls that reached us, refused ones included.",
            value=parts.switchboard.calls_total,
        )
        yield GaugeMetricFamily("tollbridge_rooms", "Rooms that are open.", value=len(parts.live))
        yield GaugeMetricFamily("tollbridge_sip_lines", "Calls that pjsua2 can carry.", value=parts.sip.lines)
        sip = CounterMetricFamily("tollbridge_sip", "Counters of the SIP side.", labels=["what"])
        for name, value in parts.sip.stats().items():
            if name not in ("lines", "active", "pump_delay_ms_max"):
                sip.add_metric([name], value)
        yield sip
        yield from self._mixer()
        yield from self._pins()
        yield from self._records()
        yield from _hooks(parts.hooks)
        if parts.twilio is not None:
            yield from _twilio(parts.twilio)
        if parts.browsers is not None:
            yield from _browsers(*parts.browsers)

    def _mixer(self) -> Iterator[Metric]:
        mixer = self._parts.mixer
        yield GaugeMetricFamily("tollbridge_legs", "Legs of the mixer.", value=mixer.legs)
        yield CounterMetricFamily(
            "tollbridge_mixer_restarts", "Media workers that died.", value=mixer.restarts
        )
        stats = mixer.stats
        if stats is None:
            return
        yield CounterMetricFamily("tollbridge_ticks", "Ticks of 20 ms.", value=stats.ticks)
        yield CounterMetricFamily(
            "tollbridge_late_ticks", "Ticks begun over 5 ms late.", value=stats.late_ticks
        )
        tick = GaugeMetricFamily("tollbridge_tick_ms", "Time a tick took, last second.", labels=["of"])
        tick.add_metric(["mean"], stats.tick_ms_mean)
        tick.add_metric(["max"], stats.tick_ms_max)
        yield tick
        packets = CounterMetricFamily("tollbridge_rtp_packets", "RTP packets.", labels=["direction"])
        packets.add_metric(["in"], stats.rx_pkts)
        packets.add_metric(["out"], stats.tx_pkts)
        yield packets
        drops = CounterMetricFamily(
            "tollbridge_rtp_dropped", "Packets not used, by reason.", labels=["reason"]
        )
        for reason, count in stats.dropped.items():
            drops.add_metric([reason], count)
        yield drops

    def _pins(self) -> Iterator[Metric]:
        guard = self._parts.guard.stats()
        wrong = guard.attempts - guard.right - guard.blocked
        yield CounterMetricFamily("tollbridge_pin_attempts", "PINs typed.", value=guard.attempts)
        yield CounterMetricFamily(
            "tollbridge_pin_failures", "PINs that were wrong.", value=wrong + guard.blocked
        )
        yield CounterMetricFamily(
            "tollbridge_pin_delayed", "PINs answered late on purpose.", value=guard.delayed
        )
        yield CounterMetricFamily("tollbridge_pin_blocked", "PINs not looked at.", value=guard.blocked)

    def _records(self) -> Iterator[Metric]:
        cdrs = self._parts.cdrs.stats()
        yield GaugeMetricFamily("tollbridge_cdr_waiting", "Records not yet written down.", value=cdrs.queued)
        yield CounterMetricFamily(
            "tollbridge_cdr_delivered", "Records in the database.", value=cdrs.delivered
        )
        lost = CounterMetricFamily("tollbridge_cdr_lost", "Records dropped or refused.", labels=["how"])
        for how in ("dropped", "rejected", "conflicts"):
            lost.add_metric([how], getattr(cdrs, how))
        yield lost


def _twilio(lines: TwilioLines) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "tollbridge_twilio_streams", "Media sockets that carry a call.", value=lines.streams
    )
    counters = CounterMetricFamily("tollbridge_twilio", "Counters of the Twilio side.", labels=["what"])
    for name, value in lines.counters().items():
        counters.add_metric([name], value)
    yield counters


def _hooks(desk: HookDesk) -> Iterator[Metric]:
    hooks = CounterMetricFamily(
        "tollbridge_payment_hooks",
        "Messages of payment providers, by what came of them.",
        labels=["psp", "end"],
    )
    for (psp, end), count in list(desk.counts.items()):
        hooks.add_metric([psp, end], count)
    yield hooks


def _browsers(desk: BrowserDesk, client: WebRtcClient) -> Iterator[Metric]:
    yield GaugeMetricFamily("tollbridge_browsers", "Browsers in rooms.", value=desk.visits)
    yield CounterMetricFamily("tollbridge_browsers", "Visits by browser so far.", value=desk.visits_total)
    yield GaugeMetricFamily(
        "tollbridge_browser_legs", "Legs of the mixer that browsers use.", value=desk.sources
    )
    yield CounterMetricFamily(
        "tollbridge_webrtc_restarts", "WebRTC processes that died.", value=client.restarts
    )
    stats = client.stats()
    if stats is None:
        return
    yield GaugeMetricFamily("tollbridge_webrtc_connected", "Browsers with sound.", value=stats.connected)
    counts = CounterMetricFamily("tollbridge_webrtc", "Counters of the WebRTC process.", labels=["what"])
    for name in ("rx_pkts", "tx_pkts", "encodes", "decodes", "concealed", "ticks", "late_ticks"):
        counts.add_metric([name], getattr(stats, name))
    yield counts
    drops = CounterMetricFamily(
        "tollbridge_webrtc_dropped", "Browsers' packets not used, by reason.", labels=["reason"]
    )
    for reason, count in stats.dropped.items():
        drops.add_metric([reason], count)
    yield drops
