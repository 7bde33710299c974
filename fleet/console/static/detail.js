// One truck beside every screen: how it is, and why it stands.

import { byId, h } from "./dom.js";
import { placeOf } from "./geometry.js";
import { unsteered } from "./lease.js";
import { act, ask, get } from "./server.js";
import { fleet, select, selected, showOnMap, showPlace, stoodMs } from "./state.js";
import { cause, count, language, lasting, t } from "./text.js";

const ASK_AGAIN_MS = 3000;
const SCREEN_OF = { all_stop: "controls", customs: "orders", inspection: "orders", intrusion: "alarms" };
// What was said, and of what: the truck, the language, and how often a recording was steered until then.
let why = { of: "", asked_ms: 0, said: null };
let drawn = "";

async function askWhy(truckId) {
  const now = performance.now();
  const of = [truckId, language(), fleet.replay?.steered].join(" ");
  if (why.of === of && now - why.asked_ms < ASK_AGAIN_MS) return;
  if (why.of !== of) why = { of, said: null };
  why.asked_ms = now;
  const asked = why;
  try {
    asked.said = await get(`/api/why/${encodeURIComponent(truckId)}?language=${language()}`);
  } catch (refused) {
    asked.said = { sentence: refused.message, causes: [] };
  }
  if (asked === why) detail();
}

async function hold(truck) {
  const said = await ask({ title: t("hold.title", { id: truck.id }), text: t("hold.text"), fields: [{ name: "reason", label: t("reason") }], yes: t("hold.yes") });
  if (said) await act("hold_truck", { truck_id: truck.id, ...said }, t("hold.done", { id: truck.id }));
}

// A truck leads to itself, a place to the map, an all-stop or a crossing to where it is dealt with.
function subject(name, kind) {
  const to = (act) => h("a", { href: "#", onclick: (event) => (event.preventDefault(), act()) }, name);
  if (fleet.trucks.has(name)) return to(() => select(name));
  const place = placeOf(name);
  if (place) return to(() => showPlace(place));
  return kind in SCREEN_OF ? to(() => (location.hash = SCREEN_OF[kind])) : h("b", {}, name);
}

function chain(causes) {
  return h(
    "ol",
    { class: "why" },
    causes.map((link) => {
      const [before, after = ""] = cause([link.kind, "\u0000"]).split("\u0000");
      const since = link.since && fleet.time_ms ? h("span", { class: "faint" }, ` · ${lasting(fleet.time_ms - link.since)}`) : null;
      return h("li", {}, before, link.subject_id ? subject(link.subject_id, link.kind) : t("unnamed"), after, since);
    }),
  );
}

export function detail() {
  const place = byId("detail");
  const truck = fleet.trucks.get(selected());
  place.hidden = !truck;
  if (!truck) {
    drawn = "";
    return;
  }
  askWhy(truck.id);
  const full = fleet.site?.types[truck.type]?.battery_wh ?? 0;
  const rows = [
    ["truck.session", t(`session.${truck.session || "unknown"}`)],
    ["truck.mission", truck.mission ? t(`mission.${truck.mission}`) : "–"],
    ["truck.load", t(truck.laden ? "laden" : "empty")],
    ["truck.boxes", truck.boxes.join(", ") || "–"],
    ["truck.goal", truck.goal || "–"],
    ["truck.place", truck.lane ? `${truck.lane} ${count(truck.at_m)} m` : "–"],
    ["truck.speed", `${count(truck.v * 3.6)} km/h`],
    ["truck.end", truck.end_lane ? `${truck.end_lane} ${count(truck.end_m)} m` : "–"],
    ["truck.battery", full ? `${count((100 * truck.wh) / full)} %` : "–"],
    ["truck.brakes", truck.brakes ? `${count(100 * truck.brakes)} %` : "–"],
    ["truck.age", truck.age_s === null ? "–" : lasting(truck.age_s * 1000)],
    ["truck.trips", count(truck.trips)],
  ];
  const { said } = why;
  const mark = JSON.stringify([rows, said, truck.held, Math.round(stoodMs(truck) / 1000), fleet.steers, fleet.replay !== null, language()]);
  if (mark === drawn) return;
  drawn = mark;
  const steer = truck.held
    ? h("button", { id: "resume", disabled: !fleet.steers, onclick: () => act("resume_truck", { truck_id: truck.id }, t("resume.done", { id: truck.id })) }, t("resume.button"))
    : h("button", { id: "hold", disabled: !fleet.steers, onclick: () => hold(truck) }, t("hold.button"));
  place.replaceChildren(
    h("div", { class: "row head" }, h("h1", {}, truck.id), h("button", { class: "small", "aria-label": t("close"), onclick: () => select(null) }, "✕")),
    h("h2", {}, truck.for ? t("truck.why", { since: lasting(stoodMs(truck)) }) : t("moves")),
    truck.for && said?.causes.length ? chain(said.causes) : h("p", {}, truck.for ? cause(truck.for) : ""),
    truck.for && said ? h("p", { class: "faint", id: "sentence" }, said.sentence) : "",
    h("dl", {}, rows.flatMap(([key, value]) => [h("dt", {}, t(key)), h("dd", {}, value)])),
    h("div", { class: "row", style: "margin-top: 14px" }, steer, truck.lane ? h("button", { onclick: () => showOnMap(truck.id) }, t("truck.show")) : null),
    unsteered(),
  );
}
