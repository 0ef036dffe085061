/* Dialogs, the menu of a person, and toasts. Focus goes in when something opens and comes back to where it
 * was when it closes; Escape closes everything.
 */

import { byId, el } from "./dom.js";

export class Dialogs {
  /** Show a dialog; resolves to the value of the button that closed it ("" for Escape). */
  open(id) {
    const dialog = byId(id);
    const before = document.activeElement;
    dialog.returnValue = "";
    if (!dialog.open) dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        before?.focus?.();
        resolve(dialog.returnValue);
      }, { once: true });
    });
  }

  /** A click beside a dialog or on "Cancel" closes it. "Cancel" is no submit button: the Enter key would press
   *  the first one there is. */
  install() {
    for (const button of document.querySelectorAll("dialog [data-close]")) {
      button.addEventListener("click", () => button.closest("dialog").close(""));
    }
    for (const dialog of document.querySelectorAll("dialog")) {
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog) dialog.close("");
      });
    }
  }
}

export class Menu {
  constructor() {
    this.node = byId("menu");
    this.anchor = null;
    this.node.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("pointerdown", (event) => {
      if (!this.node.hidden && !this.node.contains(event.target) && !this.anchor?.contains(event.target)) this.close(false);
    });
    addEventListener("resize", () => this.close(false));
  }

  /** `entries`: [{label, run, danger}]; opens beside the button it belongs to, or closes when it is open. */
  toggle(anchor, label, entries) {
    if (!this.node.hidden && this.anchor === anchor) {
      this.close(true);
      return;
    }
    this.anchor = anchor;
    this.node.setAttribute("aria-label", label);
    this.node.replaceChildren(...entries.map(({ label: text, run, danger }) => el("button", {
      type: "button",
      role: "menuitem",
      tabindex: "-1",
      class: danger ? "danger" : "",
      text,
      on: { click: () => { this.close(true); run(); } },
    })));
    this.node.hidden = false;
    const at = anchor.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.node;
    const below = at.bottom + height + 8 < innerHeight;
    this.node.style.left = `${Math.max(8, Math.min(at.right - width, innerWidth - width - 8))}px`;
    this.node.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - height - 4)}px`;
    anchor.setAttribute("aria-expanded", "true");
    this.node.firstElementChild?.focus();
  }

  close(refocus) {
    if (this.node.hidden) return;
    this.node.hidden = true;
    this.anchor?.setAttribute("aria-expanded", "false");
    if (refocus) this.anchor?.focus();
    this.anchor = null;
  }

  key(event) {
    const items = [...this.node.children];
    const at = items.indexOf(document.activeElement);
    const go = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (go !== undefined) {
      event.preventDefault();
      items[(go + items.length) % items.length].focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      this.close(true);
    }
  }
}

/** A note at the bottom for `seconds`; with an action it has a button and stays until used or over. */
export function toast(text, { action = null, seconds = 4, kind = "" } = {}) {
  const note = el("p", { class: `toast ${kind}`.trim() }, el("span", { text }));
  const timer = setTimeout(() => note.remove(), seconds * 1000);
  if (action !== null) {
    note.classList.add("with-action");
    note.style.setProperty("--toast-s", `${seconds}s`);
    note.append(el("button", {
      type: "button",
      class: "btn small",
      text: action.label,
      on: { click: () => { clearTimeout(timer); note.remove(); action.run(); } },
    }));
  }
  byId("toasts").append(note);
  return note;
}
