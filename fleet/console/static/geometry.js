// Places on lanes as longitude and latitude, and bodies of trucks as polygons.

import { fleet } from "./state.js";
import { t } from "./text.js";

const HOPS_MAX = 14;
const lines = new WeakMap();
const known = new WeakMap();

// A lane's line with the metres at which each of its points lies, scaled to the lane's own length.
function measured(lane) {
  if (!lines.has(lane)) {
    const [east, north] = fleet.site.m_per_deg;
    const starts = [0];
    for (let at = 1; at < lane.line.length; at += 1) {
      const [a, b] = [lane.line[at - 1], lane.line[at]];
      starts.push(starts[at - 1] + Math.hypot((b[0] - a[0]) * east, (b[1] - a[1]) * north));
    }
    const scale = lane.length_m / (starts.at(-1) || 1);
    lines.set(lane, starts.map((start) => start * scale));
  }
  return lines.get(lane);
}

// The line of a lane from one metre to another, both included.
export function part(lane, from_m, to_m) {
  const starts = measured(lane);
  const at = (m) => {
    let leg = 1;
    while (leg < starts.length - 1 && starts[leg] < m) leg += 1;
    const share = Math.min(1, Math.max(0, (m - starts[leg - 1]) / (starts[leg] - starts[leg - 1] || 1)));
    const [a, b] = [lane.line[leg - 1], lane.line[leg]];
    return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])];
  };
  return [at(from_m), ...lane.line.filter((_, k) => starts[k] > from_m && starts[k] < to_m), at(to_m)];
}

// Lanes from one to another, the fewest; the server alone knows the truck's way, which is hardly ever another one.
function way(from, to) {
  if (!known.has(fleet.site)) known.set(fleet.site, new Map());
  const ways = known.get(fleet.site);
  const key = `${from} ${to}`;
  if (!ways.has(key)) {
    const after = Map.groupBy(Object.entries(fleet.site.lanes), ([, lane]) => lane.from);
    let front = [[from]];
    let found = null;
    const seen = new Set([from]);
    for (let hop = 0; hop < HOPS_MAX && !found; hop += 1) {
      const next = [];
      for (const path of front) {
        for (const [id] of after.get(fleet.site.lanes[path.at(-1)].to) ?? []) {
          if (seen.has(id)) continue;
          seen.add(id);
          next.push([...path, id]);
        }
      }
      found = next.find((path) => path.at(-1) === to) ?? null;
      front = next;
    }
    ways.set(key, found);
  }
  return ways.get(key);
}

// The road ahead of a truck that is its own: from its nose to its end of authority.
function tail(truck) {
  const lanes = fleet.site.lanes;
  if (!truck.lane || !truck.end_lane || !lanes[truck.lane] || !lanes[truck.end_lane]) return null;
  if (truck.lane === truck.end_lane) return truck.end_m > truck.at_m ? part(lanes[truck.lane], truck.at_m, truck.end_m) : null;
  const path = way(truck.lane, truck.end_lane);
  if (!path) return null;
  return path.flatMap((id, k) => {
    const lane = lanes[id];
    return part(lane, k === 0 ? truck.at_m : 0, k === path.length - 1 ? truck.end_m : lane.length_m);
  });
}

// The body, to scale, straight behind the nose.
function body(truck) {
  const kind = fleet.site.types[truck.type] ?? { length_m: 20, width_m: 3.2 };
  const [east, north] = fleet.site.m_per_deg;
  const [x0, y0] = fleet.site.origin;
  const [cos, sin] = [Math.cos(truck.h), Math.sin(truck.h)];
  const corner = (ahead, left) => [x0 + (truck.e + ahead * cos - left * sin) / east, y0 + (truck.n + ahead * sin + left * cos) / north];
  const half = kind.width_m / 2;
  const ring = [corner(0, half), corner(0, -half), corner(-kind.length_m, -half), corner(-kind.length_m, half)];
  return [[...ring, ring[0]]];
}

const nose = (truck) => {
  const [east, north] = fleet.site.m_per_deg;
  const [x0, y0] = fleet.site.origin;
  return [x0 + truck.e / east, y0 + truck.n / north];
};

const TROUBLED = new Set(["quarantined", "halted", "silent"]);
const state = (truck) => (TROUBLED.has(truck.session) || truck.held || truck.out ? "bad" : truck.laden ? "laden" : "empty");

// All trucks as there is something to draw: the body, the nose, and the road that is theirs.
export function scene(trucks, chosen) {
  return trucks
    .filter((truck) => truck.lane)
    .map((truck) => ({ id: truck.id, state: state(truck), chosen: truck.id === chosen, stands: truck.for !== null, body: body(truck), nose: nose(truck), tail: tail(truck) }));
}

export const stretch = (at) => (fleet.site.lanes[at.lane_id] ? part(fleet.site.lanes[at.lane_id], at.start_m, at.end_m) : null);

// Where something of that name is: a gate, a stand, a lane, a zone or a yard; null where the map has none of that name.
export function placeOf(name) {
  const { gates, lanes, stands, zones } = fleet.site;
  const at = (laneId, m) => part(lanes[laneId], m, m)[0];
  const gate = gates.find((each) => each.gate_id === name);
  if (gate) return at(gate.lane_id, gate.stop_line_m);
  const stand = stands.find((each) => each.stand_id === name);
  if (stand) return at(stand.lane_id, stand.stop_m);
  if (lanes[name]) return at(name, lanes[name].length_m / 2);
  const zone = zones.find((each) => each.zone_id === name);
  if (zone) return at(zone.stretches[0].lane_id, zone.stretches[0].start_m);
  return yardPlaces().find((yard) => yard.id === name)?.at ?? null;
}

// Where each gate's barrier is, and how it is called.
export const gatePlaces = () => fleet.site.gates.map((gate) => ({ id: gate.gate_id, role: gate.role, at: part(fleet.site.lanes[gate.lane_id], gate.stop_line_m, gate.stop_line_m)[0] }));

// The middle of each yard's stands.
export function yardPlaces() {
  return fleet.site.yards.flatMap((yard) => {
    const stands = fleet.site.stands.filter((stand) => stand.yard_id === yard.yard_id);
    if (!stands.length) return [];
    const places = stands.map((stand) => part(fleet.site.lanes[stand.lane_id], stand.stop_m, stand.stop_m)[0]);
    const middle = (axis) => (Math.min(...places.map((at) => at[axis])) + Math.max(...places.map((at) => at[axis]))) / 2;
    return [{ id: yard.yard_id, role: yard.role, name: yard.yard_id === yard.role ? t(`yard.${yard.role}`) : `${yard.yard_id} · ${t(`yard.${yard.role}`)}`, at: [middle(0), middle(1)], places }];
  });
}

// Degrees clockwise from north of the way from the loading yard to the unloading one; 90 where there is no such way.
function heading() {
  const yards = yardPlaces();
  const [from, to] = ["loading", "unloading"].map((role) => yards.find((yard) => yard.role === role));
  if (!from || !to) return 90;
  const [east, north] = fleet.site.m_per_deg;
  return (Math.atan2((to.at[0] - from.at[0]) * east, (to.at[1] - from.at[1]) * north) * 180) / Math.PI;
}

// How the corridor fits a picture: lying from left to right in a wide one, standing in a tall one. *bearing*: what is up, in degrees
// clockwise from north; *centre*; and the metres across and up that *points*, or all lanes, take.
export function fit(wide, points = null) {
  const bearing = wide ? heading() - 90 : heading();
  const [east, north] = fleet.site.m_per_deg;
  const [x0, y0] = fleet.site.origin;
  const turn = (bearing * Math.PI) / 180;
  const all = points ?? Object.values(fleet.site.lanes).flatMap((lane) => lane.line);
  const turned = all.map(([x, y]) => {
    const [e, n] = [(x - x0) * east, (y - y0) * north];
    return [e * Math.cos(turn) - n * Math.sin(turn), e * Math.sin(turn) + n * Math.cos(turn)];
  });
  const ends = [0, 1].map((axis) => turned.reduce(([low, high], at) => [Math.min(low, at[axis]), Math.max(high, at[axis])], [Infinity, -Infinity]));
  const [across, up] = ends.map(([low, high]) => (low + high) / 2);
  const centre = [x0 + (across * Math.cos(turn) + up * Math.sin(turn)) / east, y0 + (up * Math.cos(turn) - across * Math.sin(turn)) / north];
  return { bearing, centre, across_m: ends[0][1] - ends[0][0], up_m: ends[1][1] - ends[1][0] };
}
