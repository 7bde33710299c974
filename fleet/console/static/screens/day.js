// The day so far, and what stands now.

import { h } from "../dom.js";
import { fleet, standing, trucks, watch } from "../state.js";
import { count, t } from "../text.js";

export function day(place) {
  const cards = h("div", { class: "cards" });
  const bars = h("div");
  const sessions = h("div");
  place.append(cards, h("div", { class: "card" }, h("h1", {}, t("day.now")), bars), h("div", { class: "card" }, h("h1", {}, t("day.sessions")), sessions));

  function chart(into, counts, name) {
    const most = Math.max(1, ...counts.values());
    const rows = [...counts].sort((a, b) => b[1] - a[1]);
    into.replaceChildren(...rows.map(([key, n]) => h("div", { class: "bar" }, h("span", {}, name(key)), h("i", { style: `width: ${(100 * n) / most}%` }), h("b", {}, count(n)))));
  }

  function show() {
    const all = trucks();
    const said = fleet.totals;
    const tiles = [
      [count(said.tonnes), "top.tonnes"],
      [count(said.round_trips), "top.trips"],
      [count(said.containers_delivered), "day.boxes"],
      [count(all.filter((truck) => !standing(truck)).length), "day.moving"],
      [count(all.filter(standing).length), "day.standing"],
      [count(all.filter((truck) => truck.laden).length), "day.laden"],
    ];
    cards.replaceChildren(...tiles.map(([value, key]) => h("div", { class: "card" }, h("b", {}, value), h("span", {}, t(key)))));
    const causes = new Map();
    const states = new Map();
    for (const truck of all) {
      if (standing(truck)) causes.set(truck.for[0], (causes.get(truck.for[0]) ?? 0) + 1);
      states.set(truck.session || "unknown", (states.get(truck.session || "unknown") ?? 0) + 1);
    }
    chart(bars, causes, (kind) => t(`short.${kind}`));
    chart(sessions, states, (state) => t(`session.${state}`));
  }
  show();
  return watch(show);
}
