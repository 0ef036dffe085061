// The price follows what is typed. The server makes the answer, here it is put into its place.
//
//   [data-estimate]            a calculator: fields with data-estimate-field, one [data-estimate-result]
//   [data-estimate-part="url"] an empty place in the form of an event, filled with a calculator when toll-free
//                              numbers are switched on; the minutes are the event's duration

const WAIT_MS = 250;

function minutesOf(form) {
  const field = form?.elements.namedItem("duration");
  const [hours, minutes] = (field?.value ?? "").split(":").map(Number);
  return Number.isFinite(hours) && Number.isFinite(minutes) ? String(hours * 60 + minutes) : "60";
}

async function fetchInto(place, url) {
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" } });
    if (answer.ok && answer.headers.get("content-type")?.startsWith("text/html")) return await answer.text();
  } catch {
    // Offline for a moment: the last answer stays.
  } finally {
    place.removeAttribute("aria-busy");
  }
  return null;
}

function start(calculator, form = null) {
  const place = calculator.querySelector("[data-estimate-result]");
  const fields = [...calculator.querySelectorAll("[data-estimate-field]")];
  for (const one of calculator.querySelectorAll("[data-without-script]")) one.hidden = true;
  let timer = 0;
  let last = 0;

  async function ask() {
    const query = new URLSearchParams(fields.map((field) => [field.dataset.estimateField, field.value]));
    if (form) query.set("minutes", minutesOf(form));
    last += 1;
    const mine = last;
    const text = await fetchInto(place, `/billing/estimate/result?${query}`);
    if (text !== null && mine === last) place.innerHTML = text;
  }

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT_MS);
  };
  for (const field of fields) field.addEventListener("input", soon);
  form?.elements.namedItem("duration")?.addEventListener("change", soon);
}

async function fill(part) {
  const form = part.closest("form");
  const text = await fetchInto(part, `${part.dataset.estimatePart}?minutes=${minutesOf(form)}`);
  if (text === null) return;
  part.innerHTML = text;
  start(part.querySelector("[data-estimate]"), form);
}

for (const calculator of document.querySelectorAll("[data-estimate]")) start(calculator);
for (const part of document.querySelectorAll("[data-estimate-part]")) {
  let filled = false;
  const look = () => {
    if (filled || part.hidden) return;
    filled = true;
    fill(part);
  };
  new MutationObserver(look).observe(part, { attributes: true, attributeFilter: ["hidden"] });
  look();
}
