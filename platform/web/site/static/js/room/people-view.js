/* The list of people: presenters first, then everybody else in order of joining; whoever has the floor or
 * asks stands before those who just listen, in the order of the queue. Talking moves nobody, so that a row
 * stays where the eye left it. From a dozen people on there is a field to find one.
 *
 * Rows outside the viewport are skipped by the browser (`content-visibility` in room.css).
 */

import { t, tn } from "../../i18n.js";
import { List, byId, setHidden, setText } from "./dom.js";
import { personRow } from "./person.js";
import { PRESENTER, iAmPresenter } from "./reducer.js";

const FILTER_FROM = 12;

/** [presenters, participants] as the list shows them. Pure. */
export function arranged(state, wanted = "") {
  const needle = wanted.trim().toLocaleLowerCase();
  const presenters = [];
  const speaking = [];
  const listening = [];
  for (const person of state.people.values()) {
    if (needle && !person.name.toLocaleLowerCase().includes(needle)) continue;
    if (person.role === PRESENTER) presenters.push(person);
    else if (person.floor || person.question !== null) speaking.push(person);
    else listening.push(person);
  }
  speaking.sort((a, b) => (a.floor ? 0 : a.question) - (b.floor ? 0 : b.question));
  return [presenters, [...speaking, ...listening]];
}

export class PeopleView {
  constructor({ state, onMenu }) {
    const make = personRow({
      meId: () => state().me?.id ?? null,
      onMenu,
      menuFor: (person) => iAmPresenter(state()) || person.id === state().me?.id,
    });
    this.presenters = new List(byId("list-presenters"), make);
    this.participants = new List(byId("list-participants"), make);
    this.filter = byId("filter");
    this.filter.addEventListener("input", () => this.render(state()));
    this.shown = null;
  }

  render(state) {
    const wanted = this.filter.value;
    const { started } = state.room;
    if (this.shown?.people === state.people && this.shown.wanted === wanted && this.shown.started === started) return;
    this.shown = { people: state.people, wanted, started };
    const [presenters, participants] = arranged(state, wanted);
    this.presenters.update(presenters.map((person) => [person.id, person]));
    this.participants.update(participants.map((person) => [person.id, person]));
    setText(byId("people-count"), String(state.people.size));
    byId("people-count").setAttribute("aria-label", tn("{n} person", "{n} people", state.people.size));
    setHidden(byId("filter-box"), state.people.size < FILTER_FROM && wanted === "");
    setHidden(byId("label-presenters"), presenters.length === 0);
    setHidden(byId("label-participants"), participants.length === 0);
    setText(byId("label-participants"), started ? t("Participants") : t("Waiting"));
    const empty = presenters.length + participants.length === 0;
    setHidden(byId("people-empty"), !empty);
    setText(byId("people-empty"), wanted ? t("Nobody of that name is here.") : t("Nobody is here yet."));
  }
}
