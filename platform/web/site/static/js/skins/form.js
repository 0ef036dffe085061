/* The form of a look: the preview follows what is typed, and a colour that cannot be read is told at once. The
 * server checks again (events/colours.py); the arithmetic is WCAG 2.1's.
 */

import { t } from "../../i18n.js";
import { byId, setHidden, setText } from "../room/dom.js";

const RATIO_MIN = 4.5;
const WHITE = "#ffffff";
const INK = "#1b211f";

const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

function luminance(colour) {
  const [red, green, blue] = parts(colour).map(linear);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** `#rrggbb` of what was typed, or null. */
function colourOf(text) {
  const digits = text.trim().replace(/^#/, "").toLowerCase();
  if (/^[0-9a-f]{3}$/.test(digits)) return `#${[...digits].map((digit) => digit + digit).join("")}`;
  return /^[0-9a-f]{6}$/.test(digits) ? `#${digits}` : null;
}

/** The colour, darker until white can be read on it: lightness alone moves (HSL). */
function nearest(colour) {
  const [red, green, blue] = parts(colour);
  const high = Math.max(red, green, blue);
  const low = Math.min(red, green, blue);
  const light = (high + low) / 2;
  const at = (wanted) => {
    // Every part keeps its place between the lowest and the highest; the span shrinks with the lightness.
    const saturation = high === low ? 0 : (high - low) / (1 - Math.abs(2 * light - 1));
    const span = saturation * (1 - Math.abs(2 * wanted - 1));
    const place = (value) => (high === low ? 0 : (value - low) / (high - low));
    return `#${[red, green, blue].map((value) => Math.round((wanted - span / 2 + place(value) * span) * 255).toString(16).padStart(2, "0")).join("")}`;
  };
  let bad = light;
  let good = 0;
  for (let step = 0; step < 20; step += 1) {
    const middle = (bad + good) / 2;
    if (contrast(at(middle), WHITE) >= RATIO_MIN) good = middle;
    else bad = middle;
  }
  return at(good);
}

const form = byId("skin");
const pictures = [...document.querySelectorAll(".skin-preview, .skin-there")];
const paint = (part, colour) => pictures.forEach((picture) => picture.querySelectorAll(`[data-skin=${part}]`).forEach((shape) => shape.setAttribute("fill", colour)));
const number = (value) => new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1, minimumFractionDigits: 1 }).format(Math.floor(value * 10) / 10);

function show() {
  const accent = colourOf(form.elements.accent.value);
  const background = colourOf(form.elements.background.value);
  if (background !== null) {
    paint("band", background);
    paint("name", contrast(WHITE, background) >= contrast(INK, background) ? WHITE : INK);
  }
  for (const picture of pictures) {
    const name = picture.querySelector("[data-skin=name]");
    if (name !== null) setText(name, form.elements.name.value.slice(0, 26));
  }
  const line = byId("contrast");
  setHidden(line, accent === null);
  if (accent === null) return;
  paint("accent", accent);
  const ratio = contrast(accent, WHITE);
  const good = ratio >= RATIO_MIN;
  line.classList.toggle("bad", !good);
  setText(line, good ? t("White words on the accent can be read: contrast {ratio}.", { ratio: number(ratio) }) : t("White words on the accent cannot be read: contrast {ratio}, at least 4.5 is needed.", { ratio: number(ratio) }));
  const offer = byId("instead");
  setHidden(offer, good);
  if (good) return;
  const better = nearest(accent);
  const button = offer.querySelector("button");
  button.value = better;
  button.querySelector("rect").setAttribute("fill", better);
  setText(button.querySelector("code"), better);
}

for (const part of document.querySelectorAll(".only-script")) part.hidden = false;
for (const picker of form.querySelectorAll("input[type=color]")) {
  const field = byId(picker.dataset.picks);
  picker.addEventListener("input", () => {
    field.value = picker.value;
    show();
  });
  field.addEventListener("input", () => {
    picker.value = colourOf(field.value) ?? picker.value;
  });
}
form.addEventListener("input", show);
// The nearest colour is taken on the page, so that files that were chosen stay chosen.
byId("instead").querySelector("button").addEventListener("click", (event) => {
  event.preventDefault();
  const field = form.elements.accent;
  field.value = event.currentTarget.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
});
// A file that is too large is told before it is sent.
for (const field of form.querySelectorAll("input[type=file]")) {
  field.addEventListener("change", () => {
    const large = (field.files[0]?.size ?? 0) > Number(field.dataset.max);
    field.setCustomValidity(large ? t("This picture is larger than 1 MB.") : "");
    field.reportValidity();
  });
}
show();
