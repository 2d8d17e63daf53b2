// One service: load against forecast, containers and slots, plan and prewarm, policies, neighbours.
import { html, useState } from "../vendor/htm-preact.js";
import { useAsked, useContainers, useKind, useList, useNow, useReadings } from "../data/hooks.js";
import { part } from "../data/rest.js";
import { bps, clock, count, number, perSecond } from "../format.js";
import { to } from "../route.js";
import { Badge, Empty, Facts, Head, Panel, Trouble } from "../ui/parts.js";
import { EventLine } from "./event-line.js";
import { Load } from "./load.js";
import { Containers, Slots } from "./containers.js";
import { toService, written } from "./packet.js";
import { OfService } from "./policies-table.js";
import { Planned } from "./planned.js";

export function ServicePage({ name }) {
  const service = useKind("services").get(name);
  const crumb = html`<a href=${to("services")}>Services</a>`;
  if (!service) {
    return html`<${Head} title=${name} crumb=${crumb} />
      <${Panel} title="There is no such service">
        <${Empty} command=${`prewire service set ${name} --vip 10.0.0.100 --port 80`}>It was deleted, or never stated. To state it:<//>
      <//>`;
  }
  return html`<${Known} service=${service} crumb=${crumb} />`;
}

function Known({ service, crumb }) {
  const { name } = service;
  const { containers, state } = useContainers(name);
  const [shown, show] = useState("");
  const reading = useReadings().get("services", name) || {};
  const plan = useKind("plans").get(`services/${name}`);
  const scaling = useKind("scalings").get(name);
  const held = containers.map((each) => `${each.id}:${each.slots}`).join();
  const slots = useAsked(`v1/services/${part(name)}/slots`, {}, 0, held);
  const room = plan && scaling && { label: `room for ${plan.containers} planned`, value: plan.containers * scaling.concurrency };
  return html`
    <${Head} title=${name} crumb=${crumb} tools=${html`<a href=${explainLink(service)}>Explain a packet to it</a>`}
      sub=${html`<code>${service.vip}:${service.port}</code> ${service.protocol}`} />
    ${state.phase === "lost" && html`<${Trouble} tone="warn" problem=${state.problem} />`}
    <div class="stack">
      <${Figures} service=${service} reading=${reading} plan=${plan} />
      <div class="columns">
        <div class="w8 stack">
          <${Load} kind="service" name=${name} room=${room} format=${number} unit="requests worked at" />
          <${Containers} containers=${containers} service=${name} shown=${shown} show=${show} waiting=${state.phase === "connecting"} />
          <${OfService} name=${name} />
        </div>
        <div class="w4 stack">
          <${Planned} service=${name} plan=${plan} scaling=${scaling} />
          <${Slots} slots=${slots} containers=${containers} shown=${shown} show=${show} />
          <${Stated} service=${service} />
          <${Neighbours} name=${name} />
          <${Happened} name=${name} />
        </div>
      </div>
    </div>`;
}

const explainLink = (service) => to("explain", { packet: written(toService(service)) });

function Figures({ service, reading, plan }) {
  const draining = service.draining ? `${service.draining} draining` : "none draining";
  const cells = [
    ["Ready", service.ready, draining],
    ["Planned", plan ? plan.containers : "–", plan ? `by ${plan.source}` : "no scaling"],
    ["New connections", perSecond(reading.new_connections_per_s), `${perSecond(reading.refused_per_s)} refused`],
    ["In flight", number(reading.inflight), "requests worked at"],
    ["To it", bps(reading.to_bps), "from clients"],
    ["From it", bps(reading.from_bps), "to clients"],
  ];
  return html`<div class="figures">${cells.map(
    ([label, value, note]) => html`<div><div class="name">${label}</div><div class="value">${value}</div><div class="note">${note}</div></div>`,
  )}</div>`;
}

function Stated({ service }) {
  const { health, ejection, canary } = service;
  const ports = service.extra_ports.map((each) => `${each.port}/${each.protocol} → ${each.target}`).join(", ");
  const check = health ? `${health.kind}${health.kind === "http" ? ` ${health.path}` : ""} each ${health.interval_ms} ms` : "none";
  const rows = [
    ["Balancing", service.policy.replace("_", " ")],
    ["Mode", service.mode],
    ["Further ports", ports || undefined],
    ["Check", check],
    ["Ejection", ejection ? `at ${ejection.failure_percent} % failed` : undefined],
    ["Canary", canary ? `${canary.version} at ${canary.present_percent} % of ${canary.percent} %` : undefined],
    ["Slow start", service.slow_start_seconds ? `${service.slow_start_seconds} s` : undefined],
    ["Without containers", service.on_empty === "hold" ? "connections wait" : "connections are reset"],
    ["Locality", service.locality === "prefer" ? "prefers the client's switch" : undefined],
    ["Clients enter by", service.switches.length ? service.switches.join(", ") : undefined],
    ["At most", service.max_connections ? `${count(service.max_connections)} connections` : undefined],
    ["Generation", service.generation],
  ];
  return html`<${Panel} title="As stated"><${Facts} rows=${rows} />
    ${service.demand && html`<p class="bad-text">Wanted without a container at ${clock(service.demand.at_ms)}</p>`}<//>`;
}

function Neighbours({ name }) {
  const found = useList("dependencies").filter((each) => each.parent === name || each.child === name);
  return html`<${Panel} title="Dependencies" tools=${html`<a href=${to("dependencies", { service: name })}>Graph</a>`}>
    ${found.length === 0 && html`<${Empty} command=${`prewire dependency pin ${name} OTHER`}>None is known. They are learned from
      surges that follow each other; or say so:<//>`}
    <ul class="list">${found.map((each) => {
      const other = each.parent === name ? each.child : each.parent;
      const lag = each.lag_ms === null ? "" : ` by ${each.lag_ms} ms`;
      return html`<li><span class="grow">${each.parent === name ? "precedes" : "follows"} <a href=${to("services", other)}>${other}</a>${lag}</span>
        <${Badge} tone=${each.source === "banned" ? "bad" : each.source === "pinned" ? "accent" : ""}>${each.source}<//></li>`;
    })}</ul>
  <//>`;
}

function Happened({ name }) {
  const now = useNow(10_000);
  const events = useKind("events");
  const found = [...events.values()].filter((each) => each.name === name || each.name.startsWith(`${name}/`));
  const newest = found.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, 6);
  return html`<${Panel} title="Events" tools=${html`<a href=${to("events", { text: name })}>All</a>`}>
    ${newest.length === 0 && html`<${Empty}>Nothing happened to it lately.<//>`}
    <ul class="list">${newest.map((each) => html`<${EventLine} key=${each.id} event=${each} when=${clock(each.at_ms, now)} />`)}</ul>
  <//>`;
}
