/* Arranging the registration form: buttons act at once, rows and new fields can be dragged. What counts is the
 * order of the rows in the page; the server reads them in that order, so nothing else needs to be kept.
 */

import { t } from "../../i18n.js";

const form = document.getElementById("form-editor");
const rows = document.getElementById("field-rows");
const says = document.getElementById("editor-says");
const ROWS_MAX = 30;
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

function wire(row) {
  for (const button of row.querySelectorAll("[data-move]")) {
    button.type = "button";
    button.addEventListener("click", () => move(row, button.dataset.move));
  }
  const handle = row.querySelector("[data-drag]");
  handle.hidden = false;
  handle.draggable = true;
  handle.addEventListener("dragstart", (event) => {
    dragged = row;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", nameOf(row));
    event.dataTransfer.setDragImage(row, 10, 10);
    row.classList.add("dragged");
  });
  handle.addEventListener("dragend", () => {
    row.classList.remove("dragged");
    dragged = null;
    clearMarks();
  });
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

// Not every browser lets a button be dragged, so new fields have a grip beside their button.
for (const grip of document.querySelectorAll("[data-grip]")) {
  grip.hidden = false;
  grip.draggable = true;
  grip.addEventListener("dragstart", (event) => {
    dragged = grip.dataset.grip;
    event.dataTransfer.effectAllowed = "copyMove";
    event.dataTransfer.setData("text/plain", dragged);
  });
  grip.addEventListener("dragend", () => {
    dragged = null;
    clearMarks();
  });
}

form.addEventListener("dragover", (event) => {
  if (dragged === null) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = typeof dragged === "string" ? "copy" : "move";
  clearMarks();
  const below = rowBelow(event.clientY);
  if (below !== null) below.classList.add("before");
  else if (all().length > 0) all().at(-1).classList.add("after");
  else rows.classList.add("empty-target");
});
form.addEventListener("drop", (event) => {
  if (dragged === null) return;
  event.preventDefault();
  const below = rowBelow(event.clientY);
  if (typeof dragged !== "string") place(dragged, below);
  else if (all().length < ROWS_MAX) place(make(dragged), below);
  clearMarks();
});

for (const row of all()) wire(row);
document.getElementById("palette-hint").hidden = false;
