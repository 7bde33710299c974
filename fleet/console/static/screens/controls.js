// The control lease, and the lanes.

import { h, table } from "../dom.js";
import { act, ask, get, notice } from "../server.js";
import { fleet } from "../state.js";
import { clock, count, t } from "../text.js";

const LOOK_MS = 3000;
const RENEW_MS = 10000;
let lease = null;

export function controls(place) {
  const zone = fleet.site?.yards[0]?.time_zone;
  const holder = h("input", { value: localStorage.getItem("holder") ?? "", "aria-label": t("lease.name"), id: "holder" });
  const said = h("p", { id: "lease" });
  const list = table([[t("lane.id")], [t("lane.limit"), "number"], [t("lane.friction"), "number"], [t("lane.state")], [t("reason"), "wide"], [""]]);

  const mine = () => lease && lease.holder === holder.value.trim();
  const tell = () => {
    said.textContent = lease ? t("lease.held", { holder: lease.holder, until: clock(lease.expire_time, zone) }) : t("lease.none");
  };
  async function take(command, body) {
    localStorage.setItem("holder", holder.value.trim());
    const answer = await act(command, { holder: holder.value.trim(), ...body }, t("lease.done"));
    if (answer) lease = answer;
    tell();
  }
  async function takeOver() {
    const typed = await ask({ title: t("lease.over"), text: t("lease.over.text"), fields: [{ name: "reason", label: t("reason") }], yes: t("lease.over") });
    if (typed) await take("take_over_control", typed);
  }
  async function change(command, lane, fields, title) {
    const typed = fields.length ? await ask({ title: `${title}: ${lane.lane_id}`, fields, yes: title }) : {};
    if (!typed) return;
    if ("kmh" in typed) typed.kmh = Number(typed.kmh.replace(",", "."));
    if (await act(command, { lane_id: lane.lane_id, ...typed })) look();
  }
  const reason = { name: "reason", label: t("reason") };

  async function look() {
    try {
      const { rows } = await get("/api/lanes");
      list.show(
        rows.map((lane) => ({
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
              h("button", { class: "small", disabled: !fleet.steers, onclick: () => change("limit_lane", lane, [{ name: "kmh", label: "km/h" }, reason], t("lane.do.limit")) }, t("lane.do.limit")),
            ),
          ],
        })),
      );
    } catch (refused) {
      notice(refused.message, true);
    }
  }

  place.append(
    h(
      "div",
      { class: "card" },
      h("h1", {}, t("lease.title")),
      said,
      h(
        "div",
        { class: "row" },
        h("label", {}, t("lease.name"), holder),
        h("button", { class: "main", id: "take", disabled: !fleet.steers, onclick: () => take("acquire_control", {}) }, t("lease.take")),
        h("button", { id: "take-over", disabled: !fleet.steers, onclick: takeOver }, t("lease.over")),
      ),
      fleet.steers ? "" : h("p", { class: "faint" }, t("only_looks")),
    ),
    h("div", { class: "card scroll" }, h("h1", {}, t("lanes")), list.element),
  );
  tell();
  look();
  const timer = setInterval(look, LOOK_MS);
  const renewing = setInterval(() => mine() && act("renew_control", { holder: lease.holder }, null).then((answer) => (lease = answer ?? lease)), RENEW_MS);
  return () => {
    clearInterval(timer);
    clearInterval(renewing);
  };
}
