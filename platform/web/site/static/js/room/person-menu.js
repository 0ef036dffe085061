/* What one may do with a person, as entries of a menu. Presenters may do everything with everybody; everybody
 * may rename themselves.
 */

import { t } from "../../i18n.js";
import { PRESENTER, iAmPresenter } from "./reducer.js";

export function personMenu(state, person, { ask, kick, rename }) {
  const self = person.id === state.me?.id;
  const entries = [];
  if (iAmPresenter(state)) {
    const participant = { participant: person.id };
    entries.push(person.muted
      ? { label: t("Unmute"), run: () => ask("unmute", participant) }
      : { label: t("Mute"), run: () => ask("mute", participant) });
    if (person.role !== PRESENTER && state.room.started && state.room.mode === "qa") {
      entries.push(person.floor
        ? { label: t("Take the floor back"), run: () => ask("take_floor", participant) }
        : { label: t("Give the floor"), run: () => ask("give_floor", participant) });
    }
  }
  if (self || iAmPresenter(state)) entries.push({ label: t("Change the name"), run: () => rename(person) });
  if (iAmPresenter(state) && !self) entries.push({ label: t("Remove from the event"), run: () => kick(person), danger: true });
  return entries;
}
