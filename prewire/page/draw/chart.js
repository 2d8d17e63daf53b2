// A load with what was forecast of it, drawn by uPlot.
import { html, useEffect, useRef } from "../vendor/htm-preact.js";
import { colours, listenTheme } from "../theme.js";

let library = null;

/** uPlot, and its style sheet; loaded once, when the first chart is drawn. */
function loadLibrary() {
  library ??= import("../vendor/uplot.js").then((module) => {
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = new URL("../vendor/uplot.css", import.meta.url).href;
    document.head.append(sheet);
    return module.default;
  });
  return library;
}

/** lines: [{label, colour (a variable of the theme), values, width?, dash?, stepped?}]; times in
 * seconds; band: [upper, lower] places of lines to fill between; format: of values. */
export function Chart({ times, lines, band, format, now, label, height = 230 }) {
  const place = useRef(null);
  const held = useRef({ chart: null, shape: "" });
  const shape = JSON.stringify([lines.map((line) => line.label), band]);
  const wanted = useRef(null);
  wanted.current = { times, lines, band, format, now, height };

  useEffect(() => {
    let gone = false;
    const draw = async () => {
      const uPlot = await loadLibrary();
      if (gone || !place.current) return;
      held.current.chart?.destroy();
      const { times: x, lines: all } = wanted.current;
      const chart = new uPlot(options(uPlot, wanted, place.current.clientWidth), [x, ...all.map((line) => line.values)], place.current);
      held.current = { chart, shape };
    };
    draw();
    const resized = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry.contentRect.width);
      if (held.current.chart && width) held.current.chart.setSize({ width, height });
    });
    resized.observe(place.current);
    const unlisten = listenTheme(draw);
    return () => {
      gone = true;
      unlisten();
      resized.disconnect();
      held.current.chart?.destroy();
      held.current = { chart: null, shape: "" };
    };
  }, [shape]);

  useEffect(() => {
    const { chart, shape: drawn } = held.current;
    if (chart && drawn === shape) chart.setData([times, ...lines.map((line) => line.values)]);
  }, [times, lines]);

  return html`<div>
    <ul class="legend">
      ${lines.map((line) => html`<li><i style=${{ background: `var(${line.colour})` }}></i>${line.label}${" "}<b>${last(line, format)}</b></li>`)}
    </ul>
    <div class="chart" ref=${place} role="img" aria-label=${label}></div>
  </div>`;
}

function last({ values, now: at }, format) {
  const value = at ?? [...values].reverse().find((each) => each !== null && each !== undefined);
  return value === undefined ? "" : format(value);
}

function options(uPlot, wanted, width) {
  const { lines, band, height } = wanted.current;
  const names = { text: "--muted", grid: "--line", mark: "--quiet", fill: "--band" };
  const found = colours(Object.assign(names, ...lines.map((line, each) => ({ [`line${each}`]: line.colour }))));
  const axis = { stroke: found.text, grid: { stroke: found.grid, width: 1 }, ticks: { stroke: found.grid, width: 1 }, font: "11px system-ui, sans-serif" };
  const format = (value) => (value === null || value === undefined ? "" : wanted.current.format(value));
  return {
    width: Math.floor(width),
    height,
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, __, top) => [0, Math.max(top, 1e-6) * 1.08] } },
    axes: [
      { ...axis, size: 30, values: (_, splits) => splits.map((at) => new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })) },
      { ...axis, size: 66, values: (_, splits) => splits.map(format) },
    ],
    series: [
      {},
      ...lines.map((line, each) => ({
        label: line.label,
        stroke: found[`line${each}`],
        width: line.width || 1.5,
        dash: line.dash,
        points: { show: false },
        paths: line.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined,
      })),
    ],
    bands: band ? [{ series: [band[0] + 1, band[1] + 1], fill: found.fill }] : [],
    hooks: { drawAxes: [(chart) => mark(chart, wanted.current.now, found.mark)] },
  };
}

/** A line where now is. */
function mark(chart, now, colour) {
  if (!now) return;
  const x = Math.round(chart.valToPos(now, "x", true));
  const { top, height } = chart.bbox;
  chart.ctx.save();
  chart.ctx.strokeStyle = colour;
  chart.ctx.setLineDash([3, 3]);
  chart.ctx.beginPath();
  chart.ctx.moveTo(x, top);
  chart.ctx.lineTo(x, top + height);
  chart.ctx.stroke();
  chart.ctx.restore();
}
