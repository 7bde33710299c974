// Transport orders and the crossings under them.

import { h, table } from "../dom.js";
import { unsteered } from "../lease.js";
import { act, ask, complain, get } from "../server.js";
import { fleet, select, zones } from "../state.js";
import { count, hours, instant, moment, t, town } from "../text.js";

const LOOK_MS = 2000;
const TONES = { cleared: "good", inspection: "warn", refused: "bad" };

export function orders(place) {
  const zone = fleet.site?.yards[0]?.time_zone;
  const list = table([[t("order.id")], [t("order.way")], [t("order.state")], [t("order.boxes"), "number"], [t("order.waiting"), "number"], [t("order.aboard"), "number"], [t("order.delivered"), "number"], [t("order.returned"), "number"], [t("order.priority"), "number"], [t("order.due")], [""]]);
  const crossings = table([[t("crossing.id")], [t("truck.id")], [t("crossing.state")], [t("truck.boxes"), "wide"], [t("crossing.declared")]]);
  const yards = (fleet.site?.yards ?? []).filter((yard) => yard.role !== "checkpoint").sort((a, b) => (a.role < b.role ? -1 : 1));
  const option = (yard) => h("option", { value: yard.yard_id }, `${yard.yard_id} · ${t(`yard.${yard.role}`)}`);
  const form = h(
    "form",
    { class: "row", id: "new-order" },
    h("label", {}, t("order.from"), h("select", { name: "from_yard_id" }, yards.map(option))),
    h("label", {}, t("order.to"), h("select", { name: "to_yard_id" }, [...yards].reverse().map(option))),
    h("label", {}, t("order.boxes"), h("input", { name: "container_count", type: "number", min: 1, value: 40, required: true })),
    h("label", {}, t("order.priority"), h("input", { name: "priority", type: "number", value: 0, min: -100, max: 100 })),
    h("label", {}, `${t("order.due")} (${town(zone ?? "")})`, h("input", { name: "due", type: "datetime-local" })),
    h("button", { class: "main", type: "submit", disabled: !fleet.steers }, t("order.create")),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = new FormData(form);
    const due = said.get("due");
    const body = {
      request_id: crypto.randomUUID(),
      from_yard_id: said.get("from_yard_id"),
      to_yard_id: said.get("to_yard_id"),
      container_count: Number(said.get("container_count")),
      priority: Number(said.get("priority") || 0),
      due_ms: due ? instant(due, zone) : null,
    };
    const made = await act("create_order", body, t("order.created"));
    if (made) look();
  });
  const cancel = (id) => async (event) => {
    event.stopPropagation();
    if (!(await ask({ title: t("order.cancel.title", { id }), text: t("order.cancel.text"), yes: t("order.cancel.title", { id }) }))) return;
    if (await act("cancel_order", { order_id: id }, t("order.cancelled", { id }))) look();
  };

  async function look() {
    try {
      const [said, passing] = await Promise.all([get("/api/orders"), get("/api/crossings")]);
      list.show(
        [...said.rows].reverse().map((order) => ({
          key: order.order_id,
          cells: [
            order.order_id,
            `${order.from_yard_id} → ${order.to_yard_id}`,
            h("span", { class: order.state === "open" ? "good" : "faint" }, t(`order.${order.state}`)),
            ...[order.container_count, order.waiting_count, order.aboard_count, order.delivered_count, order.returned_count, order.priority].map((value) => count(value)),
            moment(order.due_time, zone),
            order.state === "open" && fleet.steers ? h("button", { class: "small", onclick: cancel(order.order_id) }, t("order.cancel")) : "",
          ],
        })),
      );
      const open = passing.rows.filter((crossing) => crossing.state !== "through").reverse();
      crossings.show(
        open.map((crossing) => ({
          key: crossing.crossing_id,
          choose: () => select(crossing.truck_id),
          cells: [crossing.crossing_id, crossing.truck_id, h("span", { class: TONES[crossing.state] ?? "faint" }, t(`customs.${crossing.state || "queued"}`)), crossing.containers.map((box) => box.container_id).join(", "), hours(crossing.declare_time, zones(), true)],
        })),
      );
    } catch (refused) {
      complain(refused);
    }
  }

  place.append(
    h("div", { class: "card" }, h("h1", {}, t("order.new")), form, unsteered()),
    h("div", { class: "card scroll" }, h("h1", {}, t("screen.orders")), list.element),
    h("div", { class: "card scroll" }, h("h1", {}, t("crossings")), crossings.element),
  );
  look();
  const timer = setInterval(look, LOOK_MS);
  return () => clearInterval(timer);
}
