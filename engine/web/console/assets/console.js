// What every page of the console does in the browser: form tokens, errors, the banner while the engine is away, and
// actions that wait for it. Pages work without it, but for what refreshes by itself.

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";
const root = meta("patrol-root");
const ALIVE_MS = 10_000;
const AWAY_MS = 2_000;
const TRIES_MS = 120_000;

let isAway = false;

// A form's token proves that a page of ours sent it.
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-Form-Token"] = meta("form-token");
});

export function showMessage(html, isText = false) {
  const place = document.getElementById("messages");
  const box = document.createElement("div");
  if (isText) {
    box.className = "message";
    box.textContent = html;
  } else {
    box.innerHTML = html; // a part that the console rendered and escaped
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "close";
  close.textContent = "×";
  close.setAttribute("aria-label", document.documentElement.lang.startsWith("zh") ? "关闭" : "Close");
  close.addEventListener("click", () => box.remove());
  box.append(close);
  place.replaceChildren(box);
}

async function checkAlive() {
  let away = true;
  try {
    away = !(await fetch(`${root}/alive`, { cache: "no-store" })).ok;
  } catch {
    // the console itself is away
  }
  setAway(away);
  setTimeout(checkAlive, away ? AWAY_MS : ALIVE_MS);
}

function setAway(away) {
  const banner = document.getElementById("away");
  if (away === isAway || !banner) return;
  isAway = away;
  banner.hidden = !away;
  document.dispatchEvent(new CustomEvent(away ? "patrol:away" : "patrol:back"));
  if (!away) {
    document.querySelectorAll("[data-refresh]").forEach((part) => window.htmx?.trigger(part, "back"));
  }
}

// An action that the engine could not take is sent again until it is back. Its form has a request id, so it acts once.
document.addEventListener("htmx:beforeRequest", (event) => {
  const element = event.detail.elt;
  if (!element.dataset.began) element.dataset.began = Date.now();
});
function tryAgain(event) {
  const { elt: element, requestConfig } = event.detail;
  const waited = Date.now() - Number(element.dataset.began ?? 0);
  if (requestConfig.verb === "get" || waited > TRIES_MS) return false;
  setAway(true);
  setTimeout(() => {
    if (element.isConnected) element.requestSubmit ? element.requestSubmit() : window.htmx.trigger(element, "click");
  }, AWAY_MS);
  return true;
}
document.addEventListener("htmx:sendError", (event) => {
  setAway(true);
  tryAgain(event);
});
document.addEventListener("htmx:responseError", (event) => {
  const reply = event.detail.xhr;
  if ((reply.status === 503 || reply.status === 504) && tryAgain(event)) return;
  delete event.detail.elt.dataset.began;
  const type = reply.getResponseHeader("content-type") ?? "";
  if (type.startsWith("text/html")) showMessage(reply.responseText);
  else showMessage(reply.statusText || String(reply.status), true);
});
document.addEventListener("htmx:afterOnLoad", (event) => {
  delete event.detail.elt.dataset.began;
});

// Relative times grow old while a page is open.
const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });
const STEPS = [[60, "second", 1], [3600, "minute", 60], [86_400, "hour", 3600], [Infinity, "day", 86_400]];
export function ago(iso) {
  const seconds = (Date.parse(iso) - Date.now()) / 1000;
  const [, unit, size] = STEPS.find(([most]) => Math.abs(seconds) < most);
  return relative.format(Math.round(seconds / size), unit);
}
setInterval(() => {
  for (const time of document.querySelectorAll("time[data-relative]")) time.textContent = ago(time.dateTime);
}, 15_000);

// A form that is sent by a change of its fields, such as a filter, works with its button where there is no script.
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-submit-on-change]");
  if (form) form.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  const isField = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !isField && !event.ctrlKey && !event.metaKey) {
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
  if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => (menu.open = false));
});

setTimeout(checkAlive, ALIVE_MS);
