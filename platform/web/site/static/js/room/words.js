/* Words for what the server names by a key: modes, reasons, refusals. English here is the key of the
 * catalogue, as everywhere; a key that we do not know is shown as the server wrote it.
 */

import { t } from "../../i18n.js";

export function modeName(mode) {
  switch (mode) {
    case "presenters_only": return t("Presenters only");
    case "qa": return t("Q&A");
    case "listen_only": return t("Listen only");
    case "discussion": return t("Discussion");
    default: return mode;
  }
}

export function modeExplained(mode, limit) {
  switch (mode) {
    case "presenters_only": return t("Presenters talk among themselves. Everybody else hears music.");
    case "qa": return t("Presenters speak. Participants ask, and speak when you give them the floor.");
    case "listen_only": return t("Presenters speak, participants listen. All participants are muted.");
    case "discussion": return t("Everybody may speak. For up to {n} people.", { n: limit });
    default: return "";
  }
}

/** [headline, detail] for `whyNotHeard`; null when one is heard. */
export function reasonNotHeard(reason, { presenter }) {
  switch (reason) {
    case null: return null;
    case "offline": return [t("Not connected"), t("Your place is kept. Reconnecting…")];
    case "not_started": return [t("Not started yet"), t("You will be heard when the event has started.")];
    case "presenters_only": return [t("Presenters only"), t("The presenters are talking among themselves.")];
    case "qa": return [t("Q&A"), t("Ask a question; you speak when a presenter gives you the floor.")];
    case "listen_only": return [t("Listen only"), t("Only presenters speak at the moment.")];
    case "muted_self": return [t("You are muted"), t("Nobody hears you until you unmute.")];
    case "muted_presenter": return [t("A presenter muted you"), t("You can unmute yourself.")];
    case "muted_mode":
      return [t("Muted by the change of mode"), presenter ? t("Unmute to speak again.") : t("You can unmute yourself.")];
    case "no_microphone": return [t("You are only listening"), t("Choose a microphone or your phone to speak.")];
    case "microphone_problem": return [t("No microphone"), t("Open the sound settings to see why.")];
    case "no_sound": return [t("Sound is connecting…"), t("This takes a moment.")];
    default: return [String(reason), ""];
  }
}

/** One sentence for a slug that the server refused something with. */
export function refusal(slug) {
  switch (slug) {
    case "event-locked": return t("The event is locked: only presenters may enter.");
    case "event-full": return t("The event is full.");
    case "event-over": return t("The event is over.");
    case "has-floor": return t("You have the floor already.");
    case "is-presenter": return t("Presenters can speak at any time.");
    case "no-questions": return t("Nobody is waiting with a question.");
    case "not-in-qa": return t("The floor can be given in Q&A only. Choose the mode Q&A first.");
    case "not-in-room": return t("This person is not here any more.");
    case "not-presenter": return t("Only presenters can do that.");
    case "not-started": return t("The event has not started yet.");
    case "already-started": return t("The event has started already.");
    case "too-many-for-discussion": return t("There are too many people here for a discussion.");
    case "removed": return t("A presenter removed you from this event.");
    case "nothing-to-undo": return t("It is too late to undo this.");
    case "too-fast": return t("That was a bit fast. Please try again in a moment.");
    case "gateway-off": return t("The phone gateway is off.");
    case "unavailable": return t("This is not possible at the moment. Please try again soon.");
    default: return t("That did not work. Please try again.");
  }
}

/** [headline, what to do] for a problem with the microphone, see devices.js. */
export function microphoneHelp(problem) {
  switch (problem) {
    case "insecure":
      return [t("This page is not secure"), t("Browsers give the microphone to pages with https only. Ask the organiser for the https address, or use your phone.")];
    case "unsupported":
      return [t("This browser cannot use a microphone"), t("Use a current version of Chrome, Edge, Firefox or Safari, or use your phone.")];
    case "denied":
      return [t("The microphone is blocked"), t("Click the icon next to the address of this page, allow the microphone, then try again. On a phone, look in the settings under your browser, too.")];
    case "dismissed":
      return [t("The question was closed"), t("Your browser asked whether this page may use the microphone. Try again and choose Allow.")];
    case "none":
      return [t("No microphone found"), t("Plug in a headset or a microphone and try again, or use your phone.")];
    case "busy":
      return [t("The microphone is in use"), t("Another program may be using it. Close it and try again.")];
    default:
      return [t("The microphone does not work"), t("Try again, choose another microphone, or use your phone.")];
  }
}

/** "France" for "FR" in the visitor's language. */
export function countryName(country) {
  try {
    return new Intl.DisplayNames([document.documentElement.lang || "en"], { type: "region" }).of(country);
  } catch {
    return country ?? "";
  }
}
