// The frame: what is always in sight, and which screen is open.

import { detail } from "./detail.js";
import { byId, h } from "./dom.js";
import { replay } from "./replay.js";
import { controls } from "./screens/controls.js";
import { corridor } from "./screens/corridor.js";
import { day } from "./screens/day.js";
import { alarms } from "./screens/alarms.js";
import { gates } from "./screens/gates.js";
import { health } from "./screens/health.js";
import { orders } from "./screens/orders.js";
import { stringline } from "./screens/stringline.js";
import { trucks } from "./screens/trucks.js";
import { mine } from "./lease.js";
import { act, ask } from "./server.js";
import { concerns, fleet, listen, select, stops, watch, zones } from "./state.js";
import { LANGUAGES, clock, count, language, lasting, speak, t, town, usualLanguage } from "./text.js";

const SCREENS = { corridor, stringline, trucks, orders, gates, alarms, controls, day, health };
// How the server itself was, no run records.
const offered = () => Object.keys(SCREENS).filter((name) => name !== "health" || !fleet.replay);
// Nothing is shown before it is known what: a recording has no button that stops. Where nothing is heard for so long, there is one.
const FIRST_WORD_MS = 500;
let leave = null;
let open = null;

async function stopAll() {
  const id = `stop-${new Date(fleet.time_ms ?? Date.now()).toISOString().slice(11, 19).replaceAll(":", "")}`;
  const said = await ask({
    title: t("stop.title"),
    text: t("stop.text"),
    fields: [
      { name: "stop_id", label: t("stop.id"), value: id },
      { name: "reason", label: t("reason"), value: t("stop.reason") },
    ],
    yes: t("stop.yes"),
    stop: true,
  });
  if (said) await act("stop_all", said, t("stop.done", { id: said.stop_id }));
}

async function lift(stop) {
  const said = await ask({
    title: t("lift.title"),
    text: t("lift.text", { id: stop.stop_id, reason: stop.reason }),
    fields: [{ name: "stop_id", label: t("lift.id", { id: stop.stop_id }), must: stop.stop_id }],
    yes: t("lift.yes"),
  });
  if (!said) return;
  const answer = await act("lift_stop", said, t("lift.done"));
  if (answer?.active) await ask({ title: t("lift.title"), text: t("lift.second"), yes: t("understood") });
}

// Built once a language; afterwards only texts change, so that a button is never taken away under a finger.
let shown = null;

function figure(key) {
  const value = h("b");
  return { value, element: h("div", { class: "figure" }, value, h("span", {}, t(key))) };
}

function build() {
  const languages = h(
    "select",
    { "aria-label": t("language"), onchange: (event) => speak(event.target.value).then(() => enter(true)) },
    Object.entries(LANGUAGES).map(([code, name]) => h("option", { value: code, selected: code === language() }, name)),
  );
  shown = {
    name: h("span"),
    clocks: h("div", { class: "row" }),
    live: figure("top.live"),
    trips: figure("top.trips"),
    tonnes: figure("top.tonnes"),
    link: h("span", { class: "link", id: "link" }),
    control: h("span", { class: "control", id: "control" }),
    stop: h("button", { class: "stop", id: "stop-all", onclick: stopAll }, t("stop.button")),
    banners: h("div", { style: "display: contents" }),
    past: h("div", { class: "past", hidden: true }),
    zones: [],
    stops: "",
  };
  byId("top").replaceChildren(
    h("div", { class: "name" }, h("img", { src: "/static/icon.svg", alt: "" }), shown.name),
    shown.clocks,
    ...[shown.live, shown.trips, shown.tonnes].map(({ element }) => element),
    shown.link,
    shown.control,
    h("div", { class: "room" }),
    languages,
    h("button", { title: t("theme"), "aria-label": t("theme"), onclick: turnTheme }, "◐"),
    shown.stop,
    shown.banners,
    shown.past,
  );
}

function clocks() {
  const all = zones();
  if (all.length !== shown.zones.length) {
    shown.zones = all.map((zone) => ({ zone, value: h("b") }));
    shown.clocks.replaceChildren(...shown.zones.map(({ zone, value }) => h("div", { class: "clock" }, value, h("span", {}, town(zone)))));
  }
  for (const { zone, value } of shown.zones) value.textContent = clock(fleet.time_ms, zone);
}

function banner(stop) {
  const second = stop.needs_second_person ? ` ${t("lift.second")}` : "";
  return h(
    "div",
    { class: "banner" },
    h("span", {}, t("stop.active", { id: stop.stop_id, reason: stop.reason }) + second),
    h("button", { onclick: () => lift(stop), disabled: !fleet.steers }, t("lift.button")),
  );
}

function top() {
  const lost = fleet.lost_since_ms !== null;
  shown.name.textContent = fleet.site?.site_id ?? "khulan";
  clocks();
  shown.live.value.textContent = count(fleet.totals.trucks_live);
  shown.trips.value.textContent = count(fleet.totals.round_trips);
  shown.tonnes.value.textContent = `${count(fleet.totals.tonnes)} t`;
  shown.link.className = lost ? "link lost" : "link";
  shown.link.textContent = lost ? t("link.lost") : t(fleet.replay ? "link.replay" : "link.live", { tick: count(fleet.tick) });
  shown.control.textContent = fleet.control ? t("lease.has", { holder: fleet.control.holder }) : "";
  shown.control.classList.toggle("mine", mine());
  // A stop that stops nothing would be worse than none.
  shown.stop.hidden = fleet.replay !== null;
  shown.past.hidden = !lost;
  shown.past.textContent = lost ? t("link.past", { since: lasting(Date.now() - fleet.lost_since_ms) }) : "";
  const said = JSON.stringify([stops(), fleet.steers]);
  if (said !== shown.stops) {
    shown.stops = said;
    shown.banners.replaceChildren(...stops().map(banner));
  }
}

function turnTheme() {
  const dark = document.body.classList.contains("dark") || (!document.body.classList.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches);
  document.body.classList.remove("dark", "light");
  document.body.classList.add(dark ? "light" : "dark");
  localStorage.setItem("theme", dark ? "light" : "dark");
  enter(true);
}

let listed = "";

function screens() {
  const worries = concerns().filter((concern) => concern.grave && !concern.seen).length;
  const said = `${offered()} ${open} ${worries} ${language()}`;
  if (said === listed) return;
  listed = said;
  byId("screens").replaceChildren(
    ...offered().map((name, at) =>
      h(
        "a",
        { href: `#${name}`, "aria-current": name === open ? "page" : null },
        h("span", {}, t(`screen.${name}`)),
        name === "alarms" && worries ? h("span", { class: "count" }, String(worries)) : h("kbd", {}, String(at + 1)),
      ),
    ),
  );
  // On a telephone the row of screens is longer than it is wide.
  byId("screens").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

function enter(again = false) {
  const wanted = location.hash.slice(1);
  const name = offered().includes(wanted) ? wanted : "corridor";
  if (name === open && !again) return;
  if (again || !shown) build();
  leave?.();
  open = name;
  const place = byId("screen");
  place.className = "";
  place.replaceChildren();
  leave = fleet.site ? SCREENS[name](place) : null;
  if (!fleet.site) place.append(h("p", { class: "empty-note" }, t("link.waiting")));
  frame();
}

// What a screen is built from: when it changes, as when the first word of the server comes, the screen is built anew.
let builtOn = "";

function rebuild() {
  const ground = `${fleet.site?.digest ?? ""} ${fleet.steers} ${fleet.replay !== null}`;
  if (ground === builtOn) return;
  builtOn = ground;
  enter(true);
}

function frame() {
  top();
  screens();
  document.title = `${stops().length ? "■ " : ""}${t(`screen.${open}`)} · khulan`;
}

document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") select(null);
  if (event.key === "/" && document.querySelector("#screen input[type=search]")) {
    event.preventDefault();
    document.querySelector("#screen input[type=search]").focus();
  }
  const name = offered()[Number(event.key) - 1];
  if (name) location.hash = name;
});

const kept = localStorage.getItem("theme");
if (kept) document.body.classList.add(kept);
await speak(usualLanguage());
window.addEventListener("hashchange", () => enter());
watch(rebuild);
watch(frame);
watch(detail);
watch(replay);
listen();
setTimeout(rebuild, FIRST_WORD_MS);
