/* From getStats to bars. Pure: two samples in, 0 to 4 bars out.
 *
 * The bars follow what an ear notices of Opus speech with concealment: loss above 1 % is just audible, above
 * 10 % words get lost; a round trip above 300 ms makes people talk at the same time (ITU-T G.114 asks for
 * 150 ms one way); jitter is absorbed by the buffer until it exceeds it, so it counts late.
 */

const STEPS = [
  { bars: 4, loss: 0.01, rtt_ms: 200, jitter_ms: 30 },
  { bars: 3, loss: 0.03, rtt_ms: 300, jitter_ms: 50 },
  { bars: 2, loss: 0.08, rtt_ms: 500, jitter_ms: 100 },
  { bars: 1, loss: 0.2, rtt_ms: 1000, jitter_ms: 200 },
];

/** A sample of an RTCStatsReport: counters since the beginning, and what is measured now. */
export function sampleOf(report) {
  const sample = { received: 0, lost: 0, jitter_ms: 0, rtt_ms: 0 };
  for (const stat of report.values()) {
    if (stat.type === "inbound-rtp" && stat.kind === "audio") {
      sample.received += stat.packetsReceived ?? 0;
      sample.lost += Math.max(0, stat.packetsLost ?? 0);
      sample.jitter_ms = (stat.jitter ?? 0) * 1000;
    } else if (stat.type === "candidate-pair" && stat.nominated && stat.state === "succeeded") {
      sample.rtt_ms = (stat.currentRoundTripTime ?? 0) * 1000;
    }
  }
  return sample;
}

/** Bars between two samples, or null when nothing was received in between (no news is not bad news:
 *  the connection's own state tells that). */
export function barsBetween(before, after) {
  const received = after.received - before.received;
  const lost = Math.max(0, after.lost - before.lost);
  if (received <= 0) return null;
  const loss = lost / (received + lost);
  for (const step of STEPS) {
    if (loss <= step.loss && after.rtt_ms <= step.rtt_ms && after.jitter_ms <= step.jitter_ms) return step.bars;
  }
  return 0;
}
