// The corridor without WebGL: the same lines as a drawing, moved with the mouse or the arrows and nothing smooth about it.

import { s } from "./dom.js";
import { fit, gatePlaces, stretch, yardPlaces } from "./geometry.js";
import { fleet } from "./state.js";
import { t } from "./text.js";

const LEFT_FREE = 1.14;
const STEP = 0.15;
const NEAR_M = 250;
const ZOOMS = { "+": 1 / 1.5, "=": 1 / 1.5, "-": 1.5 };
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function mapSvg(holder, hue, choose) {
  const [east, north] = fleet.site.m_per_deg;
  const [x0, y0] = fleet.site.origin;
  const wide = holder.clientWidth > holder.clientHeight;
  const turn = (fit(wide).bearing * Math.PI) / 180;
  // Metres across and down in the picture.
  const put = ([x, y]) => {
    const [e, n] = [(x - x0) * east, (y - y0) * north];
    return [e * Math.cos(turn) - n * Math.sin(turn), -(e * Math.sin(turn) + n * Math.cos(turn))];
  };
  const d = (line) => `M${line.map((at) => put(at).map((m) => m.toFixed(1)).join(" ")).join("L")}`;
  const path = (line, attributes) => s("path", { d: d(line), fill: "none", "stroke-linecap": "round", "stroke-linejoin": "round", "vector-effect": "non-scaling-stroke", ...attributes });
  const paths = (stretches, attributes) => stretches.map(stretch).filter(Boolean).map((line) => path(line, attributes));
  const hues = { bad: hue.bad, laden: hue.laden, empty: hue.empty };

  const ground = s("g");
  for (const lane of Object.values(fleet.site.lanes)) {
    ground.append(path(lane.line, { stroke: hue.road, "stroke-width": 3 }), path(lane.line, { stroke: hue.road, "stroke-width": lane.width_m, "vector-effect": null }));
  }
  for (const zone of fleet.site.zones) ground.append(...paths(zone.stretches, { stroke: zone.derived ? hue.meeting : hue.warn, "stroke-width": 3, "stroke-opacity": zone.derived ? 1 : 0.4 }));
  ground.append(...paths(fleet.site.no_stops, { stroke: hue.bad, "stroke-width": 2, "stroke-dasharray": "2 5" }));
  const marked = s("g");
  const moving = s("g");
  const words = s("g");
  const picture = s("svg", { tabindex: 0, role: "img", "aria-label": t("screen.corridor") }, ground, marked, moving, words);
  holder.replaceChildren(picture);

  let box = null;
  let seen = [];
  const scale = () => Math.max(box[2] / holder.clientWidth, box[3] / holder.clientHeight);

  function look(next) {
    box = next;
    picture.setAttribute("viewBox", box.map((m) => m.toFixed(1)).join(" "));
    name();
    show(seen);
  }
  function zoom(by, [x, y] = [box[0] + box[2] / 2, box[1] + box[3] / 2]) {
    look([x + (box[0] - x) * by, y + (box[1] - y) * by, box[2] * by, box[3] * by]);
  }
  function whole(points = null) {
    const all = (points ?? Object.values(fleet.site.lanes).flatMap((lane) => lane.line)).map(put);
    const [xs, ys] = [0, 1].map((axis) => all.map((at) => at[axis]));
    const [low, high] = [[xs, ys].map((each) => Math.min(...each)), [xs, ys].map((each) => Math.max(...each))];
    const ratio = holder.clientWidth / Math.max(1, holder.clientHeight);
    const width = Math.max(high[0] - low[0], (high[1] - low[1]) * ratio, 60) * LEFT_FREE;
    const height = width / ratio;
    look([(low[0] + high[0] - width) / 2, (low[1] + high[1] - height) / 2, width, height]);
  }
  // Letters are as large as everywhere, whatever the scale.
  function name() {
    const px = scale();
    const word = ([x, y], up, text, attributes) => s("text", { x, y: y - up * px, "font-size": 12 * px, "text-anchor": "middle", ...attributes }, text);
    words.replaceChildren(
      ...gatePlaces().flatMap((gate) => {
        const [x, y] = put(gate.at);
        const mark = s("circle", { cx: x, cy: y, r: 3 * px, fill: hue.panel, stroke: hue.ink, "stroke-width": 1.3 * px });
        return px < 0.6 ? [mark, word([x, y], 8, gate.id, { fill: hue.faint })] : [mark];
      }),
      ...yardPlaces().map((yard) => word(put(yard.at), yard.role === "checkpoint" ? 44 : 22, yard.name, { fill: hue.ink, "font-weight": 600, cursor: "pointer", onclick: () => whole(yard.places) })),
    );
  }
  function show(now) {
    seen = now;
    const px = scale();
    moving.replaceChildren(
      ...seen.filter((each) => each.tail).map((each) => path(each.tail, { stroke: hues[each.state], "stroke-width": 4, "stroke-opacity": each.chosen ? 0.75 : 0.4 })),
      ...seen.flatMap((each) => {
        const chosen = each.chosen ? hue.ink : hue.panel;
        const picked = { cursor: "pointer", "data-truck": each.id, onclick: (event) => (event.stopPropagation(), choose(each.id)) };
        const outline = s("polygon", { points: each.body[0].map((at) => put(at).join(",")).join(" "), fill: hues[each.state], stroke: chosen, "stroke-width": 1, "vector-effect": "non-scaling-stroke", ...picked });
        if (px < 0.25) return [outline];
        const [x, y] = put(each.nose);
        return [outline, s("circle", { cx: x, cy: y, r: (each.chosen ? 8 : 5) * px, fill: each.stands ? hue.panel : hues[each.state], stroke: each.chosen ? hue.ink : each.stands ? hues[each.state] : hue.panel, "stroke-width": (each.stands ? 2 : 1) * px, ...picked })];
      }),
    );
  }

  let held = null;
  picture.addEventListener("pointerdown", (event) => (held = [event.clientX, event.clientY]));
  picture.addEventListener("pointermove", (event) => {
    if (!held || !event.buttons) return;
    const px = scale();
    look([box[0] - (event.clientX - held[0]) * px, box[1] - (event.clientY - held[1]) * px, box[2], box[3]]);
    held = [event.clientX, event.clientY];
  });
  picture.addEventListener("click", () => choose(null));
  picture.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = picture.getBoundingClientRect();
    const px = scale();
    zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, [box[0] + (event.clientX - at.left) * px, box[1] + (event.clientY - at.top) * px]);
  });
  picture.addEventListener("keydown", (event) => {
    if (event.key in ZOOMS) zoom(ZOOMS[event.key]);
    if (event.key === "0") whole();
    const move = MOVES[event.key];
    if (move) look([box[0] + move[0] * box[2] * STEP, box[1] + move[1] * box[3] * STEP, box[2], box[3]]);
  });
  whole();
  return {
    show,
    marks(closed, limited, intruders) {
      marked.replaceChildren(
        ...paths(limited, { stroke: hue.warn, "stroke-width": 5, "stroke-dasharray": "8 6" }),
        ...paths(closed, { stroke: hue.bad, "stroke-width": 6, "stroke-dasharray": "5 6" }),
        ...paths(intruders, { stroke: hue.bad, "stroke-width": 12, "stroke-opacity": 0.45 }),
      );
    },
    whole: () => whole(),
    lookAt(place) {
      const [x, y] = put(place);
      look([x - NEAR_M, y - (NEAR_M * box[3]) / box[2], 2 * NEAR_M, (2 * NEAR_M * box[3]) / box[2]]);
    },
    remove: () => picture.remove(),
  };
}
