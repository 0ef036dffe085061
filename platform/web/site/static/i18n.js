// Texts of scripts. English stands in the code and is the key; the page carries the translations as JSON.
//   t("Hello, {name}", {name})          tn("{n} person", "{n} people", n)

const block = document.getElementById("messages");
const catalogue = block ? JSON.parse(block.textContent) : {};
const language = document.documentElement.lang || "en";
// French counts 0 and 1 as one (CLDR plural rules); the catalogues hold two forms for both languages.
const isOne = language === "fr" ? (n) => Math.abs(n) < 2 : (n) => n === 1;

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export const lang = language;

export function t(text, values = {}) {
  const found = catalogue[text];
  return fill(typeof found === "string" ? found : text, values);
}

export function tn(one, many, n, values = {}) {
  const found = catalogue[one];
  const forms = Array.isArray(found) ? found : [one, many];
  return fill(isOne(n) ? forms[0] : forms[1], { n: new Intl.NumberFormat(language).format(n), ...values });
}
