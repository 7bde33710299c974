// Every truck in a list, and what each stands for.

import { h, table } from "../dom.js";
import { fleet, select, selected, standing, stoodMs, trucks as all, watch } from "../state.js";
import { cause, count, lasting, t } from "../text.js";

const FILTERS = {
  all: () => true,
  standing,
  moving: (truck) => !standing(truck),
  laden: (truck) => truck.laden,
  trouble: (truck) => !["live", "syncing"].includes(truck.session) || truck.held || truck.out,
};

export function trucks(place) {
  let filter = "all";
  let sought = "";
  const rows = table([
    [t("truck.id")],
    [t("truck.session")],
    [t("truck.mission")],
    [t("truck.load")],
    [t("truck.place")],
    ["km/h", "number"],
    [t("truck.stands"), "number"],
    [t("truck.because"), "wide"],
    [t("truck.battery"), "number"],
    [t("truck.trips"), "number"],
  ]);
  const buttons = Object.keys(FILTERS).map((name) => {
    const button = h("button", { onclick: () => ((filter = name), show()) });
    return [name, button];
  });
  const search = h("input", { type: "search", placeholder: t("search"), "aria-label": t("search"), oninput: (event) => ((sought = event.target.value.toLowerCase()), show()) });

  function row(truck) {
    const full = fleet.site?.types[truck.type]?.battery_wh ?? 0;
    const live = truck.session === "live";
    return {
      key: truck.id,
      choose: () => select(truck.id),
      chosen: truck.id === selected(),
      cells: () => [
        truck.id,
        h("span", { class: live ? "good" : truck.session === "syncing" ? "faint" : "bad" }, t(`session.${truck.session || "unknown"}`)),
        truck.mission ? t(`mission.${truck.mission}`) : "–",
        h("span", { class: `tag ${truck.laden ? "laden" : "empty"}` }, t(truck.laden ? "laden" : "empty")),
        truck.lane ? `${truck.lane} ${count(truck.at_m)} m` : "–",
        count(truck.v * 3.6),
        standing(truck) ? lasting(stoodMs(truck)) : "",
        standing(truck) ? cause(truck.for) : "",
        full ? `${count((100 * truck.wh) / full)} %` : "–",
        count(truck.trips),
      ],
    };
  }

  function show() {
    const every = all();
    for (const [name, button] of buttons) {
      button.textContent = `${t(`filter.${name}`)} ${every.filter(FILTERS[name]).length}`;
      button.setAttribute("aria-pressed", String(name === filter));
    }
    const shown = every.filter(FILTERS[filter]).filter((truck) => !sought || JSON.stringify([truck.id, truck.lane, truck.goal, truck.boxes]).toLowerCase().includes(sought));
    rows.show(shown.map(row));
  }

  place.append(h("div", { class: "row tools", style: "margin: -14px -14px 12px" }, buttons.map(([, button]) => button), search), h("div", { class: "card scroll" }, rows.element));
  show();
  return watch(show);
}
