/* The server's time, on machines whose own clock is wrong.
 *
 * The page says when it was made. From then on the browser counts by its monotonic clock, which nobody sets; and
 * because that one may stand still while a laptop sleeps, the server is asked again (`/clock`) when the page is
 * seen again and every few minutes. Half of the way there and back is taken off.
 */

const AGAIN_MS = 5 * 60_000;
const FAR_OFF_MS = 2 * 60_000;

export class ServerClock {
  constructor(madeAtMs) {
    const arrived = performance.getEntriesByType("navigation")[0]?.responseStart ?? 0;
    this.offset_ms = madeAtMs - arrived;
  }

  /** Unix milliseconds, as the server would say now. */
  now() {
    return performance.now() + this.offset_ms;
  }

  /** How many milliseconds the visitor's own clock is ahead, when that is worth a word; else 0. */
  wrongBy() {
    const ahead = Date.now() - this.now();
    return Math.abs(ahead) > FAR_OFF_MS ? ahead : 0;
  }

  /** Keep right from now on; `onChange` after each correction. */
  keep(onChange) {
    const again = () => {
      if (!document.hidden) this.ask().then(onChange, () => {});
    };
    document.addEventListener("visibilitychange", again);
    setInterval(again, AGAIN_MS);
  }

  async ask() {
    const sent = performance.now();
    const answer = await fetch("/clock", { cache: "no-store" });
    if (!answer.ok) return;
    const { now } = await answer.json();
    const back = performance.now();
    this.offset_ms = now - (sent + back) / 2;
  }
}
