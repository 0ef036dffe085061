/* Sound by telephone: the card with numbers to dial, and the dialog with my own PIN.
 *
 * A presenter's card carries the event's PIN, to be given to others; everybody else's tells how to use their
 * own phone. The personal PIN is asked of the server when it is wanted, not before.
 */

import { t } from "../../i18n.js";
import { flagOf, nearestFirst, placeHere, telLink } from "../join/numbers.js";
import { copyText } from "./copy.js";
import { toast } from "./dialogs.js";
import { byId, el, setHidden, setText } from "./dom.js";
import { mine } from "./reducer.js";
import { countryName } from "./words.js";

const NEAREST = 3;

/** "1234567890" → "123 456 7890", as numbers are read: threes, and no single digit at the end. */
export function inGroups(pin) {
  const groups = pin.match(/\d{1,3}/g) ?? [];
  if (groups.length > 1 && groups.at(-1).length === 1) groups.splice(-2, 2, groups.at(-2) + groups.at(-1));
  return groups.join(" ");
}

export class Phone {
  constructor({ ask, state, dialogs, eventName, eventPin }) {
    this.ask = ask;
    this.state = state;
    this.dialogs = dialogs;
    this.eventName = eventName;
    this.eventPin = eventPin;
    const json = (id) => JSON.parse(byId(id).textContent);
    this.numbers = nearestFirst(json("gateways"), placeHere(json("zones")));
    this.pin = null;
    this.select = byId("phone-all");
    this.select.addEventListener("change", () => this.showCall());
    byId("copy-pin").addEventListener("click", (event) => {
      event.preventDefault();
      this.copy(this.pin ?? "");
    });
    byId("use-phone").addEventListener("click", () => this.open());
    byId("copy-dial").addEventListener("click", () => this.copy(this.cardText()));
    this.drawCard();
  }

  async copy(text) {
    try {
      await copyText(text);
      toast(t("Copied"), { kind: "good" });
    } catch {
      toast(t("Copying did not work; select the text and copy it yourself"), { kind: "bad" });
    }
  }

  label({ country, location, display }) {
    return `${flagOf(country)} ${location}, ${countryName(country)} · ${display}`;
  }

  drawCard() {
    const rows = this.numbers.slice(0, NEAREST).map((number) => this.numberRow(number));
    const all = el("details", {}, el("summary", { text: t("All numbers") }),
      el("div", { class: "numbers" }, ...this.numbers.slice(NEAREST).map((number) => this.numberRow(number))));
    const card = byId("dial-card");
    card.replaceChildren();
    if (this.eventPin) {
      card.append(el("div", { class: "dial-pin" }, el("small", { text: t("PIN for participants") }), el("span", { class: "pin", text: inGroups(this.eventPin) })));
    }
    if (this.numbers.length === 0) card.append(el("p", { class: "panel-empty", text: t("There are no numbers to dial.") }));
    else card.append(el("div", { class: "numbers" }, ...rows), ...(this.numbers.length > NEAREST ? [all] : []));
    setHidden(byId("copy-dial"), this.numbers.length === 0);
    setHidden(byId("use-phone"), this.numbers.length === 0);
    setText(byId("dial-hint"), this.eventPin
      ? t("People without a computer call a number and enter the PIN.")
      : t("Call a number near you and enter your personal PIN: your phone becomes your sound here."));
  }

  numberRow({ country, location, display, number }) {
    return el("a", { class: "number", href: `tel:${number}` },
      el("span", { class: "flag", "aria-hidden": "true", text: flagOf(country) }),
      el("span", { class: "number-place", text: location }), el("span", { class: "number-digits", text: display }));
  }

  cardText() {
    const lines = [this.eventName, "", t("Dial in by phone:")];
    for (const number of this.numbers) lines.push(`${number.location}: ${number.display}`);
    if (this.eventPin) lines.push("", t("PIN: {pin}, then #", { pin: inGroups(this.eventPin) }));
    lines.push("", t("Or by browser: {url}", { url: new URL(byId("room").dataset.join, location.href).href }));
    return lines.join("\n");
  }

  async open() {
    this.render(this.state());
    const closed = this.dialogs.open("dialog-phone");
    if (this.pin === null) {
      const answer = await this.ask("phone");
      if (answer === null) byId("dialog-phone").close("");
      else {
        this.pin = answer.phone.pin;
        setText(byId("phone-pin"), inGroups(this.pin));
        this.fillNumbers();
      }
    }
    return closed;
  }

  fillNumbers() {
    byId("phone-nearest").replaceChildren(...this.numbers.slice(0, 1).map((number) => this.numberRow(number)));
    this.select.replaceChildren(...this.numbers.map((number, at) => new Option(this.label(number), String(at))));
    this.showCall();
  }

  showCall() {
    const number = this.numbers[Number(this.select.value)];
    setHidden(byId("phone-call"), number === undefined || this.pin === null);
    if (number === undefined || this.pin === null) return;
    byId("phone-nearest").replaceChildren(this.numberRow(number));
    byId("phone-call").href = telLink(number.number, this.pin);
  }

  render(state) {
    const linked = mine(state)?.devices.has("phone") ?? false;
    setHidden(byId("phone-linked"), !linked);
    setHidden(byId("phone-steps"), linked);
    setHidden(byId("phone-call"), linked || this.pin === null);
    setText(byId("use-phone").querySelector("span"), linked ? t("My phone is connected") : t("Use my phone for sound"));
  }
}
