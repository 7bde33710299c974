// The control lease, and the lanes.

import { h, table } from "../dom.js";
import { me, mine, take, takeOver, unsteered } from "../lease.js";
import { act, ask, complain, get } from "../server.js";
import { fleet, watch, zones } from "../state.js";
import { count, hours, t } from "../text.js";

const LOOK_MS = 3000;

export function controls(place) {
  const holder = h("input", { value: me(), "aria-label": t("lease.name"), id: "holder", autocomplete: "off", oninput: () => tell() });
  const said = h("p", { id: "lease" });
  const search = h("input", { type: "search", placeholder: t("search.lane"), "aria-label": t("search.lane"), oninput: () => show() });
  const list = table([[t("lane.id")], [t("lane.limit"), "number"], [t("lane.friction"), "number"], [t("lane.state")], [t("reason"), "wide"], [""]]);
  const taking = h("button", { class: "main", id: "take", onclick: () => take(holder.value.trim()).then(tell) }, t("lease.take"));
  const over = h("button", { id: "take-over", onclick: () => takeOver(holder.value.trim()).then(tell) }, t("lease.over"));
  let lanes = [];

  function tell() {
    const named = holder.value.trim() !== "";
    const has = fleet.control;
    said.textContent = !has ? t("lease.none") : t(mine() ? "lease.mine" : "lease.held", { holder: has.holder, until: hours(has.until, zones(), true) });
    taking.disabled = !fleet.steers || !named || (has !== null && has.holder !== holder.value.trim());
    over.disabled = !fleet.steers || !named || has === null || mine();
  }
  async function change(command, lane, fields, title) {
    const typed = fields.length ? await ask({ title: `${title}: ${lane.lane_id}`, fields, yes: title }) : {};
    if (!typed) return;
    if ("kmh" in typed) typed.kmh = Number(typed.kmh.replace(",", "."));
    if (await act(command, { lane_id: lane.lane_id, kmh: lane.kmh, ...typed })) look();
  }
  const reason = { name: "reason", label: t("reason") };

  async function look() {
    try {
      lanes = (await get("/api/lanes")).rows;
      show();
    } catch (refused) {
      complain(refused);
    }
  }

  // What was changed comes first: a closed lane must not be forgotten among hundreds.
  function show() {
    const sought = search.value.trim().toLowerCase();
    const changed = (lane) => lane.closed || lane.speed_limit_mps > 0;
    const shown = lanes.filter((lane) => lane.lane_id.toLowerCase().includes(sought)).sort((a, b) => changed(b) - changed(a));
    list.show(
        shown.map((lane) => ({
          key: lane.lane_id,
          cells: [
            lane.lane_id,
            `${count((lane.speed_limit_mps || lane.speed_max_mps) * 3.6)} km/h`,
            count(lane.friction, 2),
            h("span", { class: lane.closed ? "bad" : lane.speed_limit_mps ? "warn" : "good" }, t(lane.closed ? "lane.closed" : lane.speed_limit_mps ? "lane.limited" : "lane.open")),
            lane.reason,
            h(
              "span",
              { class: "row" },
              lane.closed
                ? h("button", { class: "small", disabled: !fleet.steers, onclick: () => change("open_lane", lane, [], "") }, t("lane.do.open"))
                : h("button", { class: "small", disabled: !fleet.steers, onclick: () => change("close_lane", lane, [reason], t("lane.do.close")) }, t("lane.do.close")),
              lane.speed_limit_mps > 0
                ? h("button", { class: "small", disabled: !fleet.steers, onclick: () => change("limit_lane", { ...lane, kmh: 0 }, [reason], t("lane.do.unlimit")) }, t("lane.do.unlimit"))
                : null,
              h("button", { class: "small", disabled: !fleet.steers, onclick: () => change("limit_lane", lane, [{ name: "kmh", label: "km/h" }, reason], t("lane.do.limit")) }, t("lane.do.limit")),
            ),
          ],
        })),
    );
  }

  place.append(
    h(
      "div",
      { class: "card" },
      h("h1", {}, t("lease.title")),
      said,
      h("p", { class: "faint" }, t("lease.what")),
      h(
        "div",
        { class: "row" },
        h("label", {}, t("lease.name"), holder),
        taking,
        over,
      ),
      unsteered(),
    ),
    h("div", { class: "card scroll" }, h("div", { class: "row head" }, h("h1", {}, t("lanes")), search), list.element),
  );
  tell();
  look();
  const timer = setInterval(look, LOOK_MS);
  const unwatch = watch(tell);
  return () => {
    clearInterval(timer);
    unwatch();
  };
}
