// Time against distance: where every truck was, laden and empty; where it is to be, and how far its road reaches; gates and zones as bands.

import { h, hue as hueOf } from "../dom.js";
import { complain, get } from "../server.js";
import { fleet, select, selected, trucks, watch, zones } from "../state.js";
import { count, hours, t } from "../text.js";
import uPlot from "../vendor/uPlot.esm.js";

const LOOK_MS = 2500;
const PLAN_MS = 5000;
const DRAW_MS = 1000;
const SPANS_MIN = [15, 30, 60, 180];
const KEPT_MS = 60_000 * Math.max(...SPANS_MIN);
const SPAN_LEAST_S = 300;
// Of the span, right of now: what is planned, and the road that trucks hold already.
const AHEAD = 0.16;
const NEAR_PX = 16;
const ROW_PX = 13;
const STANDS_M = 0.5;
const MOVES_MPS = 0.3;
const OUT = 1;
const BACK = -1;
const WAYS = { both: [0, OUT, BACK], out: [0, OUT], back: [0, BACK] };
let span = 30;
let way = "both";

const along = (laneId, m) => {
  const lane = fleet.site.lanes[laneId];
  return lane ? lane.span_m[0] + (lane.span_m[1] - lane.span_m[0]) * Math.min(1, Math.max(0, m / lane.length_m)) : null;
};

// Pieces of the axis that zones take, none twice.
function bandsOf(zonesWanted) {
  const pieces = zonesWanted.flatMap((zone) => zone.stretches.map((at) => [along(at.lane_id, at.start_m), along(at.lane_id, at.end_m)].sort((a, b) => a - b)));
  const joined = [];
  for (const [low, high] of pieces.sort((a, b) => a[0] - b[0])) {
    const last = joined.at(-1);
    if (last && low <= last[1]) last[1] = Math.max(last[1], high);
    else joined.push([low, high]);
  }
  return joined;
}

// Which way each truck drove at each sample: out to the unloading yard, back, or 0 before it moved.
function waysOf(row) {
  for (let k = row.way.length; k < row.m.length; k += 1) {
    const step = k > 0 && row.m[k] !== null && row.m[k - 1] !== null ? row.m[k] - row.m[k - 1] : 0;
    row.way.push(Math.abs(step) > STANDS_M ? (step > 0 ? OUT : BACK) : (row.way[k - 1] ?? 0));
  }
  return row.way;
}

export function stringline(place) {
  place.className = "full";
  const hue = Object.fromEntries(["laden", "empty", "line", "faint", "ink", "warn", "bad", "panel", "accent"].map((name) => [name, hueOf(name)]));
  const past = { time_ms: [], trucks: {} };
  let plan = {};
  let plot = null;
  const authored = bandsOf(fleet.site.zones.filter((zone) => !zone.derived));
  const meetings = bandsOf(fleet.site.zones.filter((zone) => zone.derived));
  const named = (role) => fleet.site.yards.find((yard) => yard.role === role)?.yard_id ?? "";
  const [from, to] = [named("loading"), named("unloading")];

  const pick = (label, chosen, choose) => {
    const button = h("button", { onclick: () => (choose(), draw()) }, label);
    return { button, show: () => button.setAttribute("aria-pressed", String(chosen())) };
  };
  const picks = [
    ...[["both", `${from} ⇄ ${to}`], ["out", `${from} → ${to}`], ["back", `${to} → ${from}`]].map(([name, label]) => pick(label, () => way === name, () => (way = name))),
    ...SPANS_MIN.map((minutes) => pick(t("lasting.min", { n: minutes }), () => span === minutes, () => (span = minutes))),
  ];
  const key = (colour, kind, label) => h("span", { class: "key" }, h("i", { class: kind, style: `--hue: ${colour}` }), label);
  const holder = h("div", { class: "diagram", role: "img", "aria-label": t("screen.stringline") });
  place.append(
    h(
      "div",
      { class: "tools" },
      h("div", { class: "group" }, picks.slice(0, 3).map((each) => each.button)),
      h("div", { class: "group" }, picks.slice(3).map((each) => each.button)),
      key(hue.laden, "", t("laden")),
      key(hue.empty, "", t("empty")),
      key(hue.faint, "dotted", t("line.ahead")),
      fleet.replay ? null : key(hue.faint, "dashed", t("line.plan")),
      h("span", { class: "faint" }, t("line.hint")),
    ),
    holder,
  );

  function clipped(u, work) {
    const { ctx } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    work(ctx, devicePixelRatio);
    ctx.restore();
  }

  function bands(u) {
    const { left, width } = u.bbox;
    const y = (m) => u.valToPos(m, "y", true);
    clipped(u, (ctx, px) => {
      ctx.fillStyle = hue.warn;
      for (const [pieces, alpha] of [[meetings, 0.07], [authored, 0.16]]) {
        ctx.globalAlpha = alpha;
        for (const [low, high] of pieces) ctx.fillRect(left, y(high), width, Math.max(px, y(low) - y(high)));
      }
      ctx.globalAlpha = 0.8;
      ctx.strokeStyle = hue.faint;
      ctx.lineWidth = px;
      ctx.setLineDash([5 * px, 3 * px]);
      for (const gate of fleet.site.gates) {
        ctx.beginPath();
        ctx.moveTo(left, y(gate.along_m));
        ctx.lineTo(left + width, y(gate.along_m));
        ctx.stroke();
      }
    });
  }

  // Names of gates beside their lines, those that would lie on each other in one row; and the yards at both ends.
  function names(u) {
    const rows = [];
    const gates = fleet.site.gates.map((gate) => [u.valToPos(gate.along_m, "y", true), t(`gate.${gate.role || "border"}`)]).sort((a, b) => a[0] - b[0]);
    clipped(u, (ctx, px) => {
      for (const [y, name] of gates) {
        const row = rows.at(-1);
        if (row && y - row.y < ROW_PX * px) row.names.set(name, (row.names.get(name) ?? 0) + 1);
        else rows.push({ y, names: new Map([[name, 1]]) });
      }
      ctx.font = `${11 * px}px system-ui, sans-serif`;
      ctx.textBaseline = "middle";
      ctx.textAlign = "left";
      const write = (text, y, colour) => {
        const { width } = ctx.measureText(text);
        ctx.globalAlpha = 0.85;
        ctx.fillStyle = hue.panel;
        ctx.fillRect(u.bbox.left + 3 * px, y - 7 * px, width + 6 * px, 14 * px);
        ctx.globalAlpha = 1;
        ctx.fillStyle = colour;
        ctx.fillText(text, u.bbox.left + 6 * px, y);
      };
      for (const row of rows) write([...row.names].map(([name, n]) => (n > 1 ? `${name} ×${n}` : name)).join(" · "), row.y, hue.faint);
      write(`${to} · ${t("yard.unloading")}`, u.valToPos(fleet.site.axis_m, "y", true), hue.ink);
      write(`${from} · ${t("yard.loading")}`, u.valToPos(0, "y", true), hue.ink);
    });
  }

  function strings(u) {
    const xs = past.time_ms.map((ms) => u.valToPos(ms / 1000, "x", true));
    const y = (m) => u.valToPos(m, "y", true);
    const shown = WAYS[way];
    const first = Math.max(1, past.time_ms.findIndex((ms) => ms / 1000 >= u.scales.x.min));
    clipped(u, (ctx, px) => {
      ctx.lineJoin = "round";
      for (const [truckId, row] of Object.entries(past.trucks)) {
        const chosen = truckId === selected();
        const ways = waysOf(row);
        ctx.lineWidth = (chosen ? 3.5 : 1.5) * px;
        ctx.globalAlpha = chosen || !selected() ? 0.95 : 0.3;
        for (const load of [0, 1]) {
          ctx.strokeStyle = load ? hue.laden : hue.empty;
          ctx.beginPath();
          for (let k = first; k < xs.length; k += 1) {
            if (row.m[k] === null || row.m[k - 1] === null || row.laden[k] !== load || !shown.includes(ways[k])) continue;
            ctx.moveTo(xs[k - 1], y(row.m[k - 1]));
            ctx.lineTo(xs[k], y(row.m[k]));
          }
          ctx.stroke();
        }
      }
      const now = u.valToPos(fleet.time_ms / 1000, "x", true);
      ctx.globalAlpha = 0.7;
      ctx.lineWidth = 1.5 * px;
      ctx.strokeStyle = hue.accent;
      ctx.beginPath();
      ctx.moveTo(now, u.bbox.top);
      ctx.lineTo(now, u.bbox.top + u.bbox.height);
      ctx.stroke();
      ahead(u, ctx, px, now);
    });
    names(u);
  }

  // From now on: each truck to the end of the road that is its own, at the speed it has.
  function ahead(u, ctx, px, now) {
    for (const truck of trucks()) {
      if (!truck.lane) continue;
      const [here, end] = [along(truck.lane, truck.at_m), truck.end_lane ? along(truck.end_lane, truck.end_m) : null];
      const row = past.trucks[truck.id];
      const direction = row ? (waysOf(row).at(-1) ?? 0) : 0;
      if (here === null || !WAYS[way].includes(direction)) continue;
      const y = u.valToPos(here, "y", true);
      const chosen = truck.id === selected();
      ctx.globalAlpha = chosen || !selected() ? 0.95 : 0.3;
      ctx.strokeStyle = ctx.fillStyle = truck.laden ? hue.laden : hue.empty;
      ctx.lineWidth = (chosen ? 3.5 : 1.5) * px;
      const sampled = row?.m.at(-1) ?? null;
      if (sampled !== null) {
        ctx.beginPath();
        ctx.moveTo(u.valToPos(past.time_ms.at(-1) / 1000, "x", true), u.valToPos(sampled, "y", true));
        ctx.lineTo(now, y);
        ctx.stroke();
      }
      const course = plan[truck.id];
      if (course?.ms.length) {
        ctx.lineWidth = (chosen ? 2.5 : 1) * px;
        ctx.setLineDash([6 * px, 4 * px]);
        ctx.beginPath();
        ctx.moveTo(now, y);
        course.ms.forEach((ms, k) => ms > fleet.time_ms && ctx.lineTo(u.valToPos(ms / 1000, "x", true), u.valToPos(course.m[k], "y", true)));
        ctx.stroke();
        ctx.setLineDash([]);
        ctx.lineWidth = (chosen ? 3.5 : 1.5) * px;
      }
      if (end !== null && truck.v > MOVES_MPS) {
        ctx.setLineDash([1.5 * px, 2.5 * px]);
        ctx.beginPath();
        ctx.moveTo(now, y);
        ctx.lineTo(u.valToPos(fleet.time_ms / 1000 + Math.abs(end - here) / truck.v, "x", true), u.valToPos(end, "y", true));
        ctx.stroke();
        ctx.setLineDash([]);
      }
      ctx.beginPath();
      ctx.arc(now, y, (chosen ? 4.5 : 2.5) * px, 0, 2 * Math.PI);
      ctx.fill();
    }
  }

  function nearest(event) {
    const box = plot.over.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const at = plot.posToVal(x, "x") * 1000;
    let k = past.time_ms.findIndex((ms) => ms >= at);
    if (k < 0) k = past.time_ms.length - 1;
    let best = [NEAR_PX, null];
    for (const [truckId, row] of Object.entries(past.trucks)) {
      if (row.m[k] === null || row.m[k] === undefined || !WAYS[way].includes(waysOf(row)[k])) continue;
      const apart = Math.abs(plot.valToPos(row.m[k], "y") - y);
      if (apart < best[0]) best = [apart, truckId];
    }
    select(best[1]);
  }

  function options() {
    const axis = { stroke: hue.faint, grid: { stroke: hue.line, width: 1 }, ticks: { stroke: hue.line } };
    const all = zones();
    return {
      width: holder.clientWidth,
      height: holder.clientHeight,
      legend: { show: false },
      cursor: { points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: false }, y: { range: [-0.03 * fleet.site.axis_m, 1.03 * fleet.site.axis_m] } },
      axes: [
        { ...axis, incrs: [30, 60, 120, 300, 600, 900, 1800, 3600], values: (_, ticks) => ticks.map((s) => hours(s * 1000, all, s % 60 !== 0)), space: all.length > 1 ? 100 : 80 },
        { ...axis, values: (_, ticks) => ticks.map((m) => `${count(m / 1000, fleet.site.axis_m < 3000 ? 1 : 0)} km`), space: 60, size: 58 },
      ],
      series: [{}, { show: false }],
      hooks: { drawAxes: [bands], draw: [strings] },
    };
  }

  function draw() {
    picks.forEach((each) => each.show());
    if (!fleet.site || !past.time_ms.length || !holder.clientWidth) return;
    if (!plot) {
      plot = new uPlot(options(), [[0], [0]], holder);
      plot.over.addEventListener("click", nearest);
    }
    const last = Math.max(past.time_ms.at(-1), fleet.time_ms ?? 0) / 1000;
    const length_s = Math.min(span * 60, Math.max(SPAN_LEAST_S, last - past.time_ms[0] / 1000));
    plot.setData([past.time_ms.map((ms) => ms / 1000), past.time_ms.map(() => null)], false);
    plot.setScale("x", { min: last - length_s, max: last + AHEAD * length_s });
    place.dataset.samples = String(past.time_ms.length);
  }

  // What no span reaches any more: a page may stay open for weeks.
  function forget() {
    const old = past.time_ms.findIndex((ms) => ms >= past.time_ms.at(-1) - KEPT_MS);
    if (old < 1) return;
    for (const column of [past.time_ms, ...Object.values(past.trucks).flatMap((row) => [row.m, row.laden, row.way])]) column.splice(0, old);
  }

  // Asked for twice at once, the same past would be drawn twice.
  let asking = false;

  async function look() {
    if (asking) return;
    asking = true;
    try {
      // A recording may be wound back: what has not happened yet is not drawn.
      if (past.time_ms.length && fleet.time_ms < past.time_ms.at(-1)) Object.assign(past, { time_ms: [], trucks: {} });
      const since = past.time_ms.length ? past.time_ms.at(-1) + 1 : 0;
      const news = await get(`/api/history?since_ms=${since}`);
      const before = past.time_ms.length;
      past.time_ms.push(...news.time_ms);
      for (const truckId of new Set([...Object.keys(past.trucks), ...Object.keys(news.trucks)])) {
        const row = (past.trucks[truckId] ??= { m: Array(before).fill(null), laden: Array(before).fill(null), way: [] });
        row.m.push(...(news.trucks[truckId]?.m ?? news.time_ms.map(() => null)));
        row.laden.push(...(news.trucks[truckId]?.laden ?? news.time_ms.map(() => null)));
      }
      forget();
      draw();
    } catch (refused) {
      complain(refused);
    } finally {
      asking = false;
    }
  }

  async function lookAhead() {
    if (fleet.replay) return;
    try {
      plan = (await get("/api/plan")).trucks;
      place.dataset.planned = String(Object.keys(plan).length);
      draw();
    } catch (refused) {
      complain(refused);
    }
  }

  const resized = new ResizeObserver(() => (plot ? plot.setSize({ width: holder.clientWidth, height: holder.clientHeight }) : draw()));
  resized.observe(holder);
  look();
  lookAhead();
  const timers = [setInterval(look, LOOK_MS), setInterval(lookAhead, PLAN_MS)];
  let drawn = { at: 0, chosen: null };
  const unwatch = watch(() => {
    const now = { at: performance.now(), chosen: selected() };
    if (now.chosen === drawn.chosen && now.at - drawn.at < DRAW_MS) return;
    drawn = now;
    draw();
  });
  return () => {
    timers.forEach(clearInterval);
    unwatch();
    resized.disconnect();
    plot?.destroy();
  };
}
