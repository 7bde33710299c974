// What a person should look at, and what to do about it.

import { h, table } from "../dom.js";
import { act, ask, complain, get, give } from "../server.js";
import { concerns, fleet, select, watch, zones } from "../state.js";
import { cause, hours, t } from "../text.js";

const LOOK_MS = 2000;

export function alarms(place) {
  const list = table([[t("alarm.what"), "wide"], [t("truck.id")], [t("alarm.cause"), "wide"], [t("alarm.do"), "wide"], [t("alarm.seen")]]);
  list.element.className = "stack";
  const intruders = table([[t("intrusion.id")], [t("intrusion.kind")], [t("intrusion.state")], [t("intrusion.where"), "wide"], [t("intrusion.by")], [t("intrusion.since")], [""]]);
  const none = h("p", { class: "empty-note" }, t("alarm.none"));
  const nobody = h("p", { class: "empty-note" }, t("intrusion.none"));

  async function acknowledge(concern) {
    const kept = localStorage.getItem("holder");
    const said = kept ? { who: kept } : await ask({ title: t("alarm.seen.yes"), fields: [{ name: "who", label: t("lease.name") }], yes: t("alarm.seen.yes") });
    if (!said) return;
    localStorage.setItem("holder", said.who);
    await give("/api/acknowledge", { alarm: concern.key, who: said.who }, t("alarm.seen.done"));
  }

  const seen = (concern) =>
    concern.seen
      ? t("alarm.seen.by", { who: concern.seen[0], at: hours(concern.seen[1], zones()) })
      : h("button", { class: "small", disabled: !fleet.steers, onclick: (event) => (event.stopPropagation(), acknowledge(concern)) }, t("alarm.seen.yes"));

  function show() {
    const found = concerns();
    none.hidden = found.length > 0;
    list.element.hidden = found.length === 0;
    list.show(
      found.map((concern) => {
        const truck = fleet.trucks.get(concern.truck);
        return {
          key: `${concern.key} ${concern.seen ? "seen" : ""}`,
          choose: concern.truck ? () => select(concern.truck) : null,
          cells: [
            h("span", { class: concern.seen ? "faint" : concern.grave ? "bad" : "warn" }, t(`concern.${concern.kind}`, concern.fields)),
            concern.truck ?? "",
            truck?.for ? cause(truck.for) : "",
            t(`concern.${concern.kind}.do`, concern.fields),
            seen(concern),
          ],
        };
      }),
    );
  }

  async function look() {
    try {
      const said = await get("/api/intrusions");
      nobody.hidden = said.rows.length > 0;
      intruders.element.hidden = said.rows.length === 0;
      intruders.show(
        said.rows.map((intruder) => ({
          key: intruder.intrusion_id,
          cells: [
            intruder.intrusion_id,
            t(`intruder.${intruder.kind || "other"}`),
            t(`intrusion.${intruder.state || "seen"}`),
            intruder.stretches.map((part) => `${part.lane_id} ${Math.round(part.start_m)}–${Math.round(part.end_m)} m`).slice(0, 4).join(", "),
            intruder.reporter,
            hours(intruder.since, zones(), true),
            fleet.steers ? h("button", { class: "small", onclick: () => act("release_intrusion", { intrusion_id: intruder.intrusion_id }).then(look) }, t("intrusion.release")) : "",
          ],
        })),
      );
    } catch (refused) {
      complain(refused);
    }
  }

  place.append(h("div", { class: "card scroll" }, h("h1", {}, t("screen.alarms")), none, list.element), h("div", { class: "card scroll" }, h("h1", {}, t("intrusions")), nobody, intruders.element));
  show();
  look();
  const timer = setInterval(look, LOOK_MS);
  const unwatch = watch(show);
  return () => {
    clearInterval(timer);
    unwatch();
  };
}
