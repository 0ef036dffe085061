// What a machine can see of a page's accessibility. One function for Page.evaluate: what is wrong, as sentences.
// Contrast after WCAG 2.2 §1.4.3, targets after §2.5.8; the rest is what screen readers and keyboards need.
(wanted) => {
  const wrong = [];
  scrollTo(0, 0);
  const all = (what, inside = document) => [...inside.querySelectorAll(what)];
  const name = (one) => {
    const text = (one.getAttribute("aria-label") || one.innerText || one.value || "").trim().slice(0, 40);
    return `${one.tagName.toLowerCase()}${one.id ? `#${one.id}` : ""}.${[...one.classList].join(".")} “${text}”`;
  };
  const shown = (one) => {
    const box = one.getBoundingClientRect();
    const clipped = one.closest(".visually-hidden, .pot, [hidden], template, .stacked thead") !== null;
    return !clipped && box.width > 0 && box.height > 0 && one.checkVisibility({ visibilityProperty: true });
  };

  // Colours, whatever notation they come in, by painting them.
  const brush = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const seen = new Map();
  function rgba(colour) {
    if (!seen.has(colour)) {
      brush.clearRect(0, 0, 1, 1);
      brush.fillStyle = colour;
      brush.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
      seen.set(colour, [r, g, b, a / 255]);
    }
    return seen.get(colour);
  }
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  function ground(one) {
    const layers = [];
    for (let place = one; place; place = place.parentElement) {
      const style = getComputedStyle(place);
      if (style.backgroundImage !== "none" && !["SELECT", "INPUT"].includes(place.tagName)) return null; // a picture
      layers.push(rgba(style.backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reduceRight((under, layer) => over(layer, under), [255, 255, 255, 1]);
  }

  if (wanted.contrast) {
    const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const done = new Set();
    while (words.nextNode()) {
      const one = words.currentNode.parentElement;
      if (!words.currentNode.data.trim() || done.has(one) || !shown(one)) continue;
      done.add(one);
      if (one.closest("[disabled], [aria-disabled=true], script, style, option, svg")) continue;
      const style = getComputedStyle(one);
      const under = ground(one);
      if (under === null || style.opacity === "0") continue;
      let fade = 1;
      for (let place = one; place; place = place.parentElement) fade *= Number(getComputedStyle(place).opacity);
      const [r, g, b, a] = rgba(style.color);
      const [one1, two] = [light(over([r, g, b, a * fade], under)), light(under)].sort((x, y) => y - x);
      const ratio = (one1 + 0.05) / (two + 0.05);
      const px = parseFloat(style.fontSize);
      const large = px >= 24 || (px >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) wrong.push(`contrast ${ratio.toFixed(2)}: ${name(one)}`);
    }
  }

  if (wanted.structure) {
    if (document.documentElement.lang !== wanted.language) wrong.push(`lang is ${document.documentElement.lang}`);
    if (!document.title.trim()) wrong.push("no title");
    const headings = all("h1, h2, h3, h4, h5, h6").filter((one) => one.checkVisibility() && !one.closest("dialog"));
    const levels = headings.map((one) => Number(one.tagName[1]));
    if (levels.filter((level) => level === 1).length !== 1) wrong.push(`${levels.filter((l) => l === 1).length} h1`);
    levels.forEach((level, place) => {
      if (place > 0 && level > levels[place - 1] + 1) wrong.push(`h${level} after h${levels[place - 1]}: ${name(headings[place])}`);
    });
    for (const one of all("img:not([alt])")) wrong.push(`no alt: ${name(one)}`);
    for (const one of all("svg")) {
      if (one.getAttribute("aria-hidden") !== "true" && !one.closest("[aria-hidden=true]") && !one.getAttribute("aria-label")) {
        wrong.push(`a picture without words: ${one.outerHTML.slice(0, 80)}`);
      }
    }
    for (const one of all("input:not([type=hidden]), select, textarea")) {
      if (one.closest("[hidden]") || one.hidden) continue;
      const said = one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || [...one.labels].map((l) => l.textContent).join("");
      if (!said.trim()) wrong.push(`no label: ${one.name || name(one)}`);
    }
    for (const one of all("a[href], button, summary")) {
      const said = one.getAttribute("aria-label") || one.textContent.trim() || one.querySelector("[aria-label]");
      if (!said) wrong.push(`no words: ${one.outerHTML.slice(0, 80)}`);
    }
    const ids = all("[id]").map((one) => one.id);
    for (const id of ids.filter((one, place) => ids.indexOf(one) !== place)) wrong.push(`id twice: ${id}`);
    for (const one of all("[aria-describedby], [aria-labelledby], [aria-controls], label[for]")) {
      for (const attribute of ["aria-describedby", "aria-labelledby", "aria-controls", "for"]) {
        for (const id of (one.getAttribute(attribute) ?? "").split(/\s+/).filter(Boolean)) {
          if (!ids.includes(id)) wrong.push(`${attribute} to nothing: ${id}`);
        }
      }
    }
    for (const one of all("table")) if (one.querySelector("th") === null) wrong.push(`a table without headings: ${name(one)}`);
    for (const one of all("[tabindex]")) if (one.tabIndex > 0) wrong.push(`tabindex ${one.tabIndex}: ${name(one)}`);
  }

  const focusable = all("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']").filter(
    (one) => shown(one) && !one.disabled && one.tabIndex >= 0,
  );
  if (wanted.focus) {
    const look = (one) => {
      const style = getComputedStyle(one);
      return `${style.outlineStyle} ${style.outlineWidth} ${style.outlineColor} ${style.boxShadow} ${style.borderColor}`;
    };
    for (const one of focusable) {
      const places = [one, one.closest("label"), one.nextElementSibling, one.parentElement].filter(Boolean);
      const before = places.map(look);
      one.focus({ preventScroll: true, focusVisible: true });
      if (document.activeElement !== one) wrong.push(`takes no focus: ${name(one)}`);
      else if (places.every((place, number) => look(place) === before[number])) wrong.push(`focus cannot be seen: ${name(one)}`);
    }
    document.activeElement?.blur();
  }

  if (wanted.layout) {
    const wide = document.documentElement.scrollWidth - innerWidth;
    if (wide > 0) wrong.push(`${wide} px wider than the screen`);
    for (const one of focusable) {
      const target = ["checkbox", "radio", "file"].includes(one.type) ? (one.closest("label") ?? one.labels?.[0] ?? one) : one;
      const box = target.getBoundingClientRect();
      const inline = getComputedStyle(one).display === "inline" && one.parentElement.innerText.trim() !== one.innerText.trim();
      if (!inline && one.tabIndex >= 0 && !one.classList.contains("skip") && (box.width < 24 || box.height < 24)) {
        wrong.push(`a target of ${Math.round(box.width)} × ${Math.round(box.height)}: ${name(one)}`);
      }
    }
    // Tab goes down the page; up only into the next column.
    let last = null;
    for (const one of focusable) {
      if (one.closest(".skip, .table-wrap, dialog") || getComputedStyle(one).position === "sticky" || one.closest(".join-go")) continue;
      const box = one.getBoundingClientRect();
      if (last !== null && box.bottom < last.box.top - 8 && box.left < last.box.right - 8) {
        wrong.push(`Tab jumps up from ${name(last.one)} to ${name(one)}`);
      }
      last = { one, box };
    }
  }
  return wrong;
}
