// Plots the rates of the table below the plot, by day or by hour.

const COLOURS = { light: ["#0b6e4f", "#0550ae", "#b35900", "#6b4ea0", "#5d666f"], dark: ["#4cc38a", "#79b8ff", "#f2a25c", "#c3a6ff", "#aab6c2"] };
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5]];
const HEIGHT = 280;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isDark = () => css("color-scheme") === "dark" || getComputedStyle(document.documentElement).colorScheme === "dark";

function draw(place) {
  const { times, series } = JSON.parse(place.dataset.plot);
  const colours = COLOURS[isDark() ? "dark" : "light"];
  const axis = { stroke: css("--ink"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 } };
  const options = {
    width: place.clientWidth,
    height: HEIGHT,
    padding: [12, 48, 0, 0],
    scales: { x: { time: false }, y: { range: (_, least, most) => [Math.max(0, Math.floor((least ?? 0) - 2)), Math.min(100, Math.ceil((most ?? 100) + 1))] } },
    axes: [
      { ...axis, values: (_, marks) => marks.map((mark) => (Number.isInteger(mark) ? (times[mark] ?? "") : "")), incrs: [1, 2, 5, 7, 10, 14, 30], space: 90 },
      { ...axis, values: (_, marks) => marks.map((mark) => `${mark} %`), size: 60 },
    ],
    series: [
      { label: place.dataset.unit, value: (_, index) => times[index] ?? "–" },
      ...series.map(({ name }, index) => ({
        label: name, stroke: colours[index], dash: DASHES[index], width: 2, points: { show: times.length < 40 },
        value: (_, value) => (value === null ? "–" : `${value.toFixed(1)} %`),
      })),
    ],
  };
  place.replaceChildren();
  const plot = new window.uPlot(options, [times.map((_, index) => index), ...series.map(({ values }) => values)], place);
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
}

const place = document.getElementById("plot");
if (place && window.uPlot) draw(place);
