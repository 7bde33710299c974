// The time slider of a recording. It is in sight only where the console shows one, and belongs to everybody who looks at it.

import { byId, h } from "./dom.js";
import { notice, post } from "./server.js";
import { fleet } from "./state.js";
import { clock, language, lasting, t } from "./text.js";

const SPEEDS = [0.5, 1, 2, 5, 10, 30, 60, 120];
const STEP_MS = 10_000;
const LEAP_MS = 60_000;
// A slider that is dragged says where it is as often as this.
const SAY_MS = 150;
// Whoever shows something shows it every second.
const SILENT_MS = 3000;

let shown = null;
let dragging = false;
let asked = null;
let saying = false;
// Where the last key or drag wants to be, until the console has said that it is there: the next key goes on from it.
let wished = null;

async function steer(body) {
  try {
    fleet.replay = await post("/api/replay", body);
    replay();
  } catch (refused) {
    notice(refused.message, true);
  }
}

// Of many places that a drag goes through the last one counts; one at a time is asked for.
async function say(at_ms) {
  asked = wished = at_ms;
  if (saying) return;
  saying = true;
  while (asked !== null) {
    const body = { at_ms: asked };
    asked = null;
    await steer(body);
    await new Promise((done) => setTimeout(done, SAY_MS));
  }
  saying = false;
  wished = null;
  replay();
}

const here = () => wished ?? fleet.replay.at_ms;
const by = (ms) => say(Math.min(Math.max(here() + ms, fleet.replay.begin_ms), fleet.replay.end_ms));
const turn = () => steer({ playing: !fleet.replay.playing });
const faster = (steps) => {
  const near = SPEEDS.findIndex((speed) => speed >= fleet.replay.speed);
  steer({ speed: SPEEDS[Math.min(Math.max((near < 0 ? SPEEDS.length - 1 : near) + steps, 0), SPEEDS.length - 1)] });
};

const KEYS = {
  " ": turn,
  ArrowLeft: (event) => by(event.shiftKey ? -LEAP_MS : -STEP_MS),
  ArrowRight: (event) => by(event.shiftKey ? LEAP_MS : STEP_MS),
  Home: () => say(fleet.replay.begin_ms),
  End: () => say(fleet.replay.end_ms),
  "+": () => faster(1),
  "-": () => faster(-1),
};

document.addEventListener("keydown", (event) => {
  if (!fleet.replay || event.ctrlKey || event.metaKey || event.altKey) return;
  const inside = event.target.closest("input, select, textarea, dialog, button, #map");
  const action = KEYS[event.key];
  if (!action || (inside && inside !== shown?.slider && !(inside === shown?.play && event.key !== " "))) return;
  event.preventDefault();
  action(event);
});

// Wherever the finger leaves the page.
for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => (dragging = false));

function build() {
  const slider = h("input", {
    type: "range",
    id: "replay-at",
    step: 100,
    "aria-label": t("replay.at"),
    oninput: (event) => (time(Number(event.target.value)), say(Number(event.target.value))),
    onpointerdown: () => (dragging = true),
  });
  const speed = h(
    "select",
    { id: "replay-speed", "aria-label": t("replay.speed"), onchange: (event) => steer({ speed: Number(event.target.value) }) },
    SPEEDS.map((each) => h("option", { value: each }, `×${each}`)),
  );
  shown = {
    language: language(),
    play: h("button", { id: "replay-play", onclick: turn }),
    at: h("b", { id: "replay-clock" }),
    since: h("span", { class: "faint" }),
    slider,
    speed,
    problem: h("span", { class: "bad", id: "replay-problem" }),
  };
  byId("replay").replaceChildren(
    h("span", { class: "tag" }, t("replay.shown")),
    shown.play,
    h("span", { class: "when" }, shown.at, shown.since),
    slider,
    speed,
    h("span", { class: "faint keys" }, t("replay.keys")),
    shown.problem,
  );
}

function time(at_ms) {
  const { begin_ms, end_ms } = fleet.replay;
  shown.at.textContent = clock(at_ms, fleet.site?.yards[0]?.time_zone);
  shown.since.textContent = ` ${lasting(at_ms - begin_ms)} / ${lasting(end_ms - begin_ms)}`;
  shown.slider.setAttribute("aria-valuetext", shown.at.textContent);
}

export function replay() {
  const said = fleet.replay;
  const place = byId("replay");
  place.hidden = !said;
  if (!said) return;
  if (shown?.language !== language()) build();
  shown.play.textContent = said.playing ? "❚❚" : "▶";
  shown.play.setAttribute("aria-label", t(said.playing ? "replay.pause" : "replay.play"));
  shown.play.title = shown.play.getAttribute("aria-label");
  shown.speed.value = String(SPEEDS.includes(said.speed) ? said.speed : 1);
  shown.problem.textContent = said.problem || (said.silent_ms > SILENT_MS ? t("replay.silent", { since: lasting(said.silent_ms) }) : "");
  if (Number(shown.slider.max) !== said.end_ms) Object.assign(shown.slider, { min: said.begin_ms, max: said.end_ms });
  if (dragging || saying) return;
  shown.slider.value = said.at_ms;
  time(said.at_ms);
}
