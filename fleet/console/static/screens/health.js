// How the server itself is.

import { bars, h, table } from "../dom.js";
import { complain, get } from "../server.js";
import { watch } from "../state.js";
import { count, lasting, t } from "../text.js";

const LOOK_MS = 2000;
const STALE_MS = 5000;

const brief = (seconds) => (seconds === null || seconds === undefined ? "–" : seconds < 1 ? `${count(seconds * 1000, 1)} ms` : lasting(seconds * 1000));
const size = (bytes) => (bytes < 1e9 ? `${count(bytes / 1e6, 1)} MB` : `${count(bytes / 1e9, 1)} GB`);
const answer = (good) => h("span", { class: good ? "good" : "bad" }, t(good ? "yes" : "no"));

// Counts that are not 0, as bars; a name that nobody translated is the log's and stays as it is.
function tally(into, counts, prefix) {
  const some = counts.filter((each) => each.count);
  const named = (name) => (prefix && t(prefix + name) !== prefix + name ? t(prefix + name) : name);
  into.replaceChildren(...(some.length ? bars(some.map((each) => [named(each.name), each.count])) : [h("span", { class: "faint" }, t("health.nothing"))]));
}

export function health(place) {
  const cards = h("div", { class: "cards" });
  const old = h("p", { class: "bad", hidden: true });
  const minute = table([[""], [t("health.p50"), "number"], [t("health.p99"), "number"], [t("health.max"), "number"]]);
  const journal = h("dl");
  const loop = h("dl");
  const parts = Object.fromEntries(["waiting", "shed", "alarms", "shortenings", "stops"].map((name) => [name, h("div")]));
  const clocks = table([[t("truck.id")], [t("health.drift"), "number"], [t("health.within"), "number"]]);
  const card = (key, ...inside) => h("div", { class: "card scroll" }, h("h1", {}, t(key)), inside);
  let known = null;

  const rows = (into, pairs) => into.replaceChildren(...pairs.flatMap(([key, value]) => [h("dt", {}, t(key)), h("dd", {}, value)]));

  function show() {
    if (!known) return;
    const { ticks, trucks, decisions } = known;
    const age = Date.now() - known.time;
    old.hidden = age < STALE_MS;
    old.textContent = t("health.gathered", { since: lasting(age) });
    const good = known.state === "serving";
    const tiles = [
      [t(`health.state.${known.state}`), known.reason || t("health.state"), good ? "good" : "bad"],
      [lasting(1000 * known.up), t("health.up")],
      [count(known.epoch), t("health.epoch")],
      [`${count(ticks.overrun_count)} / ${count(ticks.missed_count)}`, `${t("health.overruns")} / ${t("health.missed")}`],
      [count(trucks.links_lost), t("health.lost")],
      [size(known.journal.disk_free_bytes), t("health.free")],
    ];
    cards.replaceChildren(...tiles.map(([value, label, kind]) => h("div", { class: "card" }, h("b", { class: kind }, value), h("span", {}, label))));
    const spreads = [
      ["health.took", ticks.took],
      ["health.late", ticks.late],
      ["health.commit", known.journal.commit],
      ["health.age", trucks.report_age],
    ];
    minute.show(spreads.map(([key, found]) => ({ key, cells: [t(key), ...["p50", "p99", "max"].map((name) => (found?.count ? brief(found[name]) : "–"))] })));
    rows(journal, [
      ["health.room", answer(known.journal.has_room)],
      ["health.reserve", answer(known.journal.reserve_kept)],
      ["health.records", count(known.journal.sequence)],
      ["health.size", size(known.journal.bytes)],
      ["health.log", size(known.journal.log_bytes)],
      ["health.archive", size(known.journal.archive_bytes)],
      ["health.snapshot", known.journal.snapshot_age === null ? "–" : brief(known.journal.snapshot_age)],
      ["health.facts", count(known.journal.facts_since_snapshot)],
    ]);
    rows(loop, [
      ["health.grants", count(decisions.grants)],
      ["health.behind", count(ticks.behind_ticks)],
      ["health.refused", count(trucks.reports_refused)],
      ["health.messages", `${count(known.messages.heard)} / ${count(known.messages.said)}`],
      ["health.software", known.software],
      ["health.wire", known.wire_versions.join(", ")],
    ]);
    tally(parts.waiting, known.queues, "queue.");
    tally(parts.shed, known.shed, "shed.");
    tally(parts.alarms, known.alarms, "");
    tally(parts.shortenings, decisions.shortenings, "short.");
    tally(parts.stops, decisions.stops, "short.");
    clocks.show(known.clocks.slice(0, 8).map((clock) => ({ key: clock.truck_id, cells: [clock.truck_id, brief(Math.abs(clock.drift)), `± ${brief(clock.uncertainty)}`] })));
  }

  async function look() {
    try {
      known = await get("/api/health");
      show();
    } catch (refused) {
      complain(refused);
    }
  }

  place.append(
    old,
    cards,
    h(
      "div",
      { style: "display: grid; grid-template-columns: repeat(auto-fit, minmax(400px, 1fr)); gap: 14px; align-items: start" },
      card("health.minute", minute.element),
      card("health.journal", journal),
      card("health.ticks", loop),
      card("health.clocks", clocks.element),
      card("health.waiting", parts.waiting),
      card("health.shed", parts.shed),
      card("health.alarms", parts.alarms),
      card("health.decisions", h("h2", {}, t("health.shortenings")), parts.shortenings, h("h2", {}, t("health.stops")), parts.stops),
    ),
  );
  look();
  const timer = setInterval(look, LOOK_MS);
  const unwatch = watch(show);
  return () => {
    clearInterval(timer);
    unwatch();
  };
}
