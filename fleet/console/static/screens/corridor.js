// The corridor as it lies: lanes, gates and zones from the site, trucks to scale with the road that is theirs, and what is closed.

import { h, hue as hueOf } from "../dom.js";
import { scene } from "../geometry.js";
import { mapGl } from "../map_gl.js";
import { mapSvg } from "../map_svg.js";
import { complain, get } from "../server.js";
import { fleet, select, selected, trucks, watch, wish } from "../state.js";
import { t } from "../text.js";

const LOOK_MS = 3000;
const HUES = ["laden", "empty", "bad", "warn", "ground", "road", "meeting", "panel", "faint", "ink"];

export function corridor(place) {
  place.className = "full";
  const hue = Object.fromEntries(HUES.map((name) => [name, hueOf(name)]));
  const holder = h("div", { id: "map" });
  const swatch = (name, key, kind = "") => h("span", {}, h("i", { class: kind, style: `--hue: ${hue[name]}` }), t(key));
  const without = h("span", { class: "warn", hidden: true, id: "no-webgl" }, t("map.no_webgl"));
  const legend = h(
    "div",
    { class: "legend" },
    swatch("laden", "laden"),
    swatch("empty", "empty"),
    swatch("empty", "legend.stands", "hollow"),
    swatch("bad", "legend.trouble"),
    swatch("empty", "legend.tail", "pale"),
    swatch("warn", "legend.zone", "pale"),
    swatch("bad", "legend.closed", "dashed"),
    without,
  );
  place.append(holder, legend, h("button", { class: "whole small", onclick: () => map.whole() }, t("map.whole")));
  let map;
  try {
    map = mapGl(holder, hue, select);
    place.dataset.map = "webgl";
  } catch {
    holder.replaceChildren();
    map = mapSvg(holder, hue, select);
    without.hidden = false;
    place.dataset.map = "svg";
  }

  function show() {
    if (!fleet.site) return;
    const seen = scene(trucks(), selected());
    map.show(seen);
    place.dataset.trucks = String(seen.length);
    if (wish.place) {
      map.lookAt(wish.place);
      wish.place = null;
    }
    const sought = wish.truck && seen.find((each) => each.id === wish.truck);
    if (sought) {
      wish.truck = null;
      map.lookAt(sought.nose);
    }
  }

  async function look() {
    try {
      const [lanes, intruders] = await Promise.all([get("/api/lanes"), get("/api/intrusions")]);
      const whole = (lane) => ({ lane_id: lane.lane_id, start_m: 0, end_m: fleet.site.lanes[lane.lane_id]?.length_m ?? 0 });
      place.dataset.closed = String(lanes.rows.filter((lane) => lane.closed).length);
      map.marks(
        lanes.rows.filter((lane) => lane.closed).map(whole),
        lanes.rows.filter((lane) => !lane.closed && lane.speed_limit_mps > 0).map(whole),
        intruders.rows.flatMap((intruder) => intruder.stretches),
      );
    } catch (refused) {
      complain(refused);
    }
  }

  show();
  look();
  const timer = setInterval(look, LOOK_MS);
  const unwatch = watch(show);
  return () => {
    clearInterval(timer);
    unwatch();
    map.remove();
  };
}
