// Policies with what they have and what they drop.
import { html } from "../vendor/htm-preact.js";
import { useList, useReadings } from "../data/hooks.js";
import { bps, percent } from "../format.js";
import { to } from "../route.js";
import { Spark, Use } from "../ui/bars.js";
import { Badge, Empty, Panel } from "../ui/parts.js";
import { Table } from "../ui/table.js";

const TONES = { active: "ok", waiting: "", short: "bad" };
export const PolicyState = ({ policy }) => html`<${Badge} tone=${TONES[policy.state]} title=${policy.reason}>${policy.state}<//>`;

export const Ends = ({ policy }) => html`<${End} name=${policy.source} /> → <${End} name=${policy.destination} />`;
const End = ({ name }) => (name ? html`<a href=${to("services", name)}>${name}</a>` : html`<span class="muted">anyone</span>`);

/** narrow: without what needs much room. */
export function PoliciesTable({ policies, label, narrow }) {
  const readings = useReadings();
  const reading = (each) => readings.get("policies", each.name) || {};
  const columns = [
    { id: "name", label: "Policy", sort: (each) => each.name, cell: (each) => html`<a href=${to("policies", each.name)}>${each.name}</a>` },
    { id: "state", label: "State", sort: (each) => each.state, cell: (each) => html`<${PolicyState} policy=${each} />` },
    { id: "class", label: "Class", sort: (each) => each.class, cell: (each) => each.class },
    { id: "guaranteed", label: "Guaranteed", n: true, sort: (each) => each.in_force.guaranteed_bps, cell: (each) => bps(each.in_force.guaranteed_bps) },
    { id: "max", label: "Limit", n: true, sort: (each) => each.in_force.max_bps, cell: (each) => bps(each.in_force.max_bps) },
    { id: "by", label: "By", cell: (each) => each.in_force.source !== "policy" && html`<${Badge} tone="accent">${each.in_force.source}<//>` },
    { id: "use", label: "Use of limit", cell: (each) => html`<${Use} part=${reading(each).passed_bps} whole=${each.in_force.max_bps} mark=${each.in_force.guaranteed_bps} />` },
    { id: "passed", label: "Passed", n: true, sort: (each) => reading(each).passed_bps, cell: (each) => bps(reading(each).passed_bps) },
    { id: "spark", label: "Two minutes", cell: (each) => html`<${Spark} values=${readings.history("policies", each.name)} />` },
    { id: "dropped", label: "Dropped", n: true, sort: (each) => reading(each).dropped_bps, cell: (each) => dropped(reading(each)) },
  ];
  return html`<${Table} label=${label} rows=${policies} keyOf=${(each) => each.name} columns=${narrow ? columns.filter((each) => each.id !== "spark") : columns} />`;
}

function dropped({ dropped_bps: rate, offered_bps: offered }) {
  if (!rate) return bps(rate);
  return html`<span class="bad-text">${bps(rate)}</span> <span class="muted">${percent(rate, offered)}</span>`;
}

/** Those that a service is an end of. */
export function OfService({ name }) {
  const found = useList("policies").filter((each) => each.source === name || each.destination === name);
  return html`<${Panel} title="Policies and meters" flush tools=${html`<a href=${to("policies")}>All policies</a>`}>
    ${found.length
      ? html`<${PoliciesTable} policies=${found} label="Policies of this service" narrow />`
      : html`<div class="inside"><${Empty} command=${`prewire policy set to-${name} --to ${name} --max 50M`}>
          No policy is about its traffic: it is of the default class and not limited. To limit it:<//></div>`}
  <//>`;
}
