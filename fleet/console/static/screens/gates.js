// Gates and their queues, bays and who is in them.

import { h, table } from "../dom.js";
import { complain, get } from "../server.js";
import { concerns, fleet, select, trucks, watch } from "../state.js";
import { count, lasting, t } from "../text.js";

const LOOK_MS = 2000;

export function gates(place) {
  const list = table([[t("gate.id")], [t("gate.role")], [t("gate.state")], [t("gate.open")], [t("truck.id")], [t("gate.queue"), "number"]]);
  const bays = table([[t("bay.id")], [t("bay.yard")], [t("bay.state")], [t("truck.id")], [t("truck.mission")], [t("bay.since"), "number"]]);
  const role = Object.fromEntries((fleet.site?.gates ?? []).map((gate) => [gate.gate_id, gate.role]));

  async function look() {
    try {
      const said = await get("/api/gates");
      list.show(
        said.rows.map((gate) => ({
          key: gate.gate_id,
          choose: gate.truck_id ? () => select(gate.truck_id) : null,
          cells: [
            gate.gate_id,
            t(`gate.${role[gate.gate_id] ?? "border"}`),
            h("span", { class: gate.state === "open" ? "good" : "faint" }, t(`barrier.${gate.state || "shut"}`)),
            t(gate.open_for_traffic ? "yes" : "no"),
            gate.truck_id || "–",
            count(gate.queue_count),
          ],
        })),
      );
    } catch (refused) {
      complain(refused);
    }
  }

  function show() {
    const at = new Map(trucks().filter((truck) => truck.for?.[0] === "bay" || ["loading", "unloading"].includes(truck.mission)).map((truck) => [truck.goal, truck]));
    const blocked = new Set(concerns().filter((concern) => concern.kind === "bay").map((concern) => concern.fields.id));
    const stands = (fleet.site?.stands ?? []).filter((stand) => stand.kind === "bay");
    bays.show(
      stands.map((stand) => {
        const truck = at.get(stand.stand_id);
        return {
          key: stand.stand_id,
          choose: truck ? () => select(truck.id) : null,
          cells: [
            stand.stand_id,
            stand.yard_id,
            blocked.has(stand.stand_id) ? h("span", { class: "bad" }, t("bay.blocked")) : "",
            truck?.id ?? "–",
            truck?.mission ? t(`mission.${truck.mission}`) : "",
            truck?.for ? lasting(fleet.time_ms - truck.for[2]) : "",
          ],
        };
      }),
    );
  }

  place.append(h("div", { class: "card scroll" }, h("h1", {}, t("gates")), list.element), h("div", { class: "card scroll" }, h("h1", {}, t("bays")), bays.element));
  look();
  show();
  const timer = setInterval(look, LOOK_MS);
  const unwatch = watch(show);
  return () => {
    clearInterval(timer);
    unwatch();
  };
}
