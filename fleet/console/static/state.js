// The fleet as the page knows it: kept up by a stream of updates, looked at by whatever screen is open.

import { get } from "./server.js";

export const fleet = {
  site: null,
  trucks: new Map(),
  tick: 0,
  time_ms: null,
  stops: [],
  totals: {},
  control: null,
  alarms: [],
  lost_since_ms: null,
  steers: false,
  replay: null,
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

// What the map is to bring into sight, once: a truck, or a place.
export const wish = { truck: null, place: null };
export function showPlace(place) {
  wish.place = place;
  location.hash = "corridor";
  tell();
}
export function showOnMap(truckId) {
  wish.truck = truckId;
  location.hash = "corridor";
  select(truckId);
}

export const zones = () => [...new Set((fleet.site?.yards ?? []).map((yard) => yard.time_zone))];
export const trucks = () => [...fleet.trucks.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
export const standing = (truck) => truck.for !== null;
export const stops = () => fleet.stops.filter((stop) => stop.active);
// How long a truck has stood, on the server's own clock.
export const stoodMs = (truck) => (truck.for?.[2] && fleet.time_ms ? fleet.time_ms - truck.for[2] : 0);

// What a person should look at, the gravest first, as the console keeps it: {key, kind, truck, grave, fields, seen: [who, ms] or null}.
export const concerns = () => fleet.alarms;

let asking = false;

async function takeSite(wanted) {
  if (!wanted || wanted === digest || asking) return;
  asking = true;
  try {
    fleet.site = await get("/api/site");
    digest = wanted;
  } catch {
    // Asked again at the next update.
  } finally {
    asking = false;
  }
}

const AGAIN_MS = 2000;

export function listen() {
  const feed = new EventSource("/api/feed");
  feed.addEventListener("hello", (event) => {
    const { steers, replay } = JSON.parse(event.data);
    Object.assign(fleet, { steers, replay });
    tell();
  });
  feed.onmessage = async (event) => {
    const update = JSON.parse(event.data);
    if (update.whole) fleet.trucks.clear();
    for (const truck of update.trucks) fleet.trucks.set(truck.id, truck);
    const { tick, time_ms, stops: said, totals, control, alarms, lost_since_ms, replay } = update;
    Object.assign(fleet, { tick, time_ms, stops: said, totals, control, alarms, lost_since_ms });
    // An update may be older than the answer to what was steered since.
    if (!fleet.replay || !(replay?.steered < fleet.replay.steered)) fleet.replay = replay;
    await takeSite(update.site);
    tell();
  };
  feed.onerror = () => {
    fleet.lost_since_ms ??= Date.now();
    tell();
    // A browser gives up for good where an answer was no stream, as of a proxy whose other side is away.
    if (feed.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN_MS);
  };
}
