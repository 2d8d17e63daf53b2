// Small pieces that all views are made of. Text of the server is always put in as text.
import { html } from "../vendor/htm-preact.js";
import { useConnection } from "../data/hooks.js";

export const Panel = ({ title, sub, tools, flush, wide = "", children }) => html`
  <section class="panel ${wide}">
    <header>
      <h2>${title}</h2>
      ${sub && html`<span class="sub">${sub}</span>`}
      ${tools && html`<div class="tools">${tools}</div>`}
    </header>
    <div class=${flush ? "flush" : "inside"}>${children}</div>
  </section>`;

export const Head = ({ title, sub, crumb, tools }) => html`
  <div class="head">
    ${crumb && html`<div class="crumb">${crumb}</div>`}
    <h1>${title}</h1>
    ${sub && html`<span class="sub">${sub}</span>`}
    ${tools && html`<div class="tools">${tools}</div>`}
  </div>`;

export const Badge = ({ tone = "", title, children }) =>
  html`<span class="badge ${tone}" title=${title}>${children}</span>`;

/** What is not there, and what to do next; while data still comes, that it does. */
export function Empty({ children, command }) {
  if (!useConnection().heardAt) return html`<p class="empty">Loading…</p>`;
  return html`<div class="empty">
    <p>${children}</p>
    ${command && html`<p><code>${command}</code></p>`}
  </div>`;
}

/** A problem, and its remedy. */
export const Trouble = ({ problem, tone = "bad" }) =>
  problem &&
  html`<div class="notice ${tone}" role="alert">
    <b>${problem.title}</b> <span>${problem.detail}</span>
    ${problem.remedy && html`<span class="remedy">${problem.remedy}</span>`}
  </div>`;

/** [[name, value], ...]; those of undefined are left out. */
export const Facts = ({ rows }) => html`
  <dl class="facts">
    ${rows
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}
  </dl>`;

/** One of several ways to see something: options are [value, label]. */
export const Segments = ({ label, options, value, choose }) => html`
  <div class="seg" role="group" aria-label=${label}>
    ${options.map(
      ([each, text]) => html`<button type="button" aria-pressed=${each === value ? "true" : "false"}
        onClick=${() => choose(each)}>${text}</button>`,
    )}
  </div>`;

export const Filter = ({ label, value, change }) => html`
  <input class="filter" type="search" aria-label=${label} placeholder=${label} value=${value}
    onInput=${(event) => change(event.target.value)} />`;

const TONES = { ready: "ok", warming: "ok", draining: "quiet", idle: "quiet", full: "warn" };
export const stateTone = (state) => TONES[state] || "bad";

const SOURCE_TONES = { forecast: "accent", dependency: "accent", override: "warn", limit: "warn" };
export const Source = ({ source }) =>
  html`<${Badge} tone=${SOURCE_TONES[source] || ""}>${source}<//>`;
