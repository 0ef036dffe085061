/* How one person looks, wherever they are shown: initials on a colour, the marks of what they do, words for
 * screen readers. A row is built once and patched; only what changed touches the DOM.
 */

import { lang, t } from "../../i18n.js";
import { flagOf } from "../join/numbers.js";
import { el, icon, setAttribute, setClass, setHidden, setIcon, setText } from "./dom.js";
import { PRESENTER } from "./reducer.js";
import { countryName } from "./words.js";

const COLOURS = 8;

/** One or two letters: of the first and the last word, by user-perceived characters. */
export function initials(name) {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const first = (word) => {
    if (!("Segmenter" in Intl)) return [...word][0] ?? "";
    return new Intl.Segmenter(lang, { granularity: "grapheme" }).segment(word)[Symbol.iterator]().next().value?.segment ?? "";
  };
  if (words.length === 0) return "?";
  const letters = words.length === 1 ? first(words[0]) : first(words[0]) + first(words.at(-1));
  return letters.toLocaleUpperCase(lang);
}

/** The same person has the same colour in every page: FNV-1a of the id. */
export function colourOf(id) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % COLOURS;
}

export function avatar(person) {
  return el("span", { class: `avatar c${colourOf(person.id)}`, "aria-hidden": "true", text: initials(person.name) });
}

/** Four bars, `bars` of them full; said as words, too. */
export function setBars(node, bars) {
  setHidden(node, bars === null);
  if (bars === null) return;
  setAttribute(node, "data-bars", bars);
  setAttribute(node, "aria-label", barsText(bars));
  setAttribute(node, "title", barsText(bars));
}

export function barsText(bars) {
  return [t("Very poor connection"), t("Poor connection"), t("Fair connection"), t("Good connection"), t("Excellent connection")][bars];
}

export function barsNode() {
  return el("span", { class: "bars", role: "img", hidden: true }, el("i"), el("i"), el("i"), el("i"));
}

/** The second line: role and, for phones, flag, city and masked number. */
function details(person, meId) {
  const parts = [];
  if (person.id === meId) parts.push(t("You"));
  if (person.role === PRESENTER) parts.push(t("Presenter"));
  if (person.floor) parts.push(t("Has the floor"));
  if (person.devices.has("phone")) {
    const place = [flagOf(person.country), person.city ?? (person.country ? countryName(person.country) : t("Phone"))];
    parts.push(place.filter(Boolean).join(" "));
    if (person.number) parts.push(person.number);
  }
  if (!person.connected) parts.push(t("reconnecting…"));
  return parts.join(" · ");
}

/** Icon, class and words for the microphone of a person. */
function microphoneOf(person) {
  if (person.muted) {
    const words = {
      self: t("Muted"),
      presenter: t("Muted by a presenter"),
      mode: t("Muted by the mode"),
    }[person.muted_by] ?? t("Muted");
    return { picture: "mic-off", kind: `off by-${person.muted_by ?? "self"}`, words };
  }
  if (person.talking) return { picture: "mic", kind: "talking", words: t("Speaking") };
  return { picture: "mic", kind: "on", words: t("Microphone on") };
}

/** A row of the list. `meId` may be null; `onMenu(id, button)` opens what one can do with the person, and
 *  `menuFor(person)` says whether there is anything. */
export function personRow({ meId, onMenu, menuFor }) {
  return (first) => {
    const face = avatar(first);
    const name = el("span", { class: "name" });
    const sub = el("span", { class: "sub" });
    const phone = el("span", { class: "phone-mark", role: "img", "aria-label": t("By phone"), title: t("By phone") }, icon("phone"));
    const hand = el("span", { class: "badge warn hand-mark" }, icon("hand"), el("span"));
    const quality = barsNode();
    const microphone = el("span", { class: "mic-mark", role: "img" }, icon("mic"));
    const more = el("button", {
      type: "button",
      class: "more",
      "aria-haspopup": "menu",
      on: { click: () => onMenu(first.id, more) },
    }, icon("more"));
    const node = el("li", { class: "person", dataset: { id: first.id } },
      face, el("div", { class: "who-text" }, name, sub), hand, phone, quality, microphone, more);
    const patch = (person) => {
      setText(name, person.name);
      setText(face, initials(person.name));
      const second = details(person, meId());
      setText(sub, second);
      setHidden(sub, second === "");
      setHidden(phone, !person.devices.has("phone"));
      setClass(node, "has-floor", person.floor);
      setHidden(hand, person.question === null);
      if (person.question !== null) {
        setText(hand.lastElementChild, String(person.question));
        setAttribute(hand, "aria-label", t("Number {n} in the queue", { n: person.question }));
        setAttribute(hand, "role", "img");
      }
      setBars(quality, person.quality ?? null);
      const mic = microphoneOf(person);
      const cls = `mic-mark ${mic.kind}`;
      if (microphone.className !== cls) microphone.className = cls;
      setIcon(microphone.firstElementChild, mic.picture);
      setAttribute(microphone, "aria-label", mic.words);
      setAttribute(microphone, "title", mic.words);
      setHidden(microphone, person.sound === null && !person.muted && !person.talking);
      setClass(node, "talking", person.talking);
      setClass(node, "gone", !person.connected);
      setHidden(more, !menuFor(person));
      setAttribute(more, "aria-label", t("Actions for {name}", { name: person.name }));
      setAttribute(node, "data-talking", person.talking ? "1" : null);
      setAttribute(node, "data-muted", person.muted ? (person.muted_by ?? "self") : null);
      setAttribute(node, "data-question", person.question);
      setAttribute(node, "data-floor", person.floor ? "1" : null);
      setAttribute(node, "data-sound", person.sound);
    };
    return { node, patch };
  };
}

/** A tile of the stage: the same person, large. */
export function personTile(first) {
  const face = avatar(first);
  const name = el("span", { class: "tile-name" });
  const sub = el("span", { class: "tile-sub" });
  const microphone = el("span", { class: "mic-mark", "aria-hidden": "true" }, icon("mic"));
  const node = el("li", { class: "tile", dataset: { id: first.id } },
    el("span", { class: "tile-face" }, face), name, el("span", { class: "tile-foot" }, microphone, sub));
  const patch = (person) => {
    setText(name, person.name);
    setText(face, initials(person.name));
    const mic = microphoneOf(person);
    const cls = `mic-mark ${mic.kind}`;
    if (microphone.className !== cls) microphone.className = cls;
    setIcon(microphone.firstElementChild, mic.picture);
    const words = person.floor ? t("Has the floor") : person.muted || person.talking ? mic.words : person.role === PRESENTER ? t("Presenter") : mic.words;
    setText(sub, words);
    setClass(node, "talking", person.talking);
    setClass(node, "gone", !person.connected);
  };
  return { node, patch };
}
