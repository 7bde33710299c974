// The corridor as it lies: lanes, gates and zones from the site, trucks to scale with the road that is theirs.

import { h, hue as hueOf } from "../dom.js";
import { body, nose, part, tail } from "../geometry.js";
import { fleet, select, selected, standing, trucks, watch } from "../state.js";
import { t } from "../text.js";
import * as maplibre from "../vendor/maplibre-gl.mjs";

const WORKER = new URL("../vendor/maplibre-gl-worker.mjs", import.meta.url).href;
const METRES_PER_PIXEL = 78271.517;
const TROUBLED = new Set(["quarantined", "halted", "silent"]);
let kept = null;

const features = (list) => ({ type: "FeatureCollection", features: list });
const feature = (type, coordinates, properties = {}, id = undefined) => ({ type: "Feature", id, properties, geometry: { type, coordinates } });

// A width in metres as pixels at any zoom.
function metres(value, latitude) {
  const pixels = (zoom) => ["*", value, 2 ** zoom / (METRES_PER_PIXEL * Math.cos((latitude * Math.PI) / 180))];
  return ["interpolate", ["exponential", 2], ["zoom"], 8, pixels(8), 22, pixels(22)];
}

function roads() {
  return features(Object.entries(fleet.site.lanes).map(([id, lane]) => feature("LineString", lane.line, { id, width: lane.width_m })));
}

function zones() {
  const stretches = fleet.site.zones.flatMap((zone) => zone.stretches);
  return features(stretches.map((at) => feature("LineString", part(fleet.site.lanes[at.lane_id], at.start_m, at.end_m))));
}

function lines() {
  return features(
    fleet.site.gates.map((gate) => {
      const lane = fleet.site.lanes[gate.lane_id];
      return feature("Point", part(lane, gate.stop_line_m, gate.stop_line_m + 0.1)[0], { id: gate.gate_id });
    }),
  );
}

const HUES = ["laden", "empty", "bad", "warn", "ground", "line", "panel", "faint", "ink"];

const state = (truck) => (TROUBLED.has(truck.session) || truck.held ? "bad" : truck.laden ? "laden" : "empty");

function style(hue, latitude) {
  const byState = ["match", ["get", "state"], "bad", hue.bad, "laden", hue.laden, hue.empty];
  const source = { type: "geojson", data: features([]) };
  return {
    version: 8,
    sources: { roads: { ...source, data: roads() }, zones: { ...source, data: zones() }, gates: { ...source, data: lines() }, tails: source, bodies: source, noses: source },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": hue.ground } },
      { id: "roads", type: "line", source: "roads", layout: { "line-cap": "round" }, paint: { "line-color": hue.line, "line-width": metres(["get", "width"], latitude) } },
      { id: "middle", type: "line", source: "roads", paint: { "line-color": hue.faint, "line-width": 1, "line-opacity": 0.5 } },
      { id: "zones", type: "line", source: "zones", paint: { "line-color": hue.warn, "line-width": 5, "line-opacity": 0.35 } },
      { id: "tails", type: "line", source: "tails", layout: { "line-cap": "round" }, paint: { "line-color": byState, "line-width": ["interpolate", ["linear"], ["zoom"], 12, 2, 18, 7], "line-opacity": 0.45 } },
      { id: "gates", type: "circle", source: "gates", minzoom: 14, paint: { "circle-radius": 3.5, "circle-color": hue.panel, "circle-stroke-color": hue.ink, "circle-stroke-width": 1.4 } },
      { id: "bodies", type: "fill", source: "bodies", paint: { "fill-color": byState } },
      {
        id: "noses",
        type: "circle",
        source: "noses",
        paint: {
          "circle-color": byState,
          "circle-radius": ["interpolate", ["linear"], ["zoom"], 12, ["case", ["get", "chosen"], 8, 4], 17, ["case", ["get", "chosen"], 9, 5]],
          "circle-stroke-color": ["case", ["get", "chosen"], hue.ink, hue.panel],
          "circle-stroke-width": ["case", ["get", "chosen"], 2.5, 1],
          "circle-opacity": ["interpolate", ["linear"], ["zoom"], 17, 1, 18.5, 0],
          "circle-stroke-opacity": ["interpolate", ["linear"], ["zoom"], 17, 1, 18.5, 0.001],
        },
      },
    ],
  };
}

function bounds() {
  const all = Object.values(fleet.site.lanes).flatMap((lane) => lane.line);
  const [xs, ys] = [all.map(([x]) => x), all.map(([, y]) => y)];
  return [[Math.min(...xs), Math.min(...ys)], [Math.max(...xs), Math.max(...ys)]];
}

// The corridor lies across the screen whatever its direction on the globe: the loading yard on the left.
function bearing() {
  const yard = (role) => {
    const ids = fleet.site.yards.filter((each) => each.role === role).map((each) => each.yard_id);
    const stand = fleet.site.stands.find((each) => ids.includes(each.yard_id));
    return stand ? fleet.site.lanes[stand.lane_id].line[0] : null;
  };
  const [from, to] = [yard("loading"), yard("unloading")];
  if (!from || !to) return 0;
  const [east, north] = fleet.site.m_per_deg;
  return (Math.atan2((to[0] - from[0]) * east, (to[1] - from[1]) * north) * 180) / Math.PI - 90;
}

function places(map) {
  for (const yard of fleet.site.yards) {
    const stands = fleet.site.stands.filter((stand) => stand.yard_id === yard.yard_id);
    if (!stands.length) continue;
    const line = fleet.site.lanes[stands[Math.floor(stands.length / 2)].lane_id].line;
    const label = h("div", { class: "place" }, `${yard.yard_id} · ${t(`yard.${yard.role}`)}`);
    new maplibre.Marker({ element: label, anchor: "bottom", offset: [0, -26] }).setLngLat(line[Math.floor(line.length / 2)]).addTo(map);
  }
}

export function corridor(place) {
  place.className = "full";
  const holder = h("div", { id: "map" });
  const hue = Object.fromEntries(HUES.map((name) => [name, hueOf(name)]));
  const swatch = (name, key) => h("span", {}, h("i", { style: `background: ${hue[name]}` }), t(key));
  place.append(holder, h("div", { class: "legend" }, swatch("laden", "laden"), swatch("empty", "empty"), swatch("bad", "legend.trouble"), swatch("warn", "legend.zone"), h("span", { class: "faint" }, t("legend.tail"))));
  let map = null;
  let ready = false;

  function begin() {
    maplibre.setWorkerUrl(WORKER);
    const latitude = fleet.site.origin[1];
    const view = kept ?? { bounds: bounds(), fitBoundsOptions: { padding: 60, bearing: bearing() } };
    map = new maplibre.Map({ container: holder, style: style(hue, latitude), attributionControl: false, bearing: bearing(), maxZoom: 21, ...view });
    map.addControl(new maplibre.NavigationControl({ visualizePitch: false }), "top-right");
    map.addControl(new maplibre.ScaleControl({ maxWidth: 140 }), "bottom-right");
    map.on("load", () => {
      ready = true;
      places(map);
      show();
    });
    map.on("click", (event) => {
      const [hit] = map.queryRenderedFeatures([[event.point.x - 6, event.point.y - 6], [event.point.x + 6, event.point.y + 6]], { layers: ["noses", "bodies"] });
      select(hit ? hit.properties.id : null);
    });
    for (const layer of ["noses", "bodies"]) {
      map.on("mouseenter", layer, () => (map.getCanvas().style.cursor = "pointer"));
      map.on("mouseleave", layer, () => (map.getCanvas().style.cursor = ""));
    }
  }

  function show() {
    if (!map && fleet.site) begin();
    if (!ready) return;
    const seen = trucks().filter((truck) => truck.lane);
    const said = (truck) => ({ id: truck.id, state: state(truck), chosen: truck.id === selected(), stands: standing(truck) });
    map.getSource("bodies").setData(features(seen.map((truck) => feature("Polygon", body(truck), said(truck)))));
    map.getSource("noses").setData(features(seen.map((truck) => feature("Point", nose(truck), said(truck)))));
    map.getSource("tails").setData(
      features(seen.flatMap((truck) => {
        const line = tail(truck);
        return line ? [feature("LineString", line, said(truck))] : [];
      })),
    );
    place.dataset.trucks = String(seen.length);
  }

  show();
  const unwatch = watch(show);
  return () => {
    unwatch();
    if (map) {
      kept = { center: map.getCenter(), zoom: map.getZoom(), bearing: map.getBearing() };
      map.remove();
    }
  };
}
