/* The top of the page: what the event is doing, for how long, and what stands between me and it. */

import { t } from "../../i18n.js";
import { byId, el, setAttribute, setClass, setHidden, setText } from "./dom.js";
import { iAmPresenter, mine } from "./reducer.js";
import { modeName } from "./words.js";

/** "1:02:07" or "12:05". */
export function clockText(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600);
  return hours > 0 ? `${hours}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

export class Bar {
  constructor({ ask, state, onEnd, onSound, resume }) {
    byId("start").addEventListener("click", () => ask("start"));
    byId("end").addEventListener("click", onEnd);
    this.state = state;
    this.onSound = onSound;
    this.resume = resume;
    this.strip = byId("strip");
    this.stripKey = null;
    setInterval(() => this.tick(), 1000);
  }

  tick() {
    const { room } = this.state();
    if (room.startedAtMs !== null) setText(byId("timer"), clockText((Date.now() - room.startedAtMs) / 1000));
  }

  render(state) {
    const { room } = state;
    if (room.name) setText(byId("event-name"), room.name);
    const badge = byId("badge-state");
    const live = state.link === "live" || state.link === "lost";
    setClass(badge, "live", live && room.started);
    setClass(badge, "good", live && room.started);
    setText(badge, !live ? t("Connecting…") : room.started ? t("Live") : t("Not started"));
    setHidden(byId("badge-mode"), !(live && room.started));
    setText(byId("badge-mode"), modeName(room.mode));
    setHidden(byId("badge-lock"), !room.locked);
    setHidden(byId("timer"), room.startedAtMs === null);
    this.tick();
    const presenter = iAmPresenter(state);
    setHidden(byId("start"), !presenter || room.started || !live);
    setHidden(byId("end"), !presenter || !room.started || !live);
    this.renderStrip(state);
  }

  /** One strip at a time: the thing that matters most. */
  renderStrip(state) {
    const [key, kind, text, action] = this.trouble(state);
    setHidden(this.strip, key === null);
    if (key === this.stripKey) return;
    this.stripKey = key;
    this.strip.replaceChildren();
    if (key === null) return;
    setAttribute(this.strip, "data-kind", kind);
    this.strip.append(el("span", { text }));
    if (action) this.strip.append(el("button", { type: "button", class: "btn small", text: action.label, on: { click: action.run } }));
  }

  trouble(state) {
    if (state.link === "lost") return ["lost", "warn", t("The connection was lost. Reconnecting…"), null];
    if (state.link !== "live") return [null];
    if (state.audioBlocked) {
      return ["blocked", "accent", t("Your browser waits for a click before it plays sound."), { label: t("Enable sound"), run: this.resume }];
    }
    const phone = mine(state)?.sound === "phone";
    if (!phone && (state.peer === "failed" || state.peer === "reconnecting")) {
      return ["peer", "warn", t("The sound is being connected again…"), null];
    }
    if (!phone && !["on", "off"].includes(state.microphone)) {
      return [`mic-${state.microphone}`, "warn", t("Your microphone does not work here. You can still listen."), { label: t("What can I do?"), run: this.onSound }];
    }
    return [null];
  }
}
