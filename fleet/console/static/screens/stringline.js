// Time against distance: where every truck was, laden and empty, with gates and one-lane sections as bands.

import { h, hue as hueOf } from "../dom.js";
import { get, notice } from "../server.js";
import { fleet, select, selected } from "../state.js";
import { clock, t } from "../text.js";
import uPlot from "../vendor/uPlot.esm.js";

const LOOK_MS = 2500;
const SPANS_MIN = [15, 30, 60, 180];
const NEAR_PX = 14;

export function stringline(place) {
  place.className = "full";
  const hue = Object.fromEntries(["laden", "empty", "line", "faint", "ink", "warn", "bad"].map((name) => [name, hueOf(name)]));
  const zone = fleet.site?.yards[0]?.time_zone;
  const past = { time_ms: [], trucks: {} };
  let span = 30;
  let plot = null;

  const buttons = SPANS_MIN.map((minutes) => [minutes, h("button", { onclick: () => ((span = minutes), draw()) }, t("lasting.min", { n: minutes }))]);
  const holder = h("div", { class: "diagram" });
  place.append(
    h("div", { class: "tools" }, buttons.map(([, button]) => button), h("span", { style: `color: ${hue.laden}` }, `━ ${t("laden")}`), h("span", { style: `color: ${hue.empty}` }, `━ ${t("empty")}`), h("span", { class: "faint" }, t("line.hint"))),
    holder,
  );

  // Bands under the lines: each gate's line, and the stretches of the axis where one direction excludes the other.
  function bands(u) {
    const { ctx } = u;
    ctx.save();
    const { left, width } = u.bbox;
    for (const section of fleet.site.zones.filter((each) => each.one_lane)) {
      const ends = section.stretches.flatMap((at) => {
        const lane = fleet.site.lanes[at.lane_id];
        const along = (m) => lane.span_m[0] + (lane.span_m[1] - lane.span_m[0]) * (m / lane.length_m);
        return [along(at.start_m), along(at.end_m)];
      });
      const [low, high] = [u.valToPos(Math.min(...ends), "y", true), u.valToPos(Math.max(...ends), "y", true)];
      ctx.fillStyle = hue.warn;
      ctx.globalAlpha = 0.12;
      ctx.fillRect(left, high, width, low - high);
    }
    ctx.globalAlpha = 0.7;
    ctx.strokeStyle = hue.line;
    ctx.fillStyle = hue.faint;
    ctx.font = `${11 * devicePixelRatio}px system-ui`;
    const byPlace = Map.groupBy(fleet.site.gates, (gate) => `${gate.role} ${Math.round(gate.along_m / 60)}`);
    for (const group of byPlace.values()) {
      const y = u.valToPos(group[0].along_m, "y", true);
      ctx.beginPath();
      ctx.moveTo(left, y);
      ctx.lineTo(left + width, y);
      ctx.stroke();
      ctx.fillText(`${t(`gate.${group[0].role}`)}${group.length > 1 ? ` ×${group.length}` : ""}`, left + 6, y - 4);
    }
    ctx.restore();
  }

  function strings(u) {
    const { ctx } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    ctx.lineJoin = "round";
    const xs = past.time_ms.map((ms) => u.valToPos(ms / 1000, "x", true));
    for (const [truckId, row] of Object.entries(past.trucks)) {
      const chosen = truckId === selected();
      ctx.lineWidth = (chosen ? 3.5 : 1.3) * devicePixelRatio;
      ctx.globalAlpha = chosen || !selected() ? 0.95 : 0.35;
      for (const load of [0, 1]) {
        ctx.strokeStyle = load ? hue.laden : hue.empty;
        ctx.beginPath();
        for (let k = 1; k < xs.length; k += 1) {
          if (row.m[k] === null || row.m[k - 1] === null || row.laden[k] !== load) continue;
          ctx.moveTo(xs[k - 1], u.valToPos(row.m[k - 1], "y", true));
          ctx.lineTo(xs[k], u.valToPos(row.m[k], "y", true));
        }
        ctx.stroke();
      }
    }
    ctx.restore();
  }

  function nearest(event) {
    const box = plot.over.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const at = plot.posToVal(x, "x") * 1000;
    let k = past.time_ms.findIndex((ms) => ms >= at);
    if (k < 0) k = past.time_ms.length - 1;
    let best = [NEAR_PX, null];
    for (const [truckId, row] of Object.entries(past.trucks)) {
      if (row.m[k] === null) continue;
      const apart = Math.abs(plot.valToPos(row.m[k], "y") - y);
      if (apart < best[0]) best = [apart, truckId];
    }
    select(best[1]);
    draw();
  }

  function options() {
    const axis = { stroke: hue.faint, grid: { stroke: hue.line, width: 1 }, ticks: { stroke: hue.line } };
    return {
      width: holder.clientWidth,
      height: holder.clientHeight,
      legend: { show: false },
      cursor: { points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: false }, y: { range: [-0.02 * fleet.site.axis_m, 1.02 * fleet.site.axis_m] } },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map((s) => clock(s * 1000, zone, span < 30)), space: 90 },
        { ...axis, values: (_, ticks) => ticks.map((m) => `${m / 1000} km`), size: 64 },
      ],
      series: [{}, { show: false }],
      hooks: { drawAxes: [bands], draw: [strings] },
    };
  }

  function draw() {
    for (const [minutes, button] of buttons) button.setAttribute("aria-pressed", String(minutes === span));
    if (!fleet.site || !past.time_ms.length) return;
    if (!plot) {
      plot = new uPlot(options(), [[0], [0]], holder);
      plot.over.addEventListener("click", nearest);
    }
    const last = past.time_ms.at(-1) / 1000;
    plot.setData([past.time_ms.map((ms) => ms / 1000), past.time_ms.map(() => null)], false);
    plot.setScale("x", { min: last - span * 60, max: last + span * 2 });
    place.dataset.samples = String(past.time_ms.length);
  }

  async function look() {
    try {
      const since = past.time_ms.length ? past.time_ms.at(-1) + 1 : 0;
      const news = await get(`/api/history?since_ms=${since}`);
      const before = past.time_ms.length;
      past.time_ms.push(...news.time_ms);
      for (const truckId of new Set([...Object.keys(past.trucks), ...Object.keys(news.trucks)])) {
        const row = (past.trucks[truckId] ??= { m: Array(before).fill(null), laden: Array(before).fill(null) });
        row.m.push(...(news.trucks[truckId]?.m ?? news.time_ms.map(() => null)));
        row.laden.push(...(news.trucks[truckId]?.laden ?? news.time_ms.map(() => null)));
      }
      draw();
    } catch (refused) {
      notice(refused.message, true);
    }
  }

  const resized = new ResizeObserver(() => plot?.setSize({ width: holder.clientWidth, height: holder.clientHeight }));
  resized.observe(holder);
  look();
  const timer = setInterval(look, LOOK_MS);
  return () => {
    clearInterval(timer);
    resized.disconnect();
    plot?.destroy();
  };
}
