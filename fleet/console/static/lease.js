// The control lease: who has it, and keeping it for as long as this page is open in the hands of who took it here.

import { h } from "./dom.js";
import { act, ask } from "./server.js";
import { fleet } from "./state.js";
import { t } from "./text.js";

const RENEW_MS = 10000;
const TAKEN = "lease";

export const me = () => localStorage.getItem("holder") ?? "";
export const mine = () => fleet.control !== null && fleet.control.holder === sessionStorage.getItem(TAKEN);

// Why no command can be given here; nothing where one can.
export const unsteered = () => (fleet.steers ? "" : h("p", { class: "faint" }, t(fleet.replay ? "only_recording" : "only_looks")));

async function took(command, holder, more = {}) {
  localStorage.setItem("holder", holder);
  const lease = await act(command, { holder, ...more }, t("lease.done"));
  if (!lease) return;
  sessionStorage.setItem(TAKEN, lease.holder);
  fleet.control = { holder: lease.holder, until: lease.expire_time };
}

export const take = (holder) => took("acquire_control", holder);

export async function takeOver(holder) {
  const said = await ask({ title: t("lease.over"), text: t("lease.over.text"), fields: [{ name: "reason", label: t("reason") }], yes: t("lease.over") });
  if (said) await took("take_over_control", holder, said);
}

setInterval(() => {
  if (sessionStorage.getItem(TAKEN) === null) return;
  // Whoever lost it to another hears so once, and does not fight for it; a recording knows nobody who looks.
  if (fleet.replay || (fleet.control && !mine())) sessionStorage.removeItem(TAKEN);
  else act("renew_control", { holder: sessionStorage.getItem(TAKEN) }, null).then((kept) => kept ?? sessionStorage.removeItem(TAKEN));
}, RENEW_MS);
