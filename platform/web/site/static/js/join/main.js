/* The entrance with scripts: the event's times where the visitor is, the sound check, the nearest numbers, and
 * name and mail as they were typed last time. Entering stays an ordinary form.
 */

import { lang, t } from "../../i18n.js";
import { el, setHidden, setText } from "../room/dom.js";
import { countryName } from "../room/words.js";
import { loadChoice, saveChoice } from "./devices.js";
import { flagOf, nearestFirst, placeHere } from "./numbers.js";
import { SoundForm } from "./sound-form.js";
import { showTimes } from "./times.js";

const NEAREST = 3;
const PERSON = "tollbridge.person";
const HEARD_LEVEL = 0.35;
const byId = (id) => document.getElementById(id);

function numberRow({ country, location, display }) {
  return el("div", { class: "number" },
    el("span", { class: "flag", role: "img", "aria-label": countryName(country), text: flagOf(country) }),
    el("span", { class: "number-place", text: location }), el("span", { class: "number-digits", text: display }));
}

function showNumbers() {
  const json = (id) => JSON.parse(byId(id).textContent);
  const numbers = nearestFirst(json("gateways"), placeHere(json("zones")));
  byId("nearest").replaceChildren(...numbers.slice(0, NEAREST).map(numberRow));
  byId("all-numbers").replaceChildren(...numbers.slice(NEAREST).map(numberRow));
  setHidden(byId("more-numbers"), numbers.length <= NEAREST);
}

function keepPerson(form) {
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem(PERSON) ?? "{}");
  } catch {
    // Nothing kept, or nothing may be kept.
  }
  for (const name of ["name", "email"]) if (form.elements[name].value === "") form.elements[name].value = kept[name] ?? "";
  form.addEventListener("submit", () => {
    try {
      localStorage.setItem(PERSON, JSON.stringify({ name: form.elements.name.value, email: form.elements.email.value }));
    } catch {
      // As above.
    }
  });
}

function checkSound() {
  const root = byId("sound-check");
  for (const part of root.querySelectorAll(".only-script")) part.hidden = false;
  const sound = new SoundForm(root, loadChoice(), saveChoice);
  const show = sound.meter.show;
  let heard = false;
  sound.meter.show = (level) => {
    show(level);
    if (!heard && level > HEARD_LEVEL) {
      heard = true;
      setText(byId("meter-hint"), t("Your microphone works."));
    }
  };
  const start = byId("sound-check-start");
  // The browser asks for the microphone when the visitor does something about it, not when the page opens.
  let begun = false;
  const begin = async () => {
    begun = true;
    start.hidden = true;
    await sound.open();
    setHidden(byId("sound-checked"), sound.stream === null);
    setHidden(start, sound.stream !== null || sound.choice.way !== "browser");
  };
  sound.reopen = () => begun && begin();
  start.addEventListener("click", begin);
  byId("sound-again").addEventListener("click", begin);
  sound.fill();
  // Where the visitor allowed the microphone before, nothing is asked: show the level at once.
  navigator.permissions?.query({ name: "microphone" }).then(({ state }) => {
    if (state === "granted" && sound.choice.way === "browser" && root.dataset.test === "on") begin();
  }, () => {});
  return sound;
}

const whenText = (iso) => new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));

/** Enter without leaving the page, so that what was typed stays when it is refused. */
async function enter(form, sound) {
  const button = byId("enter");
  const notice = byId("refused");
  const refusals = JSON.parse(byId("refusals").textContent);
  button.setAttribute("aria-busy", "true");
  setHidden(notice, true);
  const fields = Object.fromEntries([...new FormData(form)].filter(([name]) => name !== "way"));
  let slug = "";
  let since = "";
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(fields),
    });
    const body = await answer.json();
    if (answer.ok) {
      sound.close();
      location.assign(body.room);
      return;
    }
    slug = body.errors?.[0]?.name ?? "";
    since = body.first_use_date ?? "";
  } catch {
    // No network, or no JSON: the sentence for everything else.
  }
  button.removeAttribute("aria-busy");
  const first = since === "" ? "" : ` ${t("First use: {when}.", { when: whenText(since) })}`;
  setText(notice.querySelector("span"), (refusals[slug] ?? refusals[""]) + first);
  setHidden(notice, false);
  const tokenField = { "token-required": "t", "token-revoked": "t", "token-used": "t", "wrong-token": "t" };
  const field = { ...tokenField, "wrong-password": "password", "wrong-pin": "pin", "bad-name": "name", "bad-email": "email" }[slug];
  (form.elements[field] ?? button).focus();
  notice.scrollIntoView({ block: "center" });
}

showTimes(byId("join"));
showNumbers();
const form = byId("join-form");
keepPerson(form);
const sound = checkSound();
form.addEventListener("submit", (event) => {
  event.preventDefault();
  saveChoice(sound.choice);
  enter(form, sound);
});
