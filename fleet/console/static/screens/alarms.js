// What a person should look at, and what to do about it.

import { h, table } from "../dom.js";
import { act, get, notice } from "../server.js";
import { concerns, fleet, select, watch } from "../state.js";
import { clock, t } from "../text.js";

const LOOK_MS = 2000;

export function alarms(place) {
  const list = table([[t("alarm.what"), "wide"], [t("truck.id")], [t("alarm.do"), "wide"]]);
  const intruders = table([[t("intrusion.id")], [t("intrusion.kind")], [t("intrusion.state")], [t("intrusion.where"), "wide"], [t("intrusion.by")], [t("intrusion.since")], [""]]);
  const none = h("p", { class: "empty-note" }, t("alarm.none"));
  const zone = fleet.site?.yards[0]?.time_zone;

  function show() {
    const found = concerns();
    none.hidden = found.length > 0;
    list.element.hidden = found.length === 0;
    list.show(
      found.map(([grave, truckId, key, fields]) => ({
        key: `${key} ${truckId} ${fields.id ?? ""}`,
        choose: truckId ? () => select(truckId) : null,
        cells: [h("span", { class: grave ? "bad" : "warn" }, t(key, fields)), truckId ?? "", t(`${key}.do`, fields)],
      })),
    );
  }

  async function look() {
    try {
      const said = await get("/api/intrusions");
      intruders.show(
        said.rows.map((intruder) => ({
          key: intruder.intrusion_id,
          cells: [
            intruder.intrusion_id,
            t(`intruder.${intruder.kind || "other"}`),
            t(`intrusion.${intruder.state || "seen"}`),
            intruder.stretches.map((part) => `${part.lane_id} ${Math.round(part.start_m)}–${Math.round(part.end_m)} m`).slice(0, 4).join(", "),
            intruder.reporter,
            clock(intruder.since, zone),
            fleet.steers ? h("button", { class: "small", onclick: () => act("release_intrusion", { intrusion_id: intruder.intrusion_id }).then(look) }, t("intrusion.release")) : "",
          ],
        })),
      );
    } catch (refused) {
      notice(refused.message, true);
    }
  }

  place.append(h("div", { class: "card scroll" }, h("h1", {}, t("screen.alarms")), none, list.element), h("div", { class: "card scroll" }, h("h1", {}, t("intrusions")), intruders.element));
  show();
  look();
  const timer = setInterval(look, LOOK_MS);
  const unwatch = watch(show);
  return () => {
    clearInterval(timer);
    unwatch();
  };
}
