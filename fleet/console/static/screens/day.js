// A day: what it came to hour by hour, against the most the site could carry and the day before, and what stands now.

import { bars, h, s } from "../dom.js";
import { complain, get } from "../server.js";
import { fleet, standing, trucks, watch } from "../state.js";
import { count, lasting, t } from "../text.js";

const LOOK_MS = 5000;
const [HIGH, LEFT, FOOT, HEAD] = [220, 44, 20, 10];
// What lies beside a diagram on its card and around that; two cards stand side by side where there is room.
const [BESIDE, TWO] = [62, 900];
// Causes that make a colour of their own in the stack; the rest of a day is one grey.
const COLOURS = ["#c2703d", "#3f7cac", "#7a9e4b", "#b0413e", "#8a6bb1", "#c9a227", "#4aa5a0", "#a05a7d"];
const BINDS = [
  [/^fleet$/, "binds.fleet"],
  [/^loading bays$/, "binds.loading"],
  [/^unloading bays$/, "binds.unloading"],
  [/^(\w+) gates after (.+)$/, "binds.gates"],
  [/^inspection$/, "binds.inspection"],
  [/^lane (.+)$/, "binds.lane"],
  [/^section (.+)$/, "binds.section"],
  [/^merge at (.+) behind the (\w+) gates$/, "binds.merge"],
];

function binds(name) {
  for (const [form, key] of BINDS) {
    const found = form.exec(name);
    if (!found) continue;
    const role = found.slice(1).find((part) => ["exit", "border", "customs", "portal", "xray", "entry"].includes(part));
    const at = found.slice(1).find((part) => part !== role) ?? "";
    return t(key, { at, role: role ? t(`gate.${role}`) : "" });
  }
  return name;
}

// The next day of a date, or the one before it: dates have no zone.
function beside(date, days) {
  const at = new Date(`${date}T12:00:00Z`);
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}

const sum = (day, of) => (day?.hours ?? []).reduce((all, hour) => all + of(hour), 0);
const stood = (hour) => hour.waiting.reduce((all, cause) => all + cause.duration, 0);

// Round numbers for an axis that shall reach *most*.
function steps(most) {
  const rough = Math.max(most, 1e-9) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((each) => each * power >= rough);
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, k) => k * step);
}

// An empty diagram of a day of hours, and where a value is in it.
function frame(most, label, wide) {
  const ticks = steps(most);
  const digits = ticks[1] % 1 ? ((10 * ticks[1]) % 1 ? 2 : 1) : 0;
  const top = ticks.at(-1) || 1;
  const y = (value) => HIGH - FOOT - ((HIGH - FOOT - HEAD) * value) / top;
  const x = (hour) => LEFT + ((wide - LEFT - 6) * hour) / 24;
  const svg = s("svg", { viewBox: `0 0 ${wide} ${HIGH}`, class: "day", role: "img", "aria-label": label });
  for (const tick of ticks) {
    svg.append(s("line", { x1: LEFT, x2: wide - 6, y1: y(tick), y2: y(tick), class: "grid" }), s("text", { x: LEFT - 6, y: y(tick) + 4, class: "axis end" }, count(tick, digits)));
  }
  for (let hour = 0; hour <= 24; hour += 3) svg.append(s("text", { x: x(hour), y: HIGH - 5, class: "axis" }, String(hour).padStart(2, "0")));
  return { svg, x, y, wide };
}

function bar(diagram, hour, from, to, attributes, said, share = [0.12, 0.76]) {
  const left = diagram.x(hour + share[0]);
  const wide = diagram.x(hour + share[0] + share[1]) - left;
  return s("rect", { x: left, width: wide, y: diagram.y(to), height: Math.max(0, diagram.y(from) - diagram.y(to)), ...attributes }, s("title", {}, said));
}

function tripsDiagram(day, before, wide) {
  const capacity = day.bound?.capacity_per_h ?? 0;
  const most = Math.max(1, capacity, ...day.hours.map((hour) => hour.round_trips), ...(before?.hours ?? []).map((hour) => hour.round_trips));
  const diagram = frame(most, t("day.trips_h"), wide);
  for (const hour of before?.hours ?? []) diagram.svg.append(bar(diagram, hour.hour, 0, hour.round_trips, { class: "before" }, `${hour.hour}:00 · ${t("day.before")} · ${count(hour.round_trips)}`, [0.02, 0.96]));
  for (const hour of day.hours) diagram.svg.append(bar(diagram, hour.hour, 0, hour.round_trips, { class: "trips", "data-hour": hour.hour }, `${hour.hour}:00 · ${count(hour.round_trips)}`));
  if (capacity) {
    const y = diagram.y(capacity);
    diagram.svg.append(s("line", { x1: LEFT, x2: wide - 6, y1: y, y2: y, class: "bound" }), s("text", { x: wide - 8, y: y - 4, class: "axis end bound-text" }, t("day.capacity", { n: count(capacity, 1) })));
  }
  return diagram.svg;
}

function tonnesDiagram(day, before, wide) {
  const summed = (hours) => {
    let all = 0;
    return hours.map((hour) => [hour.hour, (all += hour.tonnes)]);
  };
  const [now, then] = [summed(day.hours), summed(before?.hours ?? [])];
  const diagram = frame(Math.max(1, ...now.map(([, tonnes]) => tonnes), ...then.map(([, tonnes]) => tonnes)), t("day.tonnes_sum"), wide);
  const line = (points, name) => {
    if (!points.length) return;
    const path = [[points[0][0], 0], ...points.map(([hour, tonnes]) => [hour + 1, tonnes])];
    diagram.svg.append(s("polyline", { class: name, points: path.map(([hour, tonnes]) => `${diagram.x(hour)},${diagram.y(tonnes)}`).join(" ") }));
  };
  line(then, "line-before");
  line(now, "line-now");
  return diagram.svg;
}

// Hours of trucks, stacked by cause, each day's longest at the bottom.
function waitingDiagram(day, colours, wide) {
  const diagram = frame(Math.max(0.1, ...day.hours.map(stood)) / 3600, t("day.waiting"), wide);
  const kinds = [...colours.keys()];
  for (const hour of day.hours) {
    let from = 0;
    for (const cause of [...hour.waiting].sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind))) {
      const to = from + cause.duration / 3600;
      diagram.svg.append(bar(diagram, hour.hour, from, to, { fill: colours.get(cause.kind), "data-cause": cause.kind }, `${hour.hour}:00 · ${t(`short.${cause.kind}`)} · ${lasting(cause.duration * 1000)}`));
      from = to;
    }
  }
  return diagram.svg;
}

function causesOf(day) {
  const all = new Map();
  for (const hour of day.hours) for (const cause of hour.waiting) all.set(cause.kind, (all.get(cause.kind) ?? 0) + cause.duration);
  const sorted = [...all].sort((a, b) => b[1] - a[1]);
  return { sorted, colours: new Map(sorted.map(([kind], at) => [kind, COLOURS[at] ?? "#8d8d8d"])) };
}

export function day(place) {
  let wanted = "";
  let drawn = "";
  let newest = null;
  const cards = h("div", { class: "cards" });
  const figures = h("div");
  const causes = h("div");
  const sessions = h("div");
  const picker = h("input", { type: "date", id: "day-date", "aria-label": t("day.date"), onchange: (event) => go(event.target.value) });
  const move = (days) => picker.value && go(beside(picker.value, days));
  const tools = h("div", { class: "row tools", style: "margin: -14px -14px 12px" }, h("button", { "aria-label": t("day.back"), title: t("day.back"), onclick: () => move(-1) }, "‹"), picker, h("button", { "aria-label": t("day.forth"), title: t("day.forth"), onclick: () => move(1) }, "›"), h("button", { id: "day-today", onclick: () => go("") }, t("day.today")));
  place.append(tools, cards, figures, h("div", { class: "card" }, h("h1", {}, t("day.now")), causes), h("div", { class: "card" }, h("h1", {}, t("day.sessions")), sessions));

  function go(date) {
    wanted = date;
    drawn = "";
    look();
  }

  function tiles(said, before) {
    const trips = sum(said, (hour) => hour.round_trips);
    // Of the day before as much of it as there is of this one: at noon it is compared with noon.
    const last = said.hours.at(-1)?.hour ?? 24;
    const then = { hours: (before?.hours ?? []).filter((hour) => hour.hour <= last) };
    const against = (value) => (then.hours.length ? t("day.against", { n: value }) : "");
    const rows = [
      [`${count(sum(said, (hour) => hour.tonnes))} t`, "top.tonnes", against(`${count(sum(then, (hour) => hour.tonnes))} t`)],
      [count(trips), "top.trips", against(count(sum(then, (hour) => hour.round_trips)))],
      [count(sum(said, (hour) => hour.containers_delivered)), "day.boxes", against(count(sum(then, (hour) => hour.containers_delivered)))],
      [lasting(1000 * sum(said, stood)), "day.stood", against(lasting(1000 * sum(then, stood)))],
    ];
    if (said.bound) rows.push([count(said.bound.round_trips), "day.bound", t("day.binds", { what: binds(said.bound.bottleneck), n: count(said.bound.truck_count) })]);
    cards.replaceChildren(...rows.map(([value, key, more]) => h("div", { class: "card" }, h("b", {}, value), h("span", {}, t(key)), h("div", { class: "faint" }, more))));
  }

  function draw(said, before) {
    if (document.activeElement !== picker) picker.value = said.date;
    const room = place.clientWidth;
    const mark = JSON.stringify([said, before, room]);
    if (mark === drawn) return;
    drawn = mark;
    tiles(said, before);
    if (!said.hours.length) {
      figures.replaceChildren(h("p", { class: "empty-note" }, t("day.none")));
      return;
    }
    const { sorted, colours } = causesOf(said);
    const legend = h("div", { class: "causes" }, sorted.map(([kind, seconds]) => h("span", {}, h("i", { style: `background: ${colours.get(kind)}` }), `${t(`short.${kind}`)} ${lasting(seconds * 1000)}`)));
    const days = h("div", { class: "causes" }, h("span", {}, h("i", { style: "background: var(--accent)" }), said.date), before?.hours.length ? h("span", {}, h("i", { class: "then" }), before.date) : null);
    const half = room > TWO ? (room - 14) / 2 - BESIDE + 14 : room - BESIDE;
    const card = (key, ...inside) => h("div", { class: "card" }, h("h1", {}, t(key)), ...inside);
    figures.replaceChildren(
      h("div", { class: "diagrams" }, card("day.trips_h", tripsDiagram(said, before, half), days), card("day.tonnes_sum", tonnesDiagram(said, before, half), days.cloneNode(true))),
      card("day.waiting", waitingDiagram(said, colours, room - BESIDE), legend),
    );
    place.dataset.date = said.date;
  }

  async function look() {
    const asked = wanted;
    try {
      const said = await get(`/api/day${asked ? `?date=${encodeURIComponent(asked)}` : ""}`);
      const before = said.date ? await get(`/api/day?date=${beside(said.date, -1)}`) : null;
      if (asked === wanted) draw(...(newest = [said, before]));
    } catch (refused) {
      complain(refused);
    }
  }

  function show() {
    const counted = (some, key) => Object.entries(Object.groupBy(some, key)).map(([name, alike]) => [t(name), alike.length]);
    causes.replaceChildren(...bars(counted(trucks().filter(standing), (truck) => `short.${truck.for[0]}`)));
    sessions.replaceChildren(...bars(counted(trucks(), (truck) => `session.${truck.session || "unknown"}`)));
  }

  const resized = new ResizeObserver(() => newest && draw(...newest));
  resized.observe(place);
  look();
  show();
  const timer = setInterval(look, LOOK_MS);
  const unwatch = watch(show);
  return () => {
    clearInterval(timer);
    resized.disconnect();
    unwatch();
  };
}
