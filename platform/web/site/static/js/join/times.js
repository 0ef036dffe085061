/* When an event begins: on the visitor's clocks, on the event's, and how long that is; and its agenda on the
 * visitor's clocks. The countdown moves each second for the eye alone (role "timer" is not read aloud); what is
 * said aloud is said at a few moments, through `say`.
 */

import { lang, t, tn } from "../../i18n.js";
import { byId, setHidden, setText } from "../room/dom.js";
import { ServerClock } from "./server-clock.js";

const DAY_S = 24 * 3600;
/** A clock that is further off was set to another zone, or never. */
const WORTH_COUNTING_MIN = 45;
/** Minutes before the start at which it is said how long it takes. */
const SAID_AT_MIN = [30, 10, 5, 1];

// The page's language, written as in the visitor's country when it is one of theirs: 23:00 or 11:00 PM.
const locale = navigator.languages.find((tag) => tag.startsWith(lang)) ?? lang;
const format = (options, zone) => new Intl.DateTimeFormat(locale, { ...options, ...(zone ? { timeZone: zone } : {}) });
const myZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
const zoneName = (zone) => zone.replaceAll("_", " ");

/** What the clocks of a zone show at a moment, for comparing zones. */
function shownIn(zone, moment) {
  return format({ dateStyle: "short", timeStyle: "short" }, zone).format(moment);
}

/** `h:mm:ss`, or `mm:ss` in the last hour. Pure. */
export function digits(left_s) {
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(left_s / 3600);
  const rest = `${two(Math.floor(left_s / 60) % 60)}:${two(left_s % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

/** How long, in words. Pure. */
export function inWords(left_s) {
  const minutes = Math.ceil(left_s / 60);
  if (minutes > 48 * 60) return tn("Begins in {n} day", "Begins in {n} days", Math.round(minutes / 1440));
  if (minutes > 90) return tn("Begins in {n} hour", "Begins in {n} hours", Math.round(minutes / 60));
  return tn("Begins in {n} minute", "Begins in {n} minutes", minutes);
}

/** What is to be said aloud as the start comes nearer: each thing once, and nothing when the page opens. */
export class Spoken {
  constructor() {
    this.last = null;
  }

  /** The sentence for now, or null. */
  next(left_s) {
    const mark = left_s <= 0 ? 0 : (SAID_AT_MIN.findLast((minutes) => left_s <= minutes * 60) ?? Infinity);
    const nearer = this.last !== null && mark < this.last;
    this.last = Math.min(mark, this.last ?? Infinity);
    if (!nearer) return null;
    return mark === 0 ? t("It begins any moment now.") : inWords(left_s);
  }
}

function showStart(when, start) {
  const there = when.dataset.zone;
  const mine = myZone();
  const day = format({ dateStyle: "full" }).format(start);
  const clock = format({ hour: "2-digit", minute: "2-digit", timeZoneName: "short" }).format(start);
  setText(when, `${day}, ${clock}`);
  when.title = zoneName(mine);
  const note = byId("when-there");
  const same = shownIn(there, start) === shownIn(mine, start);
  setHidden(note, same);
  if (!same) {
    const text = format({ weekday: "short", hour: "2-digit", minute: "2-digit" }, there).format(start);
    setText(note, t("{time} in {zone}", { time: text, zone: zoneName(there) }));
  }
}

function showAgenda() {
  const times = [...document.querySelectorAll(".agenda time[data-time]")];
  for (const time of times) {
    setText(time, format({ hour: "2-digit", minute: "2-digit" }).format(new Date(time.dateTime)));
  }
  if (times.length > 0 && byId("agenda-zone") !== null) setText(byId("agenda-zone"), t("Times where you are: {zone}", { zone: zoneName(myZone()) }));
}

/** Show all of it and keep it right. `root` has the moment at which the page was made. */
export function showTimes(root, { say = () => {} } = {}) {
  showAgenda();
  const when = byId("when");
  if (when === null) return;
  const start = new Date(when.dateTime);
  showStart(when, start);
  const line = byId("countdown");
  if (line === null) return;
  const clock = new ServerClock(Number(root.dataset.now));
  const spoken = new Spoken();
  const tick = () => {
    const left_s = Math.ceil((start - clock.now()) / 1000);
    setHidden(line, left_s < -DAY_S);
    line.dataset.near = left_s <= DAY_S && left_s > 0 ? "1" : "";
    line.dataset.far = left_s > DAY_S ? "1" : "";
    if (left_s <= 0) setText(line, t("It begins any moment now."));
    else setText(line, left_s <= DAY_S ? t("Begins in {time}", { time: digits(left_s) }) : inWords(left_s));
    const sentence = spoken.next(left_s);
    if (sentence !== null) say(sentence);
  };
  const wrong = () => {
    const by_ms = clock.wrongBy();
    const note = byId("clock-wrong");
    setHidden(note, by_ms === 0);
    const minutes = Math.round(Math.abs(by_ms) / 60_000);
    if (minutes > WORTH_COUNTING_MIN) setText(note, t("The clock of this device is not right; we count with ours."));
    else if (by_ms > 0) setText(note, tn("The clock of this device is {n} minute fast; we count with ours.", "The clock of this device is {n} minutes fast; we count with ours.", minutes));
    else if (by_ms < 0) setText(note, tn("The clock of this device is {n} minute slow; we count with ours.", "The clock of this device is {n} minutes slow; we count with ours.", minutes));
  };
  clock.keep(() => {
    tick();
    wrong();
  });
  tick();
  wrong();
  setInterval(tick, 1000);
}
