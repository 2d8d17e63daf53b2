// Offered load against forecast quantiles, and what the plan has room for.
import { html } from "../vendor/htm-preact.js";
import { useAsked } from "../data/hooks.js";
import { part } from "../data/rest.js";
import { clock } from "../format.js";
import { Chart } from "../draw/chart.js";
import { Empty, Panel, Trouble } from "../ui/parts.js";

const EVERY_MS = 10_000;

/** kind: service or policy; room: {label, value} of the plan in force, or null. */
export function Load({ kind, name, room, format, unit, wide }) {
  const past = useAsked(`v1/series/${part(name)}`, { kind, steps: 90 }, EVERY_MS);
  const ahead = useAsked(`v1/forecasts/${part(name)}`, { kind }, EVERY_MS);
  const problem = past.problem || ahead.problem;
  const sub = ahead.answer && `${unit}; forecast of ${clock(ahead.answer.made_ms)} by ${ahead.answer.model}${ahead.answer.stale ? ", stale" : ""}`;
  return html`<${Panel} wide=${wide} title="Load and forecast" sub=${sub || unit}>
    ${past.answer || ahead.answer
      ? html`<${Chart} ...${merged(past.answer, ahead.answer, room)} format=${format}
          label="load of the last 90 minutes, and quantiles of the forecast" />`
      : problem
        ? html`<${Missing} problem=${problem} kind=${kind} name=${name} />`
        : html`<p class="empty">Asking the predictor…</p>`}
  <//>`;
}

const Missing = ({ problem, kind, name }) =>
  problem.status === 503
    ? html`<${Empty} command=${kind === "service" ? `prewire scaling set ${name}` : `prewire provisioning set ${name}`}>
        ${problem.detail}. ${problem.remedy}. A predictor learns what has ${kind === "service" ? "a scaling" : "a provisioning"}:<//>`
    : html`<${Trouble} problem=${problem} tone="warn" />`;

/** Both on one axis of time: the last known load is where quantiles begin. */
function merged(past, ahead, room) {
  const times = [];
  const load = [];
  if (past) {
    const end = past.end_ms / 1000;
    past.values.forEach((value, place) => {
      times.push(end - (past.values.length - 1 - place) * past.step_s);
      load.push(value);
    });
  }
  const now = past ? past.end_ms / 1000 : ahead.made_ms / 1000;
  const columns = (ahead?.quantiles || []).map((quantile) => ({ quantile, values: times.map(() => null) }));
  ahead?.horizons.forEach((horizon, row) => {
    const at = ahead.made_ms / 1000 + horizon * ahead.step_s;
    if (at <= now) return;
    times.push(at);
    load.push(null);
    columns.forEach((column, place) => column.values.push(ahead.values[row][place]));
  });
  const lines = [{ label: "load", colour: "--text", values: load, width: 1.6 }, ...columns.map(quantileLine)];
  if (room) lines.push({ label: room.label, colour: "--ok", values: times.map((at) => (at >= now ? room.value : null)), dash: [5, 4] });
  const band = columns.length > 1 ? [columns.length, 1] : null;
  return { times, lines, band, now };
}

function quantileLine({ quantile, values }, place) {
  const label = `p${String(Number((quantile * 100).toFixed(1))).replace(".", "")}`;
  const first = values.find((each) => each !== null);
  return { label, colour: place === 0 ? "--p50" : "--p99", values, width: place === 1 ? 1 : 1.4, dash: place === 1 ? [2, 3] : undefined, now: first };
}
