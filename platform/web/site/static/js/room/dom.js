/* The smallest layer over the DOM that views need: build elements, and keep a list in step with data.
 *
 * Text reaches the page through `textContent` alone and attributes through `setAttribute`; there is no way
 * from a string to markup in this file, so that a name is always shown as a name.
 *
 * `List` is the keyed update: rows are found by key, made once, patched only when their item is another
 * object than before (the reducer never changes an item in place), and moved only when out of order. The
 * cost of a frame in which one of 500 people changed is 500 comparisons and one patch.
 */

/** An element. `props`: `class`, `text`, `on` ({event: listener}), `dataset`, else attributes;
 *  a value of null, undefined or false leaves the attribute away. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name === "text") node.textContent = value;
    else if (name === "class") node.className = value;
    else if (name === "on") for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else setAttribute(node, name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Set, or with null, undefined and false remove; touches nothing that is so already. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else {
    const wanted = value === true ? "" : String(value);
    if (node.getAttribute(name) !== wanted) node.setAttribute(name, wanted);
  }
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

export function setClass(node, name, on) {
  if (node.classList.contains(name) !== on) node.classList.toggle(name, on);
}

const SVG = "http://www.w3.org/2000/svg";
let sheet = "";

/** Where the sheet of pictures is; the page's root says it. */
export function useIcons(url) {
  sheet = url;
}

/** A picture of the sheet. Decoration only: what it means stands beside it in words. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${sheet}#${name}`);
  svg.append(use);
  return svg;
}

export function setIcon(svg, name) {
  const use = svg.querySelector("use");
  const href = `${sheet}#${name}`;
  if (use.getAttribute("href") !== href) use.setAttribute("href", href);
}

export function byId(id) {
  return document.getElementById(id);
}

export class List {
  /** `make(item)` returns {node, patch(item)}; `patch` is called once right after `make`, too. */
  constructor(parent, make) {
    this.parent = parent;
    this.make = make;
    this.rows = new Map();
  }

  /** Show exactly these [key, item] pairs in this order. */
  update(pairs) {
    const wanted = new Set();
    let at = this.parent.firstElementChild;
    for (const [key, item] of pairs) {
      wanted.add(key);
      let row = this.rows.get(key);
      if (row === undefined) {
        row = { ...this.make(item), item: undefined };
        this.rows.set(key, row);
      }
      if (row.item !== item) {
        row.item = item;
        row.patch(item);
      }
      if (row.node === at) at = at.nextElementSibling;
      else this.parent.insertBefore(row.node, at);
    }
    if (this.rows.size !== wanted.size) {
      for (const [key, row] of this.rows) {
        if (!wanted.has(key)) {
          row.node.remove();
          this.rows.delete(key);
        }
      }
    }
  }
}
