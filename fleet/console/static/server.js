// Asking the console's own process; what is refused is said with its reason and its hint.

import { byId, h } from "./dom.js";
import { t } from "./text.js";

export async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

async function refusal(answer) {
  const said = await answer.json().catch(() => ({ message: answer.statusText, hint: "" }));
  const message = said.hint && !said.message.includes(said.hint) ? `${said.message} ${said.hint}` : said.message;
  return Object.assign(new Error(message), { reason: said.reason });
}

// Sends what only our own page may.
export async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-khulan-console": "1" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

// Gives a command; tells what came of it (nothing where *done* is null), and answers null where it was refused.
export async function act(command, body, done) {
  const who = localStorage.getItem("holder");
  // A console may be shared: the record names the person beside the certificate.
  const said = body.reason && who ? { ...body, reason: `${who}: ${body.reason}` } : body;
  return give(`/api/do/${command}`, said, done);
}

export async function give(path, body, done) {
  try {
    const value = await post(path, body);
    if (done !== null) notice(done ?? t("done"));
    return value;
  } catch (refused) {
    notice(refused.message, true);
    return null;
  }
}

// Of a list that is asked for again and again: that no server answers, the top of the page says already.
export function complain(refused) {
  if (refused.reason !== "NoServer" && !(refused instanceof TypeError)) notice(refused.message, true);
}

export function notice(text, bad = false) {
  if ([...byId("notices").children].some((shown) => shown.textContent === text)) return;
  const shown = h("div", { class: bad ? "bad" : null }, text);
  byId("notices").append(shown);
  setTimeout(() => shown.remove(), bad ? 12000 : 4000);
}

// A question with fields; resolves to what was typed, or null. A field that *must* be something has to be typed letter by letter.
export function ask({ title, text, fields = [], yes, stop = false }) {
  const dialog = byId("ask");
  return new Promise((resolve) => {
    const inputs = fields.map((field) => ({ field, input: h("input", { name: field.name, value: field.value ?? "", autocomplete: "off" }) }));
    const button = h("button", { class: stop ? "stop" : "main", type: "submit" }, yes);
    const check = () => {
      button.disabled = inputs.some(({ field, input }) => (field.must ? input.value.trim() !== field.must : !input.value.trim()));
    };
    inputs.forEach(({ input }) => input.addEventListener("input", check));
    const form = h(
      "form",
      { method: "dialog" },
      h("h1", {}, title),
      text ? h("p", {}, text) : null,
      inputs.map(({ field, input }) => h("label", {}, field.label, input)),
      h("div", { class: "row" }, h("button", { type: "button", onclick: () => dialog.close() }, t("cancel")), button),
    );
    let answer = null;
    form.addEventListener("submit", () => {
      answer = Object.fromEntries(inputs.map(({ field, input }) => [field.name, input.value.trim()]));
    });
    dialog.replaceChildren(form);
    dialog.onclose = () => resolve(answer);
    check();
    dialog.showModal();
    // What must stop at once is one more key away, with everything else filled in.
    if (stop) button.focus();
  });
}
