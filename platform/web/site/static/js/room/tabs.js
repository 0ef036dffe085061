/* The tabs of the side: one panel at a time (WAI-ARIA tabs pattern). On small screens the stage is a tab, too;
 * on large ones it always shows, and its tab stands for the people.
 */

import { byId, setHidden } from "./dom.js";

const NAMES = ["stage", "people", "questions", "phone"];

export class Tabs {
  constructor() {
    this.small = matchMedia("(max-width: 56rem)");
    this.current = this.small.matches ? "stage" : "people";
    for (const name of NAMES) {
      const tab = byId(`tab-${name}`);
      tab.addEventListener("click", () => this.choose(name));
      tab.addEventListener("keydown", (event) => this.key(event));
    }
    this.small.addEventListener("change", () => this.choose(this.current));
    this.choose(this.current);
  }

  choose(name, { focus = false } = {}) {
    this.current = name === "stage" && !this.small.matches ? "people" : name;
    byId("room").dataset.tab = this.current;
    for (const each of NAMES) {
      const on = each === this.current;
      const tab = byId(`tab-${each}`);
      tab.setAttribute("aria-selected", on ? "true" : "false");
      tab.tabIndex = on ? 0 : -1;
      if (each !== "stage") setHidden(byId(`panel-${each}`), !on);
    }
    if (focus && this.current !== "stage") byId(`panel-${this.current}`).focus();
  }

  key(event) {
    const names = NAMES.filter((name) => name !== "stage" || this.small.matches);
    const at = names.indexOf(this.current);
    const go = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (go === undefined) return;
    event.preventDefault();
    this.choose(names[(go + names.length) % names.length]);
    byId(`tab-${this.current}`).focus();
  }
}
