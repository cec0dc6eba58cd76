// The wall: shows thousands of cameras, of which only those near the view are in the page, with their pictures, live.
// Without this module the page has links and pictures, and a next page.

import { Live } from "./wall_live.js";
import { Pictures } from "./wall_pictures.js";
import { makeTile, TilePainter } from "./wall_tile.js";
import { numbers, setText, words } from "./wall_words.js";

const grid = document.getElementById("wall");
const begun = JSON.parse(grid.dataset.wall);
const texts = begun.texts;
const count = document.getElementById("wall-count");
const liveNote = document.getElementById("wall-live");
const worseButton = document.getElementById("wall-worse");
const said = document.getElementById("wall-said");
const empty = document.getElementById("wall-empty");
const filters = document.getElementById("wall-filters");

const GAP = { small: 6, medium: 10, large: 10 }[begun.size];
const ROWS_AHEAD = 400;
const ROWS_MAX = 50_000; // a browser draws no page that is higher than some 30 million pixels
const ABOVE_PX = 600; // tiles are in the page so far beyond the view
const BELOW_PX = 1200;
const AGAIN_MS = 1000;
const AGES_MS = 5000;
const BACK_PAGES_MAX = 20;

let rows = [];
let places = new Map(); // by id
let nextToken = "";
let total = 0;
let listedAt = 0;
let loading = false;
let loadAfter = 0;
let generation = 0;
let columns = 1;
let tileWidth = 0;
let tileHeight = 0;
let focused = 0;
const tiles = new Map(); // by place
const spare = [];
const stale = new Set(); // ids whose verdict may be old
const worse = new Set();
let refreshing = false;
// The clock of this machine may be wrong; ages are those of the console's.
const clockOff = begun.now - Date.now();
const painter = new TilePainter(begun, () => Date.now() + clockOff);
const pictures = new Pictures({
  url: begun.pictures,
  side: begun.side,
  isShown: (id) => tiles.has(places.get(id)),
  changed: refillPicture,
  idle: () => {
    askPictures();
    if (!pictures.underWay) draw();
  },
  later: (ms) => setTimeout(draw, ms),
});
const live = new Live({ url: begun.live, note: liveNote, texts, verdicts: takeVerdicts, begin: doubtAll });

// The list.

function addRows(added) {
  for (const row of added) {
    if (places.has(row.id)) continue; // its order changed between two pages
    row.listedRank = row.rank;
    places.set(row.id, rows.length);
    rows.push(row);
  }
}

async function fetchJson(url) {
  const reply = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store" });
  if (reply.redirected) location.reload(); // signed out
  if (!reply.ok || reply.redirected) throw new Error(String(reply.status));
  return reply.json();
}

async function loadMore() {
  if (loading || !nextToken || rows.length >= ROWS_MAX || Date.now() < loadAfter) return;
  loading = true;
  const mine = generation;
  try {
    const page = await fetchJson(`${begun.list}${begun.list.includes("?") ? "&" : "?"}page_token=${encodeURIComponent(nextToken)}`);
    if (mine !== generation) return;
    nextToken = page.next;
    total = page.total;
    addRows(page.rows);
  } catch {
    loadAfter = Date.now() + 2 * AGAIN_MS;
    setTimeout(draw, 2 * AGAIN_MS);
  } finally {
    loading = false;
  }
  draw();
}

async function reload() {
  const mine = ++generation;
  grid.setAttribute("aria-busy", "true");
  try {
    const page = await fetchJson(begun.list);
    if (mine !== generation) return;
    const hadFocus = grid.contains(document.activeElement) || document.activeElement === worseButton;
    start(page);
    window.scrollTo(0, 0);
    focusTile(0, hadFocus);
  } catch {
    setTimeout(() => mine === generation && reload(), 2 * AGAIN_MS);
  } finally {
    grid.removeAttribute("aria-busy");
  }
}

function start(page) {
  for (const [place] of tiles) dropTile(place);
  rows = [];
  places = new Map();
  stale.clear();
  worse.clear();
  showWorse();
  pictures.outdateAll();
  nextToken = page.next;
  total = page.total;
  listedAt = page.now;
  focused = 0;
  addRows(page.rows);
  empty.hidden = rows.length > 0;
  layOut();
}

// Places of tiles.

function layOut() {
  const width = grid.clientWidth;
  const phone = window.matchMedia("(max-width: 45rem)").matches;
  const least = { small: phone ? 104 : 152, medium: phone ? 160 : 232, large: phone ? width : 352 }[begun.size];
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
  tileWidth = (width - GAP * (columns - 1)) / columns;
  tileHeight = Math.round((tileWidth * 9) / 16 + rem * (begun.size === "small" ? 3.3 : 6.4));
  for (const [place, tile] of tiles) position(tile, place);
  draw();
}

function position(tile, place) {
  const column = place % columns;
  const line = Math.floor(place / columns);
  tile.style.width = `${tileWidth}px`;
  tile.style.height = `${tileHeight}px`;
  tile.style.transform = `translate(${column * (tileWidth + GAP)}px, ${line * (tileHeight + GAP)}px)`;
}

let wanted = false;
function draw() {
  if (wanted) return;
  wanted = true;
  requestAnimationFrame(drawNow);
}

function drawNow() {
  wanted = false;
  const lines = Math.ceil(rows.length / columns);
  grid.style.height = `${Math.max(0, lines * (tileHeight + GAP) - GAP) + (nextToken && rows.length < ROWS_MAX ? tileHeight : 0)}px`;
  const top = -grid.getBoundingClientRect().top;
  const height = window.innerHeight;
  const place = (y) => Math.floor(y / (tileHeight + GAP)) * columns;
  const first = Math.max(0, place(top - ABOVE_PX));
  const last = Math.min(rows.length, place(top + height + BELOW_PX) + columns);
  for (const [at] of tiles) if ((at < first || at >= last) && !holdsFocus(at)) dropTile(at);
  for (let at = first; at < last; at++) if (!tiles.has(at)) addTile(at);
  const seenFirst = Math.min(Math.max(0, place(top)), Math.max(0, rows.length - 1));
  const seenLast = Math.min(rows.length, place(top + height) + columns);
  view = [seenFirst, seenLast];
  const shown = { first: numbers.format(rows.length ? seenFirst + 1 : 0), last: numbers.format(seenLast), total: numbers.format(total) };
  const most = nextToken && rows.length >= ROWS_MAX ? ` · ${words(texts.most, { number: numbers.format(rows.length) })}` : "";
  setText(count, words(texts.count, shown) + most);
  const ahead = window.scrollY || !pictures.underWay ? ROWS_AHEAD : 0; // until somebody scrolls, pictures go first
  if (last + ahead >= rows.length) loadMore();
  refreshStale();
  askPictures();
}
let view = [0, 0];

const holdsFocus = (place) => tiles.get(place)?.contains(document.activeElement);

function addTile(place) {
  const tile = spare.pop() ?? makeTile();
  tiles.set(place, tile);
  position(tile, place);
  fill(tile, place);
  grid.append(tile);
}

function dropTile(place) {
  const tile = tiles.get(place);
  tiles.delete(place);
  tile.remove();
  tile.parts.img.removeAttribute("src");
  if (spare.length < 200) spare.push(tile);
}

function fill(tile, place) {
  const row = rows[place];
  painter.fill(tile, row, pictures.get(row.id), { place, total, isFocused: place === focused });
}

function refill(id) {
  const place = places.get(id);
  const tile = place === undefined ? undefined : tiles.get(place);
  if (tile) fill(tile, place);
}

function refillPicture(id) {
  const place = places.get(id);
  const tile = place === undefined ? undefined : tiles.get(place);
  if (tile) painter.fillPicture(tile, rows[place], pictures.get(id));
}

// Pictures, in batches: first those in the view.

function askPictures() {
  let missing = 0;
  for (let place = view[0]; place < view[1]; place++) if (!pictures.get(rows[place].id)?.settled) missing += 1;
  grid.dataset.missing = missing; // for tests and measurements: pictures of the view that are not there yet
  pictures.ask(() => {
    const others = [...tiles.keys()].filter((place) => place < view[0] || place >= view[1]).sort((a, b) => a - b);
    const inView = Array.from({ length: view[1] - view[0] }, (_, index) => view[0] + index);
    return [...inView, ...others].map((place) => rows[place]);
  });
}

// Live.

function takeVerdicts(verdicts) {
  verdicts.forEach(takeVerdict);
  showWorse();
  askPictures();
}

function doubtAll() {
  for (const row of rows) stale.add(row.id);
  draw();
}

function takeVerdict(verdict) {
  const place = places.get(verdict.id);
  if (place === undefined) {
    if (isBadNews(verdict)) worse.add(verdict.id);
    else worse.delete(verdict.id);
    return;
  }
  update(rows[place], verdict);
}

function update(row, verdict) {
  stale.delete(row.id);
  if (verdict.visit && verdict.visit < row.visit) return;
  Object.assign(row, verdict);
  if (row.rank > row.listedRank) worse.add(row.id);
  else worse.delete(row.id);
  if (row.fresh) pictures.outdate(row.id);
  refill(row.id);
}

// A camera that is not in the list, got worse since it was made, and belongs into it as far as a verdict tells.
function isBadNews(verdict) {
  const { state, kind, severity } = begun.filter;
  return (
    begun.told && !nextTokenHides(verdict) && verdict.since >= listedAt && verdict.rank >= 2 &&
    (!state || state === verdict.state) && (!kind || verdict.kinds.includes(kind)) && verdict.severity >= severity
  );
}
// What is as good as the last row that is loaded may stand further down the list.
const nextTokenHides = (verdict) => Boolean(nextToken) && rows.length > 0 && verdict.rank < rows[rows.length - 1].listedRank;

function showWorse() {
  const text = worse.size === 1 ? texts.worse_one : words(texts.worse, { number: numbers.format(worse.size) });
  const changed = worse.size && worseButton.textContent !== text;
  setText(worseButton, worse.size ? text : "");
  if (changed) setText(said, text);
}

// After a gap in the stream: what is near the view is asked for again, the rest when it comes near.
async function refreshStale() {
  if (refreshing || !stale.size || pictures.underWay) return; // pictures go first
  const near = [...tiles.keys()].sort((a, b) => a - b).map((place) => rows[place]?.id).filter((id) => stale.has(id)).slice(0, 100);
  if (!near.length) return;
  refreshing = true;
  try {
    const query = near.map((id) => `id=${encodeURIComponent(id)}`).join("&");
    const found = new Map((await fetchJson(`${begun.list.split("?")[0]}?${query}`)).rows.map((row) => [row.id, row]));
    for (const id of near) {
      stale.delete(id);
      const place = places.get(id);
      if (place === undefined) continue;
      if (found.has(id)) update(rows[place], found.get(id));
      else {
        rows[place].gone = true;
        refill(id);
      }
    }
    showWorse();
    refreshing = false;
    draw();
  } catch {
    setTimeout(() => {
      refreshing = false;
      draw();
    }, 3 * AGAIN_MS);
  }
}

// Keys.

function focusTile(place, withFocus = true) {
  if (!rows.length) return;
  const before = focused;
  focused = Math.min(Math.max(0, place), rows.length - 1);
  const line = Math.floor(focused / columns);
  const bar = document.querySelector(".bar")?.offsetHeight ?? 0;
  const top = grid.getBoundingClientRect().top + line * (tileHeight + GAP);
  if (withFocus) {
    if (top < bar + GAP) window.scrollBy(0, top - bar - GAP);
    else if (top + tileHeight > window.innerHeight) window.scrollBy(0, top + tileHeight + GAP - window.innerHeight);
    if (!tiles.has(focused)) addTile(focused);
    tiles.get(focused).parts.link.focus({ preventScroll: true });
  }
  for (const at of [before, focused]) if (tiles.has(at)) tiles.get(at).parts.link.tabIndex = at === focused ? 0 : -1;
  draw();
}

grid.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const linesInView = Math.max(1, Math.floor(window.innerHeight / (tileHeight + GAP)));
  const steps = {
    ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns,
    PageUp: -columns * linesInView, PageDown: columns * linesInView, Home: -focused, End: rows.length,
  };
  const step = steps[event.key];
  if (step === undefined) return;
  event.preventDefault();
  if ((event.key === "ArrowUp" || event.key === "ArrowDown") && (focused + step < 0 || focused + step >= rows.length)) return;
  focusTile(focused + step);
});
grid.addEventListener("focusin", (event) => {
  const id = event.target.closest(".tile")?.dataset.id;
  const place = places.get(id);
  if (place !== undefined && place !== focused) focusTile(place, false);
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea")) return;
  if (event.key === "f") {
    filters.open = !filters.open;
    (filters.open ? filters.querySelector("select") : filters.querySelector("summary")).focus();
    event.preventDefault();
  } else if (event.key === "r") reload();
});
worseButton.addEventListener("click", reload);

// The place is kept for who comes back from a camera.
const PLACE_KEY = `wall ${location.search}`;
addEventListener("pagehide", () => {
  sessionStorage.setItem(PLACE_KEY, JSON.stringify([rows[view[0]]?.id, view[0], rows[focused]?.id]));
  live.disconnect();
});
async function goBack() {
  const [id, place, focusId] = JSON.parse(sessionStorage.getItem(PLACE_KEY) ?? "[]");
  if (performance.getEntriesByType("navigation")[0]?.type !== "back_forward" || !id) return;
  for (let page = 0; page < BACK_PAGES_MAX && nextToken && !places.has(id); page++) await loadMore();
  focusTile(places.get(focusId) ?? places.get(id) ?? Math.min(place, rows.length - 1));
}

grid.replaceChildren();
grid.classList.add("virtual");
document.getElementById("wall-pages").remove();
document.getElementById("wall-keys").hidden = false;
start(begun);
new ResizeObserver(layOut).observe(grid);
addEventListener("scroll", draw, { passive: true });
addEventListener("resize", layOut);
addEventListener("pageshow", (event) => event.persisted && live.connect());
document.addEventListener("visibilitychange", () => (document.hidden ? live.disconnect() : live.connect()));
setInterval(() => {
  if (document.hidden) return;
  for (const [place, tile] of tiles) painter.fillPicture(tile, rows[place], pictures.get(rows[place].id));
  askPictures();
}, AGES_MS);
live.connect();
goBack();
