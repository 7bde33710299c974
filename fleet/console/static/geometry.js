// Places on lanes as longitude and latitude, and bodies of trucks as polygons.

import { fleet } from "./state.js";

const HOPS_MAX = 14;
const lines = new WeakMap();
const ways = new Map();

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
export function tail(truck) {
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
export function body(truck) {
  const kind = fleet.site.types[truck.type] ?? { length_m: 20, width_m: 3.2 };
  const [east, north] = fleet.site.m_per_deg;
  const [x0, y0] = fleet.site.origin;
  const [cos, sin] = [Math.cos(truck.h), Math.sin(truck.h)];
  const corner = (ahead, left) => [x0 + (truck.e + ahead * cos - left * sin) / east, y0 + (truck.n + ahead * sin + left * cos) / north];
  const half = kind.width_m / 2;
  const ring = [corner(0, half), corner(0, -half), corner(-kind.length_m, -half), corner(-kind.length_m, half)];
  return [[...ring, ring[0]]];
}

export const nose = (truck) => {
  const [east, north] = fleet.site.m_per_deg;
  const [x0, y0] = fleet.site.origin;
  return [x0 + truck.e / east, y0 + truck.n / north];
};
