// The corridor drawn by MapLibre: as smooth as the graphics card allows.

import { h } from "./dom.js";
import { fit, gatePlaces, stretch, yardPlaces } from "./geometry.js";
import { fleet } from "./state.js";
import { t } from "./text.js";
import * as maplibre from "./vendor/maplibre-gl.mjs";

const WORKER = new URL("./vendor/maplibre-gl-worker.mjs", import.meta.url).href;
// Of a pixel at zoom 0 on the equator.
const METRES_PER_PIXEL = 78271.517;
const LEFT_FREE_PX = 48;
// What lies over the lower end of a tall map.
const LEGEND_PX = 120;
const NEAR_ZOOM = 17.2;
const HIT_PX = 8;
let kept = null;

const features = (list) => ({ type: "FeatureCollection", features: list });
const feature = (type, coordinates, properties = {}) => ({ type: "Feature", properties, geometry: { type, coordinates } });
const lines = (stretches) => features(stretches.map(stretch).filter(Boolean).map((line) => feature("LineString", line)));

// A width in metres as pixels at any zoom.
function metres(value, latitude) {
  const pixels = (zoom) => ["*", value, 2 ** zoom / (METRES_PER_PIXEL * Math.cos((latitude * Math.PI) / 180))];
  return ["interpolate", ["exponential", 2], ["zoom"], 8, pixels(8), 22, pixels(22)];
}

const byZoom = (...stops) => ["interpolate", ["linear"], ["zoom"], ...stops];

function roads() {
  return features(Object.entries(fleet.site.lanes).map(([id, lane]) => feature("LineString", lane.line, { id, width: lane.width_m })));
}

// A barrier as a bar across its lane.
function layers(hue, latitude) {
  const byState = ["match", ["get", "state"], "bad", hue.bad, "laden", hue.laden, hue.empty];
  const label = { "text-font": ["sans-serif"], "text-size": 12, "text-offset": [0, -1.1], "text-anchor": "bottom" };
  const halo = { "text-halo-color": hue.ground, "text-halo-width": 2 };
  const line = (id, paint, layout = {}) => ({ id, type: "line", source: id, layout: { "line-cap": "round", "line-join": "round", ...layout }, paint });
  return [
    { id: "ground", type: "background", paint: { "background-color": hue.ground } },
    { ...line("roads", { "line-color": hue.road, "line-width": byZoom(12, 3.5, 16, 5) }), maxzoom: 16.5 },
    { ...line("roads", { "line-color": hue.road, "line-width": metres(["get", "width"], latitude) }), id: "surface" },
    { ...line("roads", { "line-color": hue.faint, "line-width": 1, "line-dasharray": [6, 8], "line-opacity": 0.5 }), id: "middle", minzoom: 16.5 },
    { ...line("meetings", { "line-color": hue.meeting, "line-width": byZoom(13, 2, 18, 10) }, { "line-cap": "butt" }), minzoom: 14 },
    line("zones", { "line-color": hue.warn, "line-width": byZoom(13, 4, 18, 14), "line-opacity": 0.4 }),
    line("no_stops", { "line-color": hue.bad, "line-width": 2, "line-dasharray": [1, 2.5], "line-opacity": 0.8 }),
    line("limited", { "line-color": hue.warn, "line-width": byZoom(12, 4, 18, 8), "line-dasharray": [2, 1.5] }, { "line-cap": "butt" }),
    line("closed", { "line-color": hue.bad, "line-width": byZoom(12, 5, 18, 9), "line-dasharray": [1, 0.8] }, { "line-cap": "butt" }),
    line("intruders", { "line-color": hue.bad, "line-width": byZoom(12, 8, 18, 20), "line-opacity": 0.45 }),
    line("tails", { "line-color": byState, "line-width": byZoom(12, 3, 18, 8), "line-opacity": ["case", ["get", "chosen"], 0.75, 0.4] }),
    { id: "gates", type: "circle", source: "gates", minzoom: 13, paint: { "circle-radius": byZoom(13, 2.5, 18, 5), "circle-color": hue.panel, "circle-stroke-color": hue.ink, "circle-stroke-width": 1.5 } },
    { id: "bodies", type: "fill", source: "bodies", minzoom: 15, paint: { "fill-color": byState } },
    { id: "edges", type: "line", source: "bodies", minzoom: 15, paint: { "line-color": ["case", ["get", "chosen"], hue.ink, hue.panel], "line-width": ["case", ["get", "chosen"], 2.5, 1] } },
    {
      id: "noses",
      type: "circle",
      source: "noses",
      layout: { "circle-sort-key": ["case", ["get", "chosen"], 3, ["==", ["get", "state"], "bad"], 2, 1] },
      // Who stands is hollow, who drives is filled.
      paint: {
        "circle-color": ["case", ["get", "stands"], hue.panel, byState],
        "circle-radius": byZoom(12, ["case", ["get", "chosen"], 8, 4.5], 17, ["case", ["get", "chosen"], 9, 5]),
        "circle-stroke-color": ["case", ["get", "chosen"], hue.ink, ["get", "stands"], byState, hue.panel],
        "circle-stroke-width": ["case", ["get", "chosen"], 3, ["get", "stands"], 2, 1],
        "circle-opacity": byZoom(17, 1, 18, 0),
        "circle-stroke-opacity": byZoom(17, 1, 18, 0),
      },
    },
    { id: "gate_names", type: "symbol", source: "gates", minzoom: 14.5, layout: { ...label, "text-field": ["get", "name"], "text-size": 11 }, paint: { ...halo, "text-color": hue.faint } },
    { id: "truck_names", type: "symbol", source: "noses", minzoom: 14.5, layout: { ...label, "text-field": ["get", "id"], "symbol-sort-key": ["case", ["get", "chosen"], 0, 1] }, paint: { ...halo, "text-color": hue.ink } },
  ];
}

function style(hue, latitude) {
  const source = (data) => ({ type: "geojson", data });
  const zones = (derived) => lines(fleet.site.zones.filter((zone) => zone.derived === derived).flatMap((zone) => zone.stretches));
  const gates = features(gatePlaces().map((gate) => feature("Point", gate.at, { name: `${gate.id} ${t(`gate.${gate.role || "border"}`)}` })));
  const empty = () => source(features([]));
  return {
    version: 8,
    sources: {
      roads: source(roads()),
      meetings: source(zones(true)),
      zones: source(zones(false)),
      no_stops: source(lines(fleet.site.no_stops)),
      gates: source(gates),
      limited: empty(),
      closed: empty(),
      intruders: empty(),
      tails: empty(),
      bodies: empty(),
      noses: empty(),
    },
    layers: layers(hue, latitude),
  };
}

// Throws where the browser has no WebGL.
export function mapGl(holder, hue, choose) {
  maplibre.setWorkerUrl(WORKER);
  const latitude = fleet.site.origin[1];
  const view = (points = null) => {
    const { clientWidth: width, clientHeight: height } = holder;
    const below = width > height ? 0 : LEGEND_PX;
    const { bearing, centre, across_m: across, up_m: up } = fit(width > height, points);
    const scale = Math.max(across / Math.max(50, width - 2 * LEFT_FREE_PX), up / Math.max(50, height - 3 * LEFT_FREE_PX - below), 0.05);
    const [down_m, turn] = [(below * scale) / 2, (bearing * Math.PI) / 180];
    const [east, north] = fleet.site.m_per_deg;
    return { center: [centre[0] - (down_m * Math.sin(turn)) / east, centre[1] - (down_m * Math.cos(turn)) / north], bearing, zoom: Math.log2((METRES_PER_PIXEL * Math.cos((latitude * Math.PI) / 180)) / scale) };
  };
  const map = new maplibre.Map({ container: holder, style: style(hue, latitude), attributionControl: false, fadeDuration: 0, maxZoom: 21, maxPitch: 0, ...(kept?.digest === fleet.site.digest && !kept.whole ? { center: kept.center, zoom: kept.zoom, bearing: kept.bearing } : view()) });
  // As long as nobody looks nearer, a corridor that gets less room is drawn smaller.
  let whole = !(kept?.digest === fleet.site.digest) || kept.whole;
  map.on("resize", () => whole && map.jumpTo(view()));
  map.on("movestart", (event) => event.originalEvent && (whole = false));
  map.addControl(new maplibre.NavigationControl({ visualizePitch: false }), "top-right");
  map.addControl(new maplibre.ScaleControl({ maxWidth: 120 }), "bottom-right");
  for (const yard of yardPlaces()) {
    const label = h("button", { class: "place", onclick: () => (whole = false, map.flyTo({ ...view(yard.places), duration: 600 })) }, yard.name);
    const beside = holder.clientWidth > holder.clientHeight ? { anchor: "bottom", offset: [0, yard.role === "checkpoint" ? -44 : -20] } : { anchor: "left", offset: [24, 0] };
    new maplibre.Marker({ element: label, ...beside }).setLngLat(yard.at).addTo(map);
  }
  map.on("click", (event) => {
    const { x, y } = event.point;
    const [hit] = map.queryRenderedFeatures([[x - HIT_PX, y - HIT_PX], [x + HIT_PX, y + HIT_PX]], { layers: ["noses", "bodies"] });
    choose(hit ? hit.properties.id : null);
  });
  for (const layer of ["noses", "bodies"]) {
    map.on("mouseenter", layer, () => (map.getCanvas().style.cursor = "pointer"));
    map.on("mouseleave", layer, () => (map.getCanvas().style.cursor = ""));
  }
  let ready = false;
  let waiting = [];
  const whenReady = (work) => (ready ? work() : waiting.push(work));
  map.once("style.load", () => {
    ready = true;
    waiting.forEach((work) => work());
    waiting = [];
  });
  return {
    show(seen) {
      if (!ready) return;
      const said = ({ id, state, chosen, stands }) => ({ id, state, chosen, stands });
      map.getSource("bodies").setData(features(seen.map((each) => feature("Polygon", each.body, said(each)))));
      map.getSource("noses").setData(features(seen.map((each) => feature("Point", each.nose, said(each)))));
      map.getSource("tails").setData(features(seen.filter((each) => each.tail).map((each) => feature("LineString", each.tail, said(each)))));
    },
    marks(closed, limited, intruders) {
      whenReady(() => Object.entries({ closed, limited, intruders }).forEach(([name, stretches]) => map.getSource(name).setData(lines(stretches))));
    },
    whole() {
      whole = true;
      map.flyTo({ ...view(), duration: 600 });
    },
    lookAt: (place) => whenReady(() => (whole = false, map.jumpTo({ center: place, zoom: Math.max(map.getZoom(), NEAR_ZOOM) }))),
    remove() {
      kept = { digest: fleet.site?.digest, whole, center: map.getCenter(), zoom: map.getZoom(), bearing: map.getBearing() };
      map.remove();
    },
  };
}
