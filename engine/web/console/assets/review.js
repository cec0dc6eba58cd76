// The review by keyboard: keys for every button, the next finding fetched before it is asked for, the tile map faded.
// Without it the same buttons, links and forms work.

const FRESH_MS = 30_000;
const FIELDS = "input:not([type=checkbox]), textarea, select, [contenteditable]";
const fetched = new Map();
let strength = 50;
let isMapShown = true;

const part = () => document.getElementById("review");
const find = (key) => document.querySelector(`#review [data-key="${key}"]`);
const isFragment = { headers: { "HX-Request": "true" }, cache: "no-store" };

async function load(url) {
  const reply = await fetch(url, isFragment);
  if (!reply.ok || reply.status === 204) throw new Error(String(reply.status));
  return reply.text();
}

// Others see who has a finding open. A mark ends by itself after a minute.
let shown = "";
function leave(next) {
  if (shown && shown !== next) {
    const form = new FormData();
    form.append("form_token", document.querySelector('meta[name="form-token"]').content);
    form.append("finding", shown);
    form.append("left", "1");
    navigator.sendBeacon(`${document.querySelector('meta[name="patrol-root"]').content}/review/viewing`, form);
  }
  shown = next;
}
window.addEventListener("pagehide", () => leave(""));

// The next part, and its three pictures, which the browser keeps.
function fetchAhead() {
  const link = find("j");
  if (!link || fetched.has(link.href)) return;
  fetched.clear();
  const promise = load(link.href);
  fetched.set(link.href, { promise, at: Date.now() });
  promise.then(
    (html) => {
      const page = new DOMParser().parseFromString(html, "text/html");
      for (const picture of page.querySelectorAll(".review-frame img")) new Image().src = picture.getAttribute("src");
    },
    () => fetched.delete(link.href),
  );
}

async function show(url, isStep) {
  const ahead = fetched.get(url);
  const isFresh = ahead && Date.now() - ahead.at < FRESH_MS;
  let html;
  try {
    html = await (isFresh ? ahead.promise : load(url));
  } catch {
    location.assign(url); // the page itself says what is wrong
    return;
  }
  const box = document.createElement("template");
  box.innerHTML = html; // a part that the console rendered and escaped
  const next = box.content.getElementById("review");
  if (!next) {
    location.assign(url);
    return;
  }
  part().replaceWith(next);
  window.htmx?.process(next);
  if (isStep) history.pushState({ review: true }, "", url);
  prepare();
  next.querySelector("h2")?.focus({ preventScroll: true });
}

function prepare() {
  const box = part();
  if (!box) return;
  const fade = box.querySelector(".tiles-fade");
  if (fade) {
    fade.hidden = false;
    fade.querySelector("input").value = strength;
    box.querySelector(".tiles").style.opacity = strength / 100;
    box.querySelector(".tiles-switch").checked = isMapShown;
  }
  leave(box.querySelector("#review-viewers")?.dataset.finding ?? "");
  fetchAhead();
}

function press(key) {
  const element = key === "?" ? document.getElementById("help-open") : find(key);
  if (!element) return false;
  if (element.tagName === "DETAILS") {
    element.open = true;
    element.querySelector("input:not([type=hidden])").focus();
  } else {
    element.click();
  }
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
  const field = event.target.closest?.(FIELDS);
  if (event.key === "Escape" && field) {
    field.blur();
    const open = field.closest("details");
    if (open) open.open = false;
    return;
  }
  if (field || event.repeat && !"jk".includes(event.key)) return;
  if (event.key.length === 1 && press(event.key)) event.preventDefault();
});

document.addEventListener("click", (event) => {
  const cancel = event.target.closest?.("#review [data-cancel]");
  if (cancel) {
    event.preventDefault();
    cancel.closest("details").open = false;
    return;
  }
  const step = event.target.closest?.('#review a[data-key="j"], #review a[data-key="k"]');
  if (step && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    show(step.href, true);
  }
});
document.addEventListener("input", (event) => {
  if (event.target.id === "tiles-strength") {
    strength = Number(event.target.value);
    part().querySelector(".tiles").style.opacity = strength / 100;
  }
});
document.addEventListener("change", (event) => {
  if (event.target.id === "tiles-shown") isMapShown = event.target.checked;
  if (event.target.name === "reason" && event.target.type === "radio") {
    const note = document.getElementById("dismiss-why");
    if (note) note.required = event.target.value === "other";
  }
});
document.addEventListener("toggle", (event) => {
  // one action at a time
  if (event.target.open && event.target.parentElement?.classList.contains("review-actions")) {
    for (const other of part().querySelectorAll(".review-actions details[open]")) if (other !== event.target) other.open = false;
  }
}, true);
// After an action: the next finding, or this one with the reason why nothing was done.
document.addEventListener("htmx:afterSwap", (event) => {
  const box = part();
  if (!box || !event.detail.requestConfig?.path.endsWith("/review/act")) return;
  fetched.clear();
  if (box.dataset.url !== location.pathname + location.search) history.pushState({ review: true }, "", box.dataset.url);
  prepare();
  box.querySelector("h2")?.focus({ preventScroll: true });
});
window.addEventListener("popstate", () => show(location.href, false));

const help = document.getElementById("help");
const opener = document.getElementById("help-open");
if (help && opener) {
  opener.hidden = false;
  opener.addEventListener("click", () => help.showModal());
}

// The list: mark all, and say how many are marked.
const all = document.getElementById("mark-all");
const chosen = document.getElementById("chosen");
if (all && chosen) {
  const boxes = [...document.querySelectorAll('input[name="target"]')];
  const count = () => {
    const number = boxes.filter((box) => box.checked).length;
    all.checked = number === boxes.length;
    all.indeterminate = number > 0 && number < boxes.length;
    chosen.textContent = number === 1 ? chosen.dataset.one : chosen.dataset.several.replace("#", number);
  };
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    count();
  });
  for (const box of boxes) box.addEventListener("change", count);
}
prepare();
