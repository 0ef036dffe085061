/* Arranging the registration form: buttons act at once, rows and new fields can be dragged. What counts is the
 * order of the rows in the page; the server reads them in that order, so nothing else needs to be kept.
 */

import { t } from "../../i18n.js";

const rows = document.getElementById("field-rows");
const says = document.getElementById("editor-says");
const ROWS_MAX = 30;
const SLACK_PX = 4;
const EDGE_PX = 96;
const SCROLL_PX = 9;
let fresh = 0;
let dragged = null; // a row, or the kind of a new field

const all = () => [...rows.querySelectorAll("[data-row]")];
const nameOf = (row) => row.querySelector("input[type=text]").value || row.querySelector(".badge").textContent;

/** Tell people who do not see the page what happened. */
function announce(row) {
  const place = all().indexOf(row) + 1;
  says.textContent = t("{name}: place {place} of {count}", { name: nameOf(row), place, count: all().length });
}

function make(kind) {
  const row = document.querySelector(`template[data-template="${kind}"]`).content.firstElementChild.cloneNode(true);
  fresh += 1;
  for (const part of row.querySelectorAll("[name], [id], [for]")) {
    for (const attribute of ["name", "id", "for"]) {
      const value = part.getAttribute(attribute);
      if (value !== null) part.setAttribute(attribute, value.replace("[new]", `[n${fresh}]`).replace(/-new$/, `-n${fresh}`));
    }
  }
  return wire(row);
}

function place(row, before) {
  rows.insertBefore(row, before);
  announce(row);
}

function move(row, how) {
  if (how === "remove") {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    says.textContent = t("Removed.");
    (next?.querySelector("input[type=text]") ?? document.querySelector("[data-add]")).focus();
    return;
  }
  const other = how === "up" ? row.previousElementSibling : row.nextElementSibling;
  if (other === null) return;
  place(row, how === "up" ? other : other.nextElementSibling);
  row.querySelector(`[data-move="${how}"]`).focus();
}

function clearMarks() {
  for (const row of all()) row.classList.remove("before", "after");
  rows.classList.remove("empty-target");
}

/** The row before which a drop at this height lands; null: at the end. */
function rowBelow(y) {
  return all().find((row) => row !== dragged && y < row.getBoundingClientRect().top + row.offsetHeight / 2) ?? null;
}

function mark(y) {
  clearMarks();
  const below = rowBelow(y);
  const others = all().filter((row) => row !== dragged);
  if (below !== null) below.classList.add("before");
  else if (others.length > 0) others.at(-1).classList.add("after");
  else rows.classList.add("empty-target");
}

/** Drag `what`, a row or the kind of a new field, with the pointer (mouse, finger or pen) that is down on `grip`.
 * Escape, or the browser taking the pointer away, puts everything back; at the edges the page scrolls along. */
function begin(down, grip, what) {
  if (dragged !== null || down.button !== 0) return;
  down.preventDefault();
  grip.setPointerCapture(down.pointerId);
  dragged = what;
  let y = down.clientY;
  let moved = false;
  let frame = 0;
  const listening = new AbortController();
  const on = (target, type, work) => target.addEventListener(type, work, { signal: listening.signal });

  function scroll() {
    const step = y < EDGE_PX ? -SCROLL_PX : y > innerHeight - EDGE_PX ? SCROLL_PX : 0;
    if (step !== 0 && moved) {
      scrollBy(0, step);
      mark(y);
    }
    frame = requestAnimationFrame(scroll);
  }

  function end(drop) {
    listening.abort();
    cancelAnimationFrame(frame);
    const below = rowBelow(y);
    if (what instanceof Element) what.classList.remove("dragged");
    dragged = null;
    clearMarks();
    document.body.classList.remove("dragging");
    if (!drop || !moved) return;
    if (what instanceof Element) place(what, below);
    else if (all().length < ROWS_MAX) place(make(what), below);
  }

  on(grip, "pointermove", (event) => {
    if (event.pointerId !== down.pointerId) return;
    y = event.clientY;
    if (!moved && Math.hypot(event.clientX - down.clientX, y - down.clientY) < SLACK_PX) return;
    moved = true;
    document.body.classList.add("dragging");
    if (what instanceof Element) what.classList.add("dragged");
    mark(y);
  });
  on(grip, "pointerup", () => end(true));
  on(grip, "lostpointercapture", () => end(false));
  on(document, "keydown", (event) => {
    if (event.key === "Escape") end(false);
  });
  frame = requestAnimationFrame(scroll);
}

function wire(row) {
  for (const button of row.querySelectorAll("[data-move]")) {
    button.type = "button";
    button.addEventListener("click", () => move(row, button.dataset.move));
  }
  const handle = row.querySelector("[data-drag]");
  handle.hidden = false;
  handle.addEventListener("pointerdown", (event) => begin(event, handle, row));
  return row;
}

for (const button of document.querySelectorAll("[data-add]")) {
  button.type = "button";
  button.addEventListener("click", () => {
    if (all().length >= ROWS_MAX) return;
    const row = make(button.dataset.add);
    place(row, null);
    row.querySelector("input[type=text]").focus();
  });
}

// New fields have a grip beside their button, because a button is pressed, not dragged.
for (const grip of document.querySelectorAll("[data-grip]")) {
  grip.hidden = false;
  grip.addEventListener("pointerdown", (event) => begin(event, grip, grip.dataset.grip));
}

for (const row of all()) wire(row);
document.getElementById("palette-hint").hidden = false;
