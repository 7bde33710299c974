// The control lease: who has it, and keeping it for as long as this page is open in the hands of who took it here.

import { h } from "./dom.js";
import { act, ask } from "./server.js";
import { fleet } from "./state.js";
import { t } from "./text.js";

const LOOK_MS = 500;
// Renewed when no more than this is left of its 30 s, by the server's clock: a simulation's runs faster than ours.
const RENEW_MS = 20000;
const TAKEN = "lease";

export const me = () => localStorage.getItem("holder") ?? "";
export const mine = () => fleet.control !== null && fleet.control.holder === sessionStorage.getItem(TAKEN);

// Why no command can be given here; nothing where one can.
export const unsteered = () => (fleet.steers ? "" : h("p", { class: "faint" }, t(fleet.replay ? "only_recording" : "only_looks")));

// When the lease that was taken here ends, as far as this page knows: 0 after a reload. And whether it asks to renew it.
let until_ms = 0;
let asking = false;

async function took(command, holder, more = {}) {
  localStorage.setItem("holder", holder);
  const lease = await act(command, { holder, ...more }, t("lease.done"));
  if (!lease) return;
  until_ms = lease.expire_time;
  sessionStorage.setItem(TAKEN, lease.holder);
  fleet.control = { holder: lease.holder, until: lease.expire_time };
}

export const take = (holder) => took("acquire_control", holder);

export async function takeOver(holder) {
  const said = await ask({ title: t("lease.over"), text: t("lease.over.text"), fields: [{ name: "reason", label: t("reason") }], yes: t("lease.over") });
  if (said) await took("take_over_control", holder, said);
}

setInterval(async () => {
  const holder = sessionStorage.getItem(TAKEN);
  if (holder === null || asking || until_ms - (fleet.time_ms ?? 0) > RENEW_MS) return;
  // The server's answer decides, not the picture of the fleet, which may be older than what was taken a moment ago. Whoever lost it to
  // another hears so once, and does not fight for it; a recording knows nobody who looks.
  const before_ms = until_ms;
  asking = true;
  const kept = fleet.replay ? null : await act("renew_control", { holder }, null);
  asking = false;
  // Taken anew meanwhile: the answer is about the one before.
  if (until_ms !== before_ms) return;
  until_ms = kept ? kept.expire_time : 0;
  if (!kept) sessionStorage.removeItem(TAKEN);
}, LOOK_MS);
