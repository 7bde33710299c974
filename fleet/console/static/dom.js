// Elements from code: h("td", {class: "number"}, "12").

import { count } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);
// The same, in a drawing.
export const s = (tag, attributes = {}, ...children) => filled(document.createElementNS(SVG, tag), attributes, children);

export const byId = (id) => document.getElementById(id);

// A colour of the style sheet as canvases and maps understand it: light-dark() and mixtures are for the browser alone.
export function hue(name) {
  const probe = h("i", { style: `color: var(--${name}); display: none` });
  document.body.append(probe);
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  pixel.fillStyle = getComputedStyle(probe).color;
  pixel.fillRect(0, 0, 1, 1);
  probe.remove();
  return `rgb(${[...pixel.getImageData(0, 0, 1, 1).data].slice(0, 3).join(", ")})`;
}

// Numbers by name as bars, the longest first.
export function bars(counts) {
  const most = Math.max(1, ...counts.map(([, n]) => n));
  const longest = [...counts].sort((a, b) => b[1] - a[1]);
  return longest.map(([name, n]) => h("div", { class: "bar" }, h("span", {}, name), h("i", { style: `width: ${(100 * n) / most}%` }), h("b", {}, count(n))));
}

// A table whose body is built anew only where a row's text or class changed: a click is not lost to an update. Cells that come as a
// function are asked for only while the row is in sight, or near: of a thousand trucks a screen has room for forty.
export function table(headings) {
  const body = h("tbody");
  const heads = headings.map(([text, kind]) => h("th", { class: kind, scope: "col" }, text));
  const element = h("table", {}, h("thead", {}, h("tr", {}, heads)), body);
  const known = new Map();
  const sight = new Set();
  let last = [];
  const come = ({ target, isIntersecting }) => (isIntersecting ? !sight.has(target) && sight.add(target) : sight.delete(target) && false);
  const looking = new IntersectionObserver((entries) => entries.filter(come).length && shown.show(last), { rootMargin: "200px" });
  const shown = {
    element,
    show(rows) {
      last = rows;
      const kept = new Set();
      rows.forEach(({ key, cells: asked, choose, chosen }, place) => {
        kept.add(key);
        const there = known.get(key);
        const lazy = asked instanceof Function;
        const cells = lazy && there && there.chosen === chosen && !sight.has(there.element) ? there.cells : lazy ? asked() : asked;
        const mark = cells === there?.cells ? there.mark : JSON.stringify([cells.map((cell) => (cell instanceof Node ? cell.outerHTML : cell)), chosen]);
        let row = known.get(key);
        if (!row || row.mark !== mark) {
          const fresh = h(
            "tr",
            { class: [choose ? "choice" : "", chosen ? "chosen" : ""].join(" ").trim() || null, "data-key": key },
            cells.map((cell, at) => h("td", { class: headings[at][1] }, cell ?? "")),
          );
          if (choose) {
            fresh.tabIndex = 0;
            fresh.addEventListener("click", choose);
            fresh.addEventListener("keydown", (event) => event.key === "Enter" && event.target === fresh && choose());
          }
          const focused = row && row.element.contains(document.activeElement);
          row?.element.replaceWith(fresh);
          if (focused && choose) fresh.focus();
          if (lazy) {
            if (sight.delete(there?.element)) sight.add(fresh);
            if (there) looking.unobserve(there.element);
            looking.observe(fresh);
          }
          row = { element: fresh, mark, cells, chosen };
          known.set(key, row);
        }
        if (body.children[place] !== row.element) body.insertBefore(row.element, body.children[place] ?? null);
      });
      for (const [key, row] of known) {
        if (!kept.has(key)) {
          looking.unobserve(row.element);
          sight.delete(row.element);
          row.element.remove();
          known.delete(key);
        }
      }
    },
  };
  return shown;
}
