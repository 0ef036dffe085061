/* For those who wait: when the event begins, on their own clock, and how long that is. */

import { lang, tn } from "../../i18n.js";
import { byId, setHidden, setText } from "./dom.js";

const when = byId("waiting-when");
if (when !== null) {
  const start = new Date(when.dateTime);
  const locale = navigator.languages.find((tag) => tag.startsWith(lang)) ?? lang;
  when.textContent = new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit", timeZoneName: "short" }).format(start);
  const tick = () => {
    const minutes = Math.ceil((start - Date.now()) / 60_000);
    const line = byId("waiting-countdown");
    setHidden(line, minutes <= 0 || minutes > 24 * 60);
    if (minutes > 90) setText(line, tn("Begins in {n} hour", "Begins in {n} hours", Math.round(minutes / 60)));
    else setText(line, tn("Begins in {n} minute", "Begins in {n} minutes", minutes));
  };
  tick();
  setInterval(tick, 15_000);
}
