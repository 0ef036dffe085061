/* The stage: those who may be heard, large, and what one sees while nothing can be heard.
 *
 * Presenters, the holder of the floor and whoever speaks get a tile, at most TILES; whoever spoke keeps it
 * for a while, so that tiles do not come and go with every sentence.
 */

import { t } from "../../i18n.js";
import { List, byId, setAttribute, setHidden, setText } from "./dom.js";
import { personTile } from "./person.js";
import { PRESENTER, iAmPresenter, mine } from "./reducer.js";

const TILES = 12;
const KEPT_MS = 8_000;
const NAMES = 5;

export class Stage {
  constructor({ ask, state, onSound }) {
    this.tiles = new List(byId("tiles"), personTile);
    this.spokeAt = new Map();
    byId("waiting-music").addEventListener("click", () => ask("music", { on: !mine(state()).music }));
    byId("waiting-sound").addEventListener("click", onSound);
  }

  render(state) {
    this.renderTiles(state, performance.now());
    this.renderWaiting(state);
  }

  renderTiles(state, now_ms) {
    const shown = [];
    const speaking = [];
    for (const person of state.people.values()) {
      if (person.talking) this.spokeAt.set(person.id, now_ms);
      if (person.role === PRESENTER || person.floor) shown.push(person);
      else if (this.spokeAt.has(person.id)) speaking.push(person);
    }
    for (const [id, at_ms] of this.spokeAt) {
      if (now_ms - at_ms > KEPT_MS || !state.people.has(id)) this.spokeAt.delete(id);
    }
    const tiles = [...shown, ...speaking.filter(({ id }) => this.spokeAt.has(id))].slice(0, TILES);
    this.tiles.update(tiles.map((person) => [person.id, person]));
    setHidden(byId("tiles"), tiles.length === 0);
    setAttribute(byId("tiles"), "data-count", Math.min(tiles.length, 5));
  }

  renderWaiting(state) {
    const me = mine(state);
    const presenter = iAmPresenter(state);
    const started = state.room.started;
    const waiting = state.link !== "connecting" && me !== null && (!started || (!presenter && state.room.mode === "presenters_only"));
    setHidden(byId("waiting"), !waiting);
    byId("room").dataset.waiting = waiting && !presenter ? "1" : "";
    if (!waiting) return;
    this.renderWho(state, started);
    if (presenter) {
      setText(byId("waiting-title"), t("The event has not started"));
      setText(byId("waiting-text"), t("Presenters hear each other already. Everybody else waits with music until you press Start."));
    } else if (!started) {
      const far = byId("countdown")?.dataset.far === "1";
      setText(byId("waiting-title"), far ? t("You are early") : t("The event begins soon"));
      setText(byId("waiting-text"), t("You are in the right place. It starts by itself when a presenter opens it."));
    } else {
      setText(byId("waiting-title"), t("One moment, please"));
      setText(byId("waiting-text"), t("The presenters are talking among themselves. You will hear them again shortly."));
    }
    const button = byId("waiting-music");
    setHidden(button, presenter);
    setAttribute(button, "aria-pressed", me.music ? "true" : "false");
    setText(button.querySelector("span"), me.music ? t("Music off") : t("Music on"));
    setAttribute(byId("waiting"), "data-music", me.music && state.hear === "music" ? "1" : null);
  }
  /** Who presents, in a sentence; there is a place for it where the event has a waiting room. */
  renderWho(state, started) {
    const line = byId("waiting-who");
    if (line === null) return;
    const names = [...state.people.values()].filter(({ id, role }) => role === PRESENTER && id !== state.me?.id).map(({ name }) => name);
    setHidden(line, started || iAmPresenter(state));
    const first = new Intl.ListFormat(document.documentElement.lang).format(names.slice(0, NAMES));
    const list = names.length > NAMES ? `${first} …` : first;
    setText(line, names.length === 0 ? t("No presenter is here yet.") : t("Presenting: {names}", { names: list }));
  }
}
