/* The queue of questions in order, and who has the floor. */

import { t } from "../../i18n.js";
import { List, byId, el, icon, setAttribute, setHidden, setText } from "./dom.js";
import { avatar, initials } from "./person.js";
import { iAmPresenter, mine } from "./reducer.js";

export class QuestionsView {
  constructor({ state, ask }) {
    this.ask = ask;
    this.list = new List(byId("list-questions"), (first) => this.row(first, state));
    this.floor = byId("floor-card");
    this.floorFace = el("span");
    this.floorName = el("b");
    this.floorButton = el("button", { type: "button", class: "btn small", on: { click: () => ask("take_floor") } });
    this.floor.append(this.floorFace, el("div", {}, el("small", { text: t("Has the floor") }), this.floorName), this.floorButton);
    byId("next-question").addEventListener("click", () => ask("give_floor"));
  }

  row(first, state) {
    const face = avatar(first);
    const name = el("span", { class: "name" });
    const place = el("span", { class: "place", "aria-hidden": "true" });
    const give = el("button", {
      type: "button",
      class: "btn small",
      on: { click: () => this.ask("give_floor", { participant: first.id }) },
    }, el("span", { text: t("Give the floor") }));
    const node = el("li", { class: "person asking", dataset: { id: first.id } }, place, face, el("div", { class: "who-text" }, name), give);
    const patch = (person) => {
      setText(place, String(person.question));
      setText(name, person.name);
      setText(face, initials(person.name));
      setHidden(give, !iAmPresenter(state()));
      setAttribute(give, "aria-label", t("Give the floor to {name}", { name: person.name }));
    };
    return { node, patch };
  }

  render(state) {
    if (this.shown?.people === state.people && this.shown.room === state.room) return;
    this.shown = { people: state.people, room: state.room };
    const asking = state.queue.map((id) => state.people.get(id)).filter(Boolean);
    this.list.update(asking.map((person) => [person.id, person]));
    setHidden(byId("question-count"), asking.length === 0);
    setText(byId("question-count"), String(asking.length));
    setHidden(byId("questions-empty"), asking.length > 0);
    const me = mine(state);
    const hint = iAmPresenter(state)
      ? t("Questions appear here in the order in which people ask.")
      : t("Nobody is waiting. Raise your hand to ask a question.");
    setText(byId("questions-empty"), hint);
    const holder = state.floor === null ? null : (state.people.get(state.floor) ?? null);
    setHidden(this.floor, holder === null);
    if (holder !== null) {
      this.floorFace.className = avatar(holder).className;
      setText(this.floorFace, initials(holder.name));
      setText(this.floorName, holder.name);
      setHidden(this.floorButton, !iAmPresenter(state) && holder.id !== me?.id);
      setText(this.floorButton, holder.id === me?.id ? t("Give it back") : t("Take the floor back"));
    }
    const canGive = iAmPresenter(state) && asking.length > 0 && state.room.mode === "qa" && state.room.started;
    setHidden(byId("next-question"), !canGive);
  }
}
