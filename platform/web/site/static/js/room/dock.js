/* My controls: the microphone, the hand, the music, my way of sound, and out. */

import { t, tn } from "../../i18n.js";
import { byId, setAttribute, setHidden, setIcon, setText } from "./dom.js";
import { setBars } from "./person.js";
import { iAmPresenter, mayBeHeard, mine, whyNotHeard } from "./reducer.js";
import { reasonNotHeard } from "./words.js";

export class Dock {
  constructor({ state, toggleMute, toggleHand, ask, onSound, onLeave }) {
    this.mute = byId("mute");
    this.hand = byId("hand");
    this.music = byId("music");
    this.mute.addEventListener("click", toggleMute);
    this.hand.addEventListener("click", toggleHand);
    this.music.addEventListener("click", () => ask("music", { on: !mine(state()).music }));
    byId("sound").addEventListener("click", onSound);
    byId("leave").addEventListener("click", onLeave);
    const bars = byId("my-bars");
    for (let at = 0; at < 4; at += 1) bars.append(document.createElement("i"));
  }

  render(state) {
    const me = mine(state);
    const presenter = iAmPresenter(state);
    this.renderMute(state, me, presenter);
    const participant = me !== null && !presenter;
    setHidden(this.hand, !participant);
    if (participant) {
      const asking = me.question !== null;
      setAttribute(this.hand, "aria-pressed", asking ? "true" : "false");
      const label = me.floor ? t("Give back") : asking ? t("In queue: {n}", { n: me.question }) : t("Ask");
      setText(this.hand.querySelector(".round-label"), label);
      setAttribute(this.hand, "aria-label", me.floor ? t("Give the floor back") : asking ? t("Withdraw my question, number {n} in the queue", { n: me.question }) : t("Ask a question"));
      setAttribute(this.hand, "aria-keyshortcuts", "H");
    }
    const hearsMusic = participant && !(state.room.started && state.room.mode !== "presenters_only");
    setHidden(this.music, !hearsMusic);
    if (hearsMusic) {
      setAttribute(this.music, "aria-pressed", me.music ? "true" : "false");
      setText(this.music.querySelector(".round-label"), me.music ? t("Music off") : t("Music on"));
    }
    const byPhone = me?.sound === "phone";
    setIcon(byId("sound").querySelector("svg"), byPhone ? "phone" : "settings");
    setText(byId("sound").querySelector(".round-label"), byPhone ? t("By phone") : t("Sound"));
    setBars(byId("my-bars"), byPhone ? (me.quality ?? null) : (state.bars ?? me?.quality ?? null));
  }

  renderMute(state, me, presenter) {
    const why = whyNotHeard(state);
    const muted = state.pendingMute ?? me?.muted ?? false;
    const allowed = me !== null && mayBeHeard(state.room, me);
    const heard = why === null && !muted;
    const look = heard ? "on" : allowed && muted ? "muted" : allowed ? "waiting" : "not-allowed";
    setAttribute(this.mute, "data-state", look);
    setAttribute(this.mute, "data-talking", heard && me.talking ? "1" : null);
    setIcon(this.mute.querySelector("svg"), muted || !heard ? "mic-off" : "mic");
    setText(this.mute.querySelector(".round-label"), muted ? t("Unmute") : t("Mute"));
    setAttribute(this.mute, "aria-label", muted ? t("Unmute my microphone") : t("Mute my microphone"));
    setAttribute(this.mute, "aria-pressed", muted ? "true" : "false");
    setAttribute(this.mute, "aria-keyshortcuts", "M");
    setAttribute(this.mute, "aria-describedby", "reason");
    setAttribute(this.mute, "aria-disabled", me === null || state.link !== "live" ? "true" : null);
    const words = reasonNotHeard(muted && allowed && why === null ? "muted_self" : why, { presenter });
    const [headline, detail] = words ?? [t("You are live"), this.listeners(state)];
    const reason = byId("reason");
    setText(reason.firstElementChild, headline);
    setText(reason.lastElementChild, detail);
    setAttribute(reason, "data-state", look);
  }

  listeners(state) {
    const others = state.people.size - 1;
    if (others <= 0) return t("Nobody else is here yet.");
    return tn("{n} person hears you.", "{n} people hear you.", others);
  }
}
