// Words, numbers and times, as the wall writes them.

const lang = document.documentElement.lang;
const relative = new Intl.RelativeTimeFormat(lang, { numeric: "always", style: "short" });
const STEPS = [[60, "second", 1], [3600, "minute", 60], [86_400, "hour", 3600], [Infinity, "day", 86_400]];

export const numbers = new Intl.NumberFormat(lang);
export const words = (text, values) => text.replace(/%\((\w+)\)s/g, (_, name) => values[name]);

export function ago(ms, nowMs) {
  const seconds = Math.min(0, (ms - nowMs) / 1000);
  const [, unit, size] = STEPS.find(([most]) => -seconds < most);
  return relative.format(Math.trunc(seconds / size), unit);
}

export function timesOf(timeZone) {
  const format = (timeStyle) => new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle, timeZone });
  return { clock: format("medium"), minutes: format("short") };
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}
