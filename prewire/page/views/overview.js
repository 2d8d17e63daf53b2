// The whole at a glance: figures, what needs attention, what is busy, what just happened.
import { html } from "../vendor/htm-preact.js";
import { useKind, useList, useNow, useReadings } from "../data/hooks.js";
import { ago, bps, count, number, percent, perSecond } from "../format.js";
import { to } from "../route.js";
import { Spark, States, Use } from "../ui/bars.js";
import { Empty, Head, Panel } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { attention } from "./attention.js";
import { EventLine } from "./event-line.js";
import { uses } from "./link-use.js";

const MOST = 8;

export function Overview() {
  const now = useNow(5000);
  const data = {
    status: useKind("status").get(""),
    services: useList("services"),
    switches: useList("switches"),
    links: useList("links"),
    policies: useList("policies"),
    plans: useList("plans"),
  };
  const requests = useList("prewarm-requests");
  const readings = useReadings();
  return html`
    <${Head} title="Overview" sub=${whose(data.status)} />
    <div class="stack">
      <${Figures} data=${data} requests=${requests} readings=${readings} />
      <div class="columns">
        <div class="w7 stack">
          <${Attention} data=${data} now=${now} />
          <${Busiest} services=${data.services} plans=${useKind("plans")} readings=${readings} />
        </div>
        <div class="w5 stack">
          <${Newest} now=${now} />
          <${BusyLinks} links=${data.links} readings=${readings} />
          <${Dropping} readings=${readings} />
        </div>
      </div>
    </div>`;
}

const whose = (status) =>
  status &&
  html`database <code>${status.database}</code>${status.leader &&
  html`, led by <code>${status.leader}</code>, epoch ${status.epoch}`}`;

function Figures({ data, requests, readings }) {
  const { status, services, switches, links, plans } = data;
  const behind = status?.behind.length || 0;
  const away = switches.filter((each) => !each.connected).length;
  const ready = services.reduce((sum, each) => sum + each.ready, 0);
  const planned = plans.reduce((sum, each) => sum + (each.containers ?? 0), 0);
  const broken = links.filter((each) => each.problem).length;
  const rate = sum(readings.last.services, "new_connections_per_s");
  const inflight = sum(readings.last.services, "inflight");
  const open = requests.filter((each) => ["requested", "accepted"].includes(each.state)).length;
  const late = requests.filter((each) => each.in_time === false).length;
  return html`<div class="figures">
    <${Figure} name="Switches" href=${to("topology")} value=${count(switches.length)}
      note=${away ? `${away} away` : behind ? `${behind} behind` : "all up to date"} tone=${away || behind ? "warn" : ""} />
    <${Figure} name="Links" href=${to("topology")} value=${count(links.length)}
      note=${broken ? `${broken} carry nothing` : "all carry traffic"} tone=${broken ? "bad" : ""} />
    <${Figure} name="Services" href=${to("services")} value=${count(services.length)}
      note=${status?.services_without_containers.length ? `${status.services_without_containers.length} without a container` : "all have containers"}
      tone=${status?.services_without_containers.length ? "bad" : ""} />
    <${Figure} name="Containers ready" href=${to("services")} value=${count(ready)} note=${planned ? `${count(planned)} planned` : "nothing planned"} />
    <${Figure} name="New connections" href=${to("services")} value=${perSecond(rate)} note=${`${number(inflight)} requests in flight`} />
    <${Figure} name="Prewarm" href=${to("plans")} value=${html`${open} <small>open</small>`}
      note=${requests.length ? `${late} late of the last ${requests.length}` : "no request yet"} tone=${late ? "warn" : ""} />
    <${Figure} name="Generation" href=${to("events")} value=${count(status?.generation)} note=${behind ? "not everywhere yet" : "in force everywhere"} />
  </div>`;
}

const Figure = ({ name, value, note, tone = "", href }) => html`
  <a href=${href}>
    <div class="name">${name}</div>
    <div class="value">${value}</div>
    <div class="note ${tone}" title=${note}>${note}</div>
  </a>`;

function sum(rows, field) {
  const known = (rows || []).map((row) => row[field]).filter((value) => value !== null && value !== undefined);
  return known.length ? known.reduce((a, b) => a + b, 0) : null;
}

function Attention({ data, now }) {
  const found = attention(data, now);
  const more = found.length - MOST;
  return html`<${Panel} title="Needs attention" sub=${found.length ? count(found.length) : ""}>
    ${found.length === 0 && html`<${Empty}><span class="dot ok inline"></span> Nothing: switches, links,
      services, policies and plans are as they should be.<//>`}
    <ul class="list">
      ${found.slice(0, MOST).map(
        (each) => html`<li><span class="dot ${each.tone}"></span>
          <span class="grow"><a href=${each.href}>${each.about}</a> <span class="muted">${each.text}</span></span></li>`,
      )}
    </ul>
    ${more > 0 && html`<p class="muted more">and ${more} more, in <a href=${to("services")}>services</a> and ${" "}
      <a href=${to("policies")}>policies</a></p>`}
  <//>`;
}

function Newest({ now }) {
  const events = useKind("events");
  const newest = [...events.keys()].sort().slice(-MOST).reverse();
  return html`<${Panel} title="Latest events" tools=${html`<a href=${to("events")}>All events</a>`}>
    ${newest.length === 0 && html`<${Empty}>Nothing has happened yet.<//>`}
    <ul class="list">${newest.map((key) => html`<${EventLine} key=${key} event=${events.get(key)} when=${ago(events.get(key).at_ms, now)} />`)}</ul>
  <//>`;
}

function Busiest({ services, plans, readings }) {
  const rate = (each) => readings.get("services", each.name)?.new_connections_per_s ?? null;
  const rows = [...services].sort((a, b) => (rate(b) ?? -1) - (rate(a) ?? -1)).slice(0, 12);
  const columns = [
    { id: "name", label: "Service", cell: (each) => html`<a href=${to("services", each.name)}>${each.name}</a>` },
    { id: "rate", label: "New conn.", n: true, cell: (each) => perSecond(rate(each)) },
    { id: "spark", label: "Two minutes", cell: (each) => html`<${Spark} values=${readings.history("services", each.name)} label="new connections of two minutes" />` },
    { id: "inflight", label: "In flight", n: true, cell: (each) => number(readings.get("services", each.name)?.inflight) },
    { id: "states", label: "Containers", cell: (each) => html`<${States} states=${each.states} />` },
    { id: "ready", label: "Ready", n: true, cell: (each) => each.ready },
    { id: "planned", label: "Planned", n: true, cell: (each) => count(plans.get(`services/${each.name}`)?.containers) },
  ];
  return html`<${Panel} title="Busiest services" flush tools=${html`<a href=${to("services")}>All services</a>`}>
    ${services.length === 0
      ? html`<div class="inside"><${Empty} command="prewire service set web --vip 10.0.0.100 --port 80">There is no service yet. State one:<//></div>`
      : html`<${Table} label="Busiest services" columns=${columns} rows=${rows} keyOf=${(each) => each.name} sorted="none" />`}
  <//>`;
}

function BusyLinks({ links, readings }) {
  const rows = uses(links, readings).slice(0, 6);
  const columns = [
    { id: "way", label: "Link", cell: (each) => html`<a href=${to("topology", { link: each.id })}>${each.from} → ${each.to}</a>` },
    { id: "bar", label: "", cell: (each) => html`<${Use} part=${each.bps} whole=${each.capacity} mark=${each.guaranteed} />` },
    { id: "use", label: "Use", n: true, cell: (each) => percent(each.bps, each.capacity) },
    { id: "bps", label: "Rate", n: true, cell: (each) => bps(each.bps) },
  ];
  return html`<${Panel} title="Busiest links" flush tools=${html`<a href=${to("topology")}>Topology</a>`}>
    ${rows.length === 0
      ? html`<div class="inside"><${Empty}>No link between switches is known. Links appear when two connected switches
          hear each other's probes.<//></div>`
      : html`<${Table} label="Busiest links" columns=${columns} rows=${rows} keyOf=${(each) => each.id} sorted="none" />`}
  <//>`;
}

function Dropping({ readings }) {
  const rows = (readings.last.policies || []).filter((each) => each.dropped_bps > 0);
  rows.sort((a, b) => b.dropped_bps - a.dropped_bps);
  const columns = [
    { id: "name", label: "Policy", cell: (each) => html`<a href=${to("policies", each.policy)}>${each.policy}</a>` },
    { id: "drop", label: "Dropped", n: true, cell: (each) => html`<span class="bad-text">${bps(each.dropped_bps)}</span>` },
    { id: "share", label: "of offered", n: true, cell: (each) => percent(each.dropped_bps, each.offered_bps) },
  ];
  return html`<${Panel} title="Over their limit" flush tools=${html`<a href=${to("policies")}>Policies</a>`}>
    ${rows.length === 0
      ? html`<div class="inside"><${Empty}>No policy drops anything now.<//></div>`
      : html`<${Table} label="Policies that drop" columns=${columns} rows=${rows.slice(0, 6)} keyOf=${(each) => each.policy} sorted="none" />`}
  <//>`;
}
