// The page of a camera: plots of its figures, and a check that tells each of its steps.

const HEIGHT_PX = 180;
const LINES = "application/x-ndjson";
const RELOAD_MS = 60_000;

const form = document.getElementById("check");
const progress = document.getElementById("check-progress");

function showText(text, className) {
  const box = document.createElement("p");
  box.className = `card ${className}`;
  box.textContent = text;
  progress.replaceChildren(box);
}

async function check() {
  const button = form.querySelector("button");
  if (button.disabled) return;
  button.disabled = true;
  showText(progress.dataset.begun, "dim");
  let ended = false;
  try {
    const reply = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: LINES, "HX-Request": "true" },
    });
    if (!reply.ok) {
      progress.innerHTML = await reply.text(); // a part that the console rendered and escaped
      return;
    }
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const step = JSON.parse(line);
        progress.innerHTML = step.html; // as above
        ended = step.last;
      }
    }
    if (!ended) showText(progress.dataset.failed, "notice");
  } catch {
    showText(progress.dataset.failed, "notice");
  } finally {
    button.disabled = false;
    window.htmx?.trigger("#now", "back");
    loadPlots();
  }
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  check();
});

// The part with the picture refreshes; it is exchanged once its new picture is there, so that nothing flickers.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr, shouldSwap } = event.detail;
  if (target.id !== "now" || !shouldSwap) return;
  event.detail.shouldSwap = false;
  const html = xhr.responseText;
  const source = new DOMParser().parseFromString(html, "text/html").querySelector("img")?.getAttribute("src");
  const exchange = () => {
    const now = document.getElementById("now");
    if (now) window.htmx.swap(now, html, { swapStyle: "outerHTML" });
  };
  if (!source) {
    exchange();
    return;
  }
  const picture = new Image();
  picture.addEventListener("load", exchange);
  picture.addEventListener("error", exchange);
  picture.src = source;
});

// Plots. Colours are those of the style sheet, so that they follow the theme.
const place = document.getElementById("plots");
const clock = (options) => {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: place.dataset.zone, hour12: false, ...options });
  return (seconds) => (seconds === null ? "–" : format.format(new Date(seconds * 1000)));
};
const HOURS = { hour: "2-digit", minute: "2-digit" };
const DAYS = { month: "2-digit", day: "2-digit" };
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
let plots = [];

function limitLines(values) {
  return (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = colour("--fault");
    ctx.setLineDash([6, 4]);
    ctx.lineWidth = devicePixelRatio;
    for (const value of values) {
      const y = plot.valToPos(value, "y", true);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  };
}

function bandBehind([low, high]) {
  return (plot) => {
    const { ctx, bbox } = plot;
    const top = plot.valToPos(high, "y", true);
    ctx.save();
    ctx.fillStyle = colour("--ok-back");
    ctx.fillRect(bbox.left, top, bbox.width, plot.valToPos(low, "y", true) - top);
    ctx.restore();
  };
}

function addPlot(title, figures, values, limits, band) {
  const box = document.createElement("div");
  box.className = "plot";
  box.setAttribute("role", "img");
  const known = values.filter((value) => value !== null);
  const latest = known.length ? known[known.length - 1].toFixed(0) : "–";
  const said = limits.length ? `, ${place.dataset.limit} ${limits.map((limit) => limit.toFixed(0)).join(", ")}` : "";
  box.setAttribute("aria-label", `${title}: ${latest}${said}`);
  const heading = document.createElement("h3");
  heading.textContent = title;
  const legend = document.createElement("p");
  legend.className = "hint";
  legend.textContent = [
    limits.length ? `- - ${place.dataset.limit} ${limits.map((limit) => limit.toFixed(0)).join(", ")}` : "",
    band.length ? `▮ ${place.dataset.band} (${band[0].toFixed(0)}–${band[1].toFixed(0)} %)` : "",
  ].filter(Boolean).join("   ");
  box.append(heading, legend);
  place.append(box);
  const most = Math.max(100, ...known, ...limits);
  const span = figures.times[figures.times.length - 1] - figures.times[0];
  const tick = clock(span < 86_400 ? HOURS : span < 5 * 86_400 ? { ...DAYS, ...HOURS } : DAYS);
  const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const options = {
    width: Math.max(240, box.clientWidth),
    height: HEIGHT_PX,
    padding: [8, 24, 0, 0],
    scales: { y: { range: [0, most * 1.05] } },
    axes: [{ ...axis, space: 60, values: (_, splits) => splits.map(tick) }, { ...axis, size: 44 }],
    series: [
      { label: place.dataset.time, value: (_, seconds) => clock({ ...DAYS, ...HOURS, second: "2-digit" })(seconds) },
      { label: title, stroke: colour("--accent"), width: 1.5, points: { show: known.length < 60, size: 5 }, spanGaps: false },
    ],
    hooks: { drawClear: band.length ? [bandBehind(band)] : [], draw: limits.length ? [limitLines(limits)] : [] },
  };
  plots.push([box, new window.uPlot(options, [figures.times, values], box)]);
}

async function loadPlots() {
  if (!place) return;
  let figures;
  try {
    const reply = await fetch(place.dataset.source, { cache: "no-store" });
    if (!reply.ok) throw new Error(String(reply.status));
    figures = await reply.json();
  } catch {
    if (!plots.length) place.textContent = place.dataset.failed;
    return;
  }
  plots.forEach(([, plot]) => plot.destroy());
  plots = [];
  place.replaceChildren();
  const words = place.dataset;
  const has = (values) => values.some((value) => value !== null);
  for (const score of ["sharpness", "exposure", "occlusion"]) {
    if (has(figures[score])) addPlot(words[score], figures, figures[score], figures.limits[score], []);
  }
  if (has(figures.usual)) addPlot(words.usual, figures, figures.usual, [], figures.band);
  if (!plots.length) place.textContent = words.empty;
  place.dataset.points = figures.times.length;
}

addEventListener("load", loadPlots);
addEventListener("resize", () => {
  for (const [box, plot] of plots) plot.setSize({ width: Math.max(240, box.clientWidth), height: HEIGHT_PX });
});
document.addEventListener("patrol:back", loadPlots);
setInterval(() => {
  if (!document.hidden) loadPlots();
}, RELOAD_MS);
