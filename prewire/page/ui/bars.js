// Bars and sparklines: how much of how much, and how it went.
import { html } from "../vendor/htm-preact.js";
import { percent } from "../format.js";
import { stateTone } from "./parts.js";

const WARN = 0.7;
const FULL = 0.9;

export const toneOf = (part) => (part >= FULL ? "bad" : part >= WARN ? "warn" : "");

/** Use of a capacity; mark: another part of it, as what is guaranteed. */
export function Use({ part, whole, mark, label, wide }) {
  const share = part === null || part === undefined || !whole ? 0 : Math.min(part / whole, 1);
  const text = `${label || "use"} ${percent(part, whole)}`;
  return html`<span class="meterbar ${wide ? "wide" : ""}" role="img" aria-label=${text} title=${text}>
    <i class=${toneOf(share)} style=${{ width: `${share * 100}%` }}></i>
    ${mark > 0 && whole > 0 && html`<b style=${{ left: `${Math.min(mark / whole, 0.99) * 100}%` }}></b>`}
  </span>`;
}

/** Containers by state, as parts of a whole. */
export function States({ states }) {
  const there = Object.entries(states).filter(([, each]) => each > 0);
  const text = there.map(([state, each]) => `${each} ${state}`).join(", ") || "no container";
  return html`<span class="parts" role="img" aria-label=${text} title=${text}>
    ${there.map(([state, each]) => html`<i class=${stateTone(state)} style=${{ flex: each }}></i>`)}
  </span>`;
}

/** The last values of something, the newest at the right. */
export function Spark({ values, width = 84, height = 18, label = "" }) {
  const known = values.filter((value) => value !== null && value !== undefined);
  if (known.length < 2) return html`<svg class="spark" width=${width} height=${height} aria-hidden="true"></svg>`;
  const top = Math.max(...known, 1e-9);
  const step = width / Math.max(values.length - 1, 1);
  const points = [];
  values.forEach((value, place) => {
    if (value === null || value === undefined) return;
    points.push(`${(place * step).toFixed(1)} ${(height - 1 - (value / top) * (height - 3)).toFixed(1)}`);
  });
  const line = `M${points.join("L")}`;
  const [firstX] = points[0].split(" ");
  const [lastX] = points.at(-1).split(" ");
  return html`<svg class="spark" width=${width} height=${height} role="img" aria-label=${label}>
    <path class="fill" d=${`${line}L${lastX} ${height}L${firstX} ${height}Z`} />
    <path d=${line} />
  </svg>`;
}
