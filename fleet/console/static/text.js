// Every word a person reads comes from the server's one catalogue, in the language chosen.

export const LANGUAGES = { en: "English", zh: "中文", mn: "Монгол" };
let words = {};
let chosen = "en";

export const language = () => chosen;

export function usualLanguage() {
  const kept = localStorage.getItem("language");
  if (kept in LANGUAGES) return kept;
  return navigator.languages.map((each) => each.slice(0, 2)).find((each) => each in LANGUAGES) ?? "en";
}

export async function speak(wanted) {
  const answer = await fetch(`/api/texts/${wanted}`);
  if (!answer.ok) throw new Error(`no texts in ${wanted}`);
  words = await answer.json();
  chosen = wanted;
  localStorage.setItem("language", wanted);
  document.documentElement.lang = wanted;
}

export function t(key, fields = {}) {
  const said = words[key] ?? key;
  return said.replace(/\{(\w+)\}/g, (_, name) => fields[name] ?? "");
}

// What a truck stands for; in few words where it is not said whom or what it is about.
export function cause(standing) {
  if (!standing) return t("moves");
  const [kind, subject] = standing;
  return subject || !words[`cause.${kind}`]?.includes("{subject}") ? t(`cause.${kind}`, { subject }) : t(`short.${kind}`);
}

export const count = (value, digits = 0) =>
  value === null || value === undefined ? "–" : value.toLocaleString(chosen, { minimumFractionDigits: digits, maximumFractionDigits: digits });

// Hours from 00 to 23: with hour12 alone English counts the first one as 24.
const HOURS = "h23";

export function clock(ms, zone, seconds = true) {
  if (!ms) return "–";
  const parts = { hour: "2-digit", minute: "2-digit", hourCycle: HOURS, timeZone: zone };
  return new Date(ms).toLocaleTimeString(chosen, seconds ? { ...parts, second: "2-digit" } : parts);
}

export function moment(ms, zone) {
  if (!ms) return "–";
  return new Date(ms).toLocaleString(chosen, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: HOURS, timeZone: zone });
}

// What a clock on the wall of *zone* shows, as "2026-01-31T18:00", in milliseconds of Unix time.
export function instant(shown, zone) {
  const wall = Date.parse(`${shown}Z`);
  const there = (ms) => Date.parse(`${new Date(ms).toLocaleString("sv", { timeZone: zone }).replace(" ", "T")}Z`);
  const guess = wall - (there(wall) - wall);
  return guess - (there(guess) - wall);
}

// The place that a time zone is named after.
export const town = (zone) => zone.split("/").pop().replaceAll("_", " ");

// The hour on both sides of the border, once where both clocks show the same.
export function hours(ms, zones, seconds = false) {
  if (!ms) return "–";
  return [...new Set(zones.map((zone) => clock(ms, zone, seconds)))].join(" · ");
}

export function lasting(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return t("lasting.s", { n: seconds });
  if (seconds < 3600) return t("lasting.min", { n: Math.floor(seconds / 60) });
  return t("lasting.h", { n: Math.floor(seconds / 3600), m: Math.floor((seconds % 3600) / 60) });
}
