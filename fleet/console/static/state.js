// The fleet as the page knows it: kept up by a stream of updates, looked at by whatever screen is open.

import { get } from "./server.js";

export const fleet = {
  site: null,
  trucks: new Map(),
  tick: 0,
  time_ms: null,
  stops: [],
  totals: {},
  lost_since_ms: null,
  steers: false,
  heard_ms: 0,
};
const watchers = new Set();
let chosen = null;
let digest = null;

export const watch = (seen) => {
  watchers.add(seen);
  return () => watchers.delete(seen);
};
const tell = () => watchers.forEach((seen) => seen());

export const selected = () => (chosen && fleet.trucks.has(chosen) ? chosen : null);
export function select(truckId) {
  chosen = truckId;
  tell();
}

export const trucks = () => [...fleet.trucks.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
export const standing = (truck) => truck.for !== null;
export const stops = () => fleet.stops.filter((stop) => stop.active);
// How long a truck has stood, on the server's own clock.
export const stoodMs = (truck) => (truck.for?.[2] && fleet.time_ms ? fleet.time_ms - truck.for[2] : 0);

// What a person should look at, the gravest first: [grave, truck or null, key of the text, fields].
export function concerns() {
  const found = [];
  for (const stop of stops()) found.push([true, null, "concern.stop", { id: stop.stop_id, reason: stop.reason }]);
  for (const truck of trucks()) {
    if (truck.session === "quarantined" || truck.session === "halted") found.push([true, truck.id, `concern.${truck.session}`, {}]);
    else if (truck.session === "silent") found.push([true, truck.id, "concern.silent", {}]);
    else if (truck.for?.[0] === "braked") found.push([true, truck.id, "concern.braked", {}]);
    else if (truck.for?.[0] === "intrusion") found.push([true, truck.id, "concern.intrusion", {}]);
    if (truck.brakes > 0 && truck.brakes < 0.9) found.push([false, truck.id, "concern.brakes", { n: Math.round(truck.brakes * 100) }]);
    const full = fleet.site?.types[truck.type]?.battery_wh ?? 0;
    if (full > 0 && truck.wh < 0.1 * full) found.push([false, truck.id, "concern.battery", { n: Math.round((100 * truck.wh) / full) }]);
  }
  return found.sort((a, b) => b[0] - a[0]);
}

async function takeSite(wanted) {
  if (!wanted || wanted === digest) return;
  digest = wanted;
  fleet.site = await get("/api/site");
}

export function listen() {
  const feed = new EventSource("/api/feed");
  feed.addEventListener("hello", (event) => {
    fleet.steers = JSON.parse(event.data).steers;
  });
  feed.onmessage = async (event) => {
    const update = JSON.parse(event.data);
    fleet.heard_ms = performance.now();
    if (update.whole) fleet.trucks.clear();
    for (const truck of update.trucks) fleet.trucks.set(truck.id, truck);
    const { tick, time_ms, stops: said, totals, lost_since_ms } = update;
    Object.assign(fleet, { tick, time_ms, stops: said, totals, lost_since_ms });
    await takeSite(update.site);
    tell();
  };
  feed.onerror = () => {
    fleet.lost_since_ms ??= Date.now();
    tell();
  };
}
