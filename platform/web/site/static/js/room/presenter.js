/* What only presenters see: the modes, the switches, the end. */

import { t } from "../../i18n.js";
import { byId, el, icon, setAttribute, setHidden, setText } from "./dom.js";
import { iAmPresenter } from "./reducer.js";
import { modeExplained, modeName } from "./words.js";

const MODES = [
  ["listen_only", "speaker"],
  ["qa", "question"],
  ["discussion", "people"],
  ["presenters_only", "lock"],
];

export class PresenterControls {
  constructor({ ask, state, dialogs }) {
    this.ask = ask;
    this.state = state;
    this.buttons = new Map();
    for (const [mode, picture] of MODES) {
      const name = el("b", { text: modeName(mode) });
      const why = el("small");
      const button = el("button", {
        type: "button",
        class: "mode",
        dataset: { mode },
        on: { click: () => this.choose(mode) },
      }, icon(picture), el("span", {}, name, why));
      this.buttons.set(mode, { button, why });
      byId("modes").append(button);
    }
    byId("modes").append(el("p", { class: "hint modes-note", text: t("Another mode mutes the other presenters; they unmute themselves.") }));
    byId("toggle-lock").addEventListener("click", () => ask(state().room.locked ? "unlock" : "lock"));
    byId("toggle-music").addEventListener("click", () => ask("music", { on: !state().room.musicOn }));
    byId("toggle-gateway").addEventListener("click", () => ask("gateway", { on: !state().room.gateway }));
    byId("toggle-toll-free").addEventListener("click", () => this.tollFree(dialogs));
    byId("end-open").addEventListener("click", () => this.end("stop"));
    byId("end-close").addEventListener("click", () => this.end("end"));
  }

  choose(mode) {
    if (this.state().room.mode !== mode) this.ask("set_mode", { mode });
  }

  end(what) {
    byId("dialog-end").close();
    this.ask(what);
  }

  /** Toll-free minutes need people who can dial in: offer to switch the phone gateway on. */
  async tollFree(dialogs) {
    const { room } = this.state();
    if (room.tollFree || room.gateway) {
      await this.ask("toll_free", { on: !room.tollFree });
      return;
    }
    const answer = await dialogs.open("dialog-gateway");
    if (answer !== "only" && answer !== "both") return;
    if (answer === "both") await this.ask("gateway", { on: true });
    await this.ask("toll_free", { on: true });
  }

  render(state) {
    const presenter = iAmPresenter(state);
    setHidden(byId("controls"), !presenter);
    if (!presenter || this.shown === state.room) return;
    this.shown = state.room;
    for (const [mode, { button, why }] of this.buttons) {
      setAttribute(button, "aria-pressed", state.room.mode === mode ? "true" : "false");
      setText(why, modeExplained(mode, state.room.discussionLimit ?? 25));
    }
    this.flip("toggle-lock", state.room.locked);
    this.flip("toggle-music", state.room.musicOn);
    this.flip("toggle-gateway", state.room.gateway);
    this.flip("toggle-toll-free", state.room.tollFree);
  }

  flip(id, on) {
    setAttribute(byId(id), "aria-checked", on ? "true" : "false");
  }
}
