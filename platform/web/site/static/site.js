// What every page can do: copy buttons, questions before a deed, fields that depend on others, toasts.
// All pages work without it.

import { t } from "./i18n.js";

export function toast(text, kind = "") {
  const place = document.getElementById("toasts");
  const note = document.createElement("p");
  note.className = `toast ${kind}`.trim();
  note.textContent = text;
  place.append(note);
  setTimeout(() => note.remove(), 4000);
}

async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  // Plain http on a local network has no clipboard interface: select a field and copy that.
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("copying was refused");
}

for (const button of document.querySelectorAll("[data-copy], [data-copy-from]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
    try {
      await copyText(source ? source.innerText : button.dataset.copy);
      toast(t("Copied"), "good");
    } catch {
      toast(t("Copying did not work; select the text and copy it yourself"), "bad");
    }
  });
}

// <form data-confirm="dialog-id">: the dialog asks; its button with value "yes" sends the form.
for (const form of document.querySelectorAll("form[data-confirm]")) {
  const dialog = document.getElementById(form.dataset.confirm);
  form.addEventListener("submit", (event) => {
    if (form.dataset.sure) return;
    event.preventDefault();
    dialog.returnValue = "";
    dialog.showModal();
  });
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "yes") return;
    form.dataset.sure = "1";
    form.requestSubmit();
  });
}

// data-shown-when="name=value1,value2": shown while the field of that name has one of these values.
const dependents = [...document.querySelectorAll("[data-shown-when]")];

function currentValue(form, name) {
  const fields = [...form.elements].filter((field) => field.name === name && field.type !== "hidden");
  const field = fields.find((one) => one.checked) ?? fields[0];
  if (!field) return "";
  return field.type === "checkbox" || field.type === "radio" ? (field.checked ? field.value : "0") : field.value;
}

function showDependents() {
  for (const part of dependents) {
    const [name, values] = part.dataset.shownWhen.split("=");
    part.hidden = !values.split(",").includes(currentValue(part.closest("form"), name));
  }
}

if (dependents.length) {
  document.addEventListener("change", showDependents);
  showDependents();
}

// Where tabs are wider than the screen, the current one is in sight.
for (const tabs of document.querySelectorAll(".tabs")) {
  const current = tabs.querySelector("[aria-current]");
  if (current) tabs.scrollLeft = current.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - current.offsetWidth) / 2;
}

// A form is sent once, however often its button is pressed.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
    for (const button of form.querySelectorAll("button[type=submit]")) button.setAttribute("aria-busy", "true");
  });
}

window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  }
});

// Time zone fields without a wish of their own start with the browser's zone.
for (const field of document.querySelectorAll("select[data-own-zone]")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...field.options].some((option) => option.value === zone)) field.value = zone;
}
