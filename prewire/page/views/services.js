// All services; or one of them.
import { h, html, useState } from "../vendor/htm-preact.js";
import { useKind, useList, useReadings } from "../data/hooks.js";
import { bps, count, number, perSecond } from "../format.js";
import { setQuery, to } from "../route.js";
import { Spark, States } from "../ui/bars.js";
import { Badge, Empty, Filter, Head, Panel, Source } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { ServicePage } from "./service.js";

export const View = ({ parts, query }) =>
  parts.length ? h(ServicePage, { key: parts[0], name: parts[0] }) : h(Services, { query });

function Services({ query }) {
  const [filter, setFilter] = useState(query.get("filter") || "");
  const services = useList("services");
  const plans = useKind("plans");
  const readings = useReadings();
  const reading = (each) => readings.get("services", each.name);
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = services.filter((each) => words.every((word) => textOf(each).includes(word)));
  const change = (text) => (setFilter(text), setQuery({ filter: text }));
  return html`
    <${Head} title="Services" sub=${rows.length === services.length ? count(services.length) : `${rows.length} of ${services.length}`}
      tools=${html`<${Filter} label="Filter by name, address or state" value=${filter} change=${change} />`} />
    <${Panel} title="By name" flush sub="rates are of the last two readings of the switches">
      ${rows.length
        ? html`<${Table} label="Services" rows=${rows} keyOf=${(each) => each.name} columns=${columns(reading, plans, readings)} />`
        : html`<div class="inside">${nothing(services, filter)}</div>`}
    <//>`;
}

const nothing = (services, filter) =>
  services.length
    ? html`<${Empty}>No service fits “${filter}”. Names, addresses, ports and states of containers are looked at.<//>`
    : html`<${Empty} command="prewire service set web --vip 10.0.0.100 --port 80">There is no service yet. State one:<//>`;

const textOf = (each) =>
  `${each.name} ${each.vip}:${each.port} ${each.protocol} ${each.mode} ${each.policy} ${Object.keys(each.states).join(" ")}`.toLowerCase();

const columns = (reading, plans, readings) => [
  { id: "name", label: "Service", sort: (each) => each.name, cell: (each) => html`<a href=${to("services", each.name)}>${each.name}</a>` },
  { id: "vip", label: "VIP", sort: (each) => each.vip, cell: (each) => html`<code>${each.vip}:${each.port}</code> <span class="muted">${each.protocol}</span>` },
  { id: "states", label: "Containers", cell: (each) => html`<${States} states=${each.states} />` },
  { id: "ready", label: "Ready", n: true, sort: (each) => each.ready, cell: (each) => (each.ready ? each.ready : html`<${Badge} tone="bad">none<//>`) },
  { id: "planned", label: "Planned", n: true, sort: (each) => plans.get(`services/${each.name}`)?.containers, cell: (each) => count(plans.get(`services/${each.name}`)?.containers) },
  { id: "source", label: "By", cell: (each) => plans.has(`services/${each.name}`) && html`<${Source} source=${plans.get(`services/${each.name}`).source} />` },
  { id: "rate", label: "New conn.", n: true, sort: (each) => reading(each)?.new_connections_per_s, cell: (each) => perSecond(reading(each)?.new_connections_per_s) },
  { id: "spark", label: "Two minutes", cell: (each) => html`<${Spark} values=${readings.history("services", each.name)} />` },
  { id: "inflight", label: "In flight", n: true, sort: (each) => reading(each)?.inflight, cell: (each) => number(reading(each)?.inflight) },
  { id: "from", label: "Sent", n: true, sort: (each) => reading(each)?.from_bps, cell: (each) => bps(reading(each)?.from_bps) },
  { id: "balance", label: "Balancing", sort: (each) => each.policy, cell: (each) => html`<span class="muted">${each.policy.replace("_", " ")}${each.mode === "stateless" ? ", stateless" : ""}</span>` },
];
