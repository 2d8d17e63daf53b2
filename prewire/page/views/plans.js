// What is planned: containers and rates, prewarm requests, schedules and overrides, predictors.
import { html } from "../vendor/htm-preact.js";
import { useKind, useList, useNow } from "../data/hooks.js";
import { ago, bps, clock, count, duration } from "../format.js";
import { to } from "../route.js";
import { Badge, Empty, Head, Panel, Source } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { RequestState, took } from "./planned.js";

export function View() {
  const now = useNow(2000);
  const plans = [...useKind("plans").values()];
  const requests = useList("prewarm-requests").sort((a, b) => b.requested_ms - a.requested_ms);
  return html`
    <${Head} title="Plans" sub="what predictors, schedules and operators decided" />
    <div class="columns">
      <${Containers} plans=${plans.filter((each) => each.service)} />
      <div class="w5 stack">
        <${Requests} requests=${requests} now=${now} />
        <${Words} now=${now} />
        <${Predictors} now=${now} />
      </div>
      <${Rates} plans=${plans.filter((each) => each.policy)} now=${now} />
    </div>`;
}

function Containers({ plans }) {
  const columns = [
    { id: "service", label: "Service", sort: (each) => each.service, cell: (each) => html`<a href=${to("services", each.service)}>${each.service}</a>` },
    { id: "planned", label: "Planned", n: true, sort: (each) => each.containers, cell: (each) => each.containers },
    { id: "ready", label: "Ready", n: true, sort: (each) => each.ready, cell: (each) => each.ready },
    { id: "missing", label: "Missing", n: true, sort: (each) => Math.max(0, each.containers - each.present), cell: (each) => missing(each) },
    { id: "source", label: "By", sort: (each) => each.source, cell: (each) => html`<${Source} source=${each.source} /> ${each.stale && html`<${Badge} tone="warn">stale<//>`}` },
    { id: "why", label: "Because", text: true, cell: (each) => each.reason },
  ];
  return html`<${Panel} wide="w7" title="Containers" sub=${count(plans.length)} flush>
    ${plans.length
      ? html`<${Table} label="Plans of containers" columns=${columns} rows=${plans} keyOf=${(each) => each.service} sorted="-missing" most=${40} />`
      : html`<div class="inside"><${Empty} command="prewire scaling set web --concurrency 4 --max 20">Nothing is planned. Plan ahead of a service's load:<//></div>`}
  <//>`;
}

function missing(plan) {
  const lacks = plan.containers - plan.present;
  return lacks > 0 ? html`<b class="warn-text">${lacks}</b>` : "0";
}

function Rates({ plans, now }) {
  const columns = [
    { id: "policy", label: "Policy", sort: (each) => each.policy, cell: (each) => html`<a href=${to("policies", each.policy)}>${each.policy}</a>` },
    { id: "max", label: "Limit", n: true, sort: (each) => each.max_bps, cell: (each) => bps(each.max_bps) },
    { id: "guaranteed", label: "Guarantee", n: true, sort: (each) => each.guaranteed_bps, cell: (each) => bps(each.guaranteed_bps) },
    { id: "force", label: "In force", n: true, cell: (each) => (each.in_force ? html`${bps(each.in_force.max_bps)} <${Badge} tone=${each.in_force.source === "policy" ? "" : "accent"}>${each.in_force.source}<//>` : "–") },
    { id: "until", label: "Holds", n: true, cell: (each) => (each.until_ms > now ? duration(each.until_ms - now) : "no longer") },
    { id: "source", label: "By", cell: (each) => html`<${Source} source=${each.source} />` },
    { id: "why", label: "Because", text: true, cell: (each) => each.refused || each.reason },
  ];
  return html`<${Panel} title="Rates" sub=${count(plans.length)} flush>
    ${plans.length
      ? html`<${Table} label="Plans of rates" columns=${columns} rows=${plans} keyOf=${(each) => each.policy} />`
      : html`<div class="inside"><${Empty} command="prewire provisioning set POLICY --rates both">No policy's rates follow its load. Let them:<//></div>`}
  <//>`;
}

function Requests({ requests, now }) {
  const columns = [
    { id: "service", label: "Service", cell: (each) => html`<a href=${to("services", each.service)}>${each.service}</a>` },
    { id: "missing", label: "More", n: true, cell: (each) => each.missing },
    { id: "state", label: "State", cell: (each) => html`<${RequestState} request=${each} /> ${each.in_time === false && html`<${Badge} tone="warn">late<//>`}` },
    { id: "took", label: "Took", cell: (each) => html`<span class="muted">${took(each)}</span>` },
    { id: "when", label: "Asked", n: true, cell: (each) => ago(each.requested_ms, now) },
  ];
  return html`<${Panel} title="Prewarm requests" sub=${count(requests.length)} flush>
    ${requests.length
      ? html`<${Table} label="Prewarm requests" columns=${columns} rows=${requests} keyOf=${(each) => each.id} sorted="none" tall />`
      : html`<div class="inside"><${Empty}>None yet: requests are made when a plan needs containers that are not there.<//></div>`}
  <//>`;
}

function Words({ now }) {
  const schedules = useList("schedules");
  const overrides = useList("overrides").filter((each) => each.until_ms > now);
  return html`<${Panel} title="Overrides and schedules">
    ${!schedules.length && !overrides.length && html`<${Empty} command="prewire override set service web --containers 30 --for 20m">None. An operator's word for a while:<//>`}
    <ul class="list">
      ${overrides.map((each) => html`<li><span class="grow"><${Badge} tone="warn">override<//> <a href=${to(each.kind === "service" ? "services" : "policies", each.name)}>${each.name}</a>: ${amount(each)}
        <span class="muted"> ${each.reason}</span></span><span class="muted nowrap">for ${duration(each.until_ms - now)}</span></li>`)}
      ${schedules.map((each) => html`<li><span class="grow"><${Badge}>schedule<//> ${each.name}: ${amount(each)} <span class="muted">for ${each.service || each.policy}, <code>${each.cron}</code> ${each.timezone}</span></span>
        <span class="muted nowrap">${each.holds_until_ms ? `until ${clock(each.holds_until_ms, now)}` : each.next_ms ? `at ${clock(each.next_ms, now)}` : "never again"}</span></li>`)}
    </ul>
  <//>`;
}

const amount = (each) =>
  [each.containers !== null && `${each.containers} containers`, each.max_bps !== null && `limit ${bps(each.max_bps)}`, each.guaranteed_bps !== null && `guarantee ${bps(each.guaranteed_bps)}`]
    .filter(Boolean)
    .join(", ");

function Predictors({ now }) {
  const all = useList("predictors");
  return html`<${Panel} title="Predictors">
    ${!all.length && html`<${Empty} command="prewire predictor">No predictor runs, so nothing is forecast. Start one:<//>`}
    <ul class="list">${all.map((each) => html`<li><span class="dot ok"></span><span class="grow">${each.name} <span class="muted">minds ${each.services} services in ${each.shards.length} shards</span></span>
      <span class="muted nowrap">since ${ago(each.since_ms, now)}</span></li>`)}</ul>
  <//>`;
}
