/* What covers the room when one is not in it any more, and what one can do then. */

import { t } from "../../i18n.js";
import { byId, setHidden, setIcon, setText } from "./dom.js";
import { refusal } from "./words.js";

/** [picture, headline, text, label of the button that tries again or null] for a link; null: no curtain. */
export function curtainFor(link, slug) {
  switch (link) {
    case "elsewhere":
      return ["copy", t("This event is open in another tab"), t("You can be in the room once. Use the other tab, or come back here."), t("Use it here")];
    case "removed":
      return ["out", t("You were removed from the event"), t("A presenter ended your participation. If that was a mistake, ask them to undo it and join again."), null];
    case "ended":
      return ["check", t("The event is over"), t("Thank you for taking part. You can close this page."), null];
    case "left":
      return ["out", t("You left the event"), t("You can come back as long as it lasts."), null];
    case "refused":
      return ["lock", t("You cannot enter now"), refusal(slug), t("Try again")];
    default:
      return null;
  }
}

export class Curtain {
  constructor({ again }) {
    this.shown = null;
    byId("curtain-again").addEventListener("click", again);
  }

  render(state) {
    const key = `${state.link} ${state.refusal}`;
    if (key === this.shown) return;
    this.shown = key;
    const content = curtainFor(state.link, state.refusal);
    const room = byId("room");
    room.dataset.phase = state.link;
    setHidden(byId("curtain"), content === null);
    for (const part of room.querySelectorAll(":scope > .bar, :scope > .room-grid, :scope > .dock, :scope > .strip")) {
      part.inert = content !== null;
    }
    if (content === null) return;
    const [picture, headline, text, again] = content;
    setIcon(byId("curtain-icon").querySelector("svg"), picture);
    setText(byId("curtain-title"), headline);
    setText(byId("curtain-text"), text);
    setHidden(byId("curtain-again"), again === null);
    setText(byId("curtain-again"), again ?? "");
    setHidden(byId("curtain-link"), state.link === "ended" || state.link === "elsewhere");
    for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close("");
    byId("curtain").focus();
  }
}
