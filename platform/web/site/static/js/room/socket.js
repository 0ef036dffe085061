/* The live socket: numbered questions out, answers and events in, and a connection that comes back.
 *
 * Each connection counts its questions from 1 and begins with `hello`, which carries the last sequence
 * number seen, so that the server can send just what was missed. Some close codes are the
 * server's word that coming back makes no sense (FINAL), and so is a `hello` that is refused; everything else
 * is a network that went away and is tried again, after 0.3 s at first, then twice as long each time up to 15 s, with a random
 * part so that 500 pages do not return in the same moment. `online` and a page that becomes visible try at
 * once. A silent network is found by a ping every 20 s that must be answered within 8 s.
 */

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 15_000;
const PING_EVERY_MS = 20_000;
const ANSWER_WITHIN_MS = 8_000;

/** Close codes after which one does not come back: ended, elsewhere, left, removed, ticket too old, over. */
const FINAL = new Set([4000, 4001, 4002, 4003, 4403, 4410]);

/** A question that the server refused; `slug` is its reason. */
export class Refused extends Error {
  constructor({ slug, message }) {
    super(message ?? slug);
    this.slug = slug;
  }
}

export class LiveSocket {
  /** `lastSeq()` gives the last sequence number seen or null; `onMessage(object)` gets what is no answer;
   *  `onLink(state, detail)` hears "live", "lost", "closed" (code) and
   *  "refused" (slug). */
  constructor(url, { lastSeq, onMessage, onLink }) {
    this.url = url;
    this.lastSeq = lastSeq;
    this.onMessage = onMessage;
    this.onLink = onLink;
    this.socket = null;
    this.pending = new Map();
    this.wait_ms = FIRST_WAIT_MS;
    this.timer = null;
    this.pinger = null;
    this.done = false;
  }

  start() {
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.hurry();
    });
    this.connect();
  }

  get live() {
    return this.socket !== null && this.socket.readyState === WebSocket.OPEN;
  }

  connect() {
    clearTimeout(this.timer);
    this.n = 0;
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.addEventListener("open", async () => {
      try {
        await this.ask("hello", { seq: this.lastSeq() });
      } catch (error) {
        if (error instanceof Refused && socket === this.socket) {
          this.stop();
          this.onLink("refused", error.slug);
        }
        return;
      }
      this.wait_ms = FIRST_WAIT_MS;
      this.onLink("live");
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket === this.socket) this.receive(JSON.parse(data));
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.socket) this.closed(event);
    });
    clearInterval(this.pinger);
    this.pinger = setInterval(() => this.check(), PING_EVERY_MS);
  }

  /** Ask something; the answer's fields, or Refused, or an Error when the connection is gone. */
  ask(what, fields = {}) {
    if (!this.live) return Promise.reject(new Error("not connected"));
    const n = ++this.n;
    const answer = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.pending.delete(n);
        reject(new Error("no answer"));
      }, ANSWER_WITHIN_MS);
      this.pending.set(n, { resolve, reject, timer });
    });
    this.socket.send(JSON.stringify({ n, do: what, ...fields }));
    return answer;
  }

  receive(message) {
    const pending = this.pending.get(message.re);
    if (message.re === undefined || message.re === null) {
      this.onMessage(message);
    } else if (pending !== undefined) {
      this.pending.delete(message.re);
      clearTimeout(pending.timer);
      if (message.error) pending.reject(new Refused(message.error));
      else pending.resolve(message);
    }
  }

  /** Find out now whether the line is alive; a dead one is closed, which begins the way back. */
  async check() {
    const socket = this.socket;
    if (!this.live) return;
    try {
      await this.ask("ping");
    } catch (error) {
      if (!(error instanceof Refused) && socket === this.socket) this.drop();
    }
  }

  /** The network or the page woke up: do not wait for the timer. */
  hurry() {
    if (this.done) return;
    if (this.live) this.check();
    else if (this.socket === null) this.connect();
  }

  /** Give the connection up without waiting for the other side to agree. */
  drop() {
    const socket = this.socket;
    this.closed({ code: 1006 });
    socket.close();
  }

  closed({ code }) {
    this.socket = null;
    clearInterval(this.pinger);
    for (const { reject, timer } of this.pending.values()) {
      clearTimeout(timer);
      reject(new Error("connection lost"));
    }
    this.pending.clear();
    if (this.done) return;
    if (FINAL.has(code)) {
      this.done = true;
      this.onLink("closed", code);
      return;
    }
    this.onLink("lost");
    this.timer = setTimeout(() => this.connect(), this.wait_ms * (0.75 + Math.random() / 2));
    this.wait_ms = Math.min(this.wait_ms * 2, LONGEST_WAIT_MS);
  }

  /** For good. */
  stop() {
    this.done = true;
    clearTimeout(this.timer);
    this.socket?.close();
  }
}
