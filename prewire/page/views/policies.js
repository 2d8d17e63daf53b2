// All policies; or one of them with its meters.
import { h, html, useState } from "../vendor/htm-preact.js";
import { useKind, useList, useNow, useReadings } from "../data/hooks.js";
import { bps, clock, count, duration, percent } from "../format.js";
import { setQuery, to } from "../route.js";
import { Badge, Empty, Facts, Filter, Head, Panel } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { Load } from "./load.js";
import { Ends, PoliciesTable, PolicyState } from "./policies-table.js";

export const View = ({ parts, query }) =>
  parts.length ? h(PolicyPage, { key: parts[0], name: parts[0] }) : h(Policies, { query });

function Policies({ query }) {
  const [filter, setFilter] = useState(query.get("filter") || "");
  const all = useList("policies");
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = all.filter((each) => words.every((word) => `${each.name} ${each.class} ${each.state}`.toLowerCase().includes(word)));
  const change = (text) => (setFilter(text), setQuery({ filter: text }));
  return html`
    <${Head} title="Policies" sub=${count(rows.length)} tools=${html`<${Filter} label="Filter by name, class or state" value=${filter} change=${change} />`} />
    <div class="stack">
      <${Panel} title="Rates in force and what passes" flush sub="the mark in a bar is the guarantee">
        ${rows.length
          ? html`<${PoliciesTable} policies=${rows} label="Policies" />`
          : html`<div class="inside">${all.length
              ? html`<${Empty}>No policy fits “${filter}”.<//>`
              : html`<${Empty} command="prewire policy set to-web --to web --guarantee 10M --max 50M">There is no policy yet: all traffic is of the default class. State one:<//>`}</div>`}
      <//>
      <${Classes} />
    </div>`;
}

function Classes() {
  const classes = useList("classes").sort((a, b) => a.queue - b.queue);
  const columns = [
    { id: "name", label: "Class", cell: (each) => each.name },
    { id: "dscp", label: "DSCP", n: true, cell: (each) => each.dscp },
    { id: "queue", label: "Queue", n: true, cell: (each) => each.queue },
    { id: "priority", label: "Priority", n: true, cell: (each) => each.priority },
    { id: "min", label: "Kept", n: true, cell: (each) => `${each.min_percent} %` },
    { id: "max", label: "At most", n: true, cell: (each) => `${each.max_percent} %` },
    { id: "policies", label: "Policies", n: true, cell: (each) => each.policies },
  ];
  return html`<${Panel} title="Classes" sub="shares are of a link's rate" flush><${Table} label="Classes" columns=${columns} rows=${classes} keyOf=${(each) => each.name} sorted="none" /><//>`;
}

function PolicyPage({ name }) {
  const now = useNow(1000);
  const policy = useKind("policies").get(name);
  const reading = useReadings().get("policies", name) || {};
  const plan = useKind("plans").get(`policies/${name}`);
  const crumb = html`<a href=${to("policies")}>Policies</a>`;
  if (!policy) {
    return html`<${Head} title=${name} crumb=${crumb} /><${Panel} title="There is no such policy"><${Empty}>It was deleted, or never stated. ${" "}
      <a href=${to("policies")}>See those there are</a>.<//><//>`;
  }
  const limit = policy.in_force.max_bps;
  const room = limit && { label: "limit in force", value: limit };
  return html`
    <${Head} title=${name} crumb=${crumb} sub=${html`<${Ends} policy=${policy} /> <${PolicyState} policy=${policy} />`} />
    <div class="stack">
      <${Figures} policy=${policy} reading=${reading} />
      <div class="columns">
        <${Load} wide="w8" kind="policy" name=${name} room=${room} format=${bps} unit="offered" />
        <${Stated} policy=${policy} plan=${plan} now=${now} />
        <${Shares} policy=${policy} />
        <${Path} policy=${policy} />
      </div>
    </div>`;
}

function Figures({ policy, reading }) {
  const cells = [
    ["Offered", bps(reading.offered_bps), "that came under it"],
    ["Passed", bps(reading.passed_bps), percent(reading.passed_bps, policy.in_force.max_bps) + " of the limit"],
    ["Dropped", bps(reading.dropped_bps), percent(reading.dropped_bps, reading.offered_bps) + " of offered", reading.dropped_bps > 0 && "bad"],
    ["Limit", bps(policy.in_force.max_bps), `by ${policy.in_force.source}`],
    ["Guaranteed", bps(policy.in_force.guaranteed_bps), policy.links.length ? `on ${policy.links.length} links` : "on no link"],
    ["Allocated", bps(policy.allocated_bps), "its fair part of its links"],
  ];
  return html`<div class="figures">${cells.map(
    ([label, value, note, tone]) => html`<div><div class="name">${label}</div><div class="value">${value}</div><div class="note ${tone || ""}">${note}</div></div>`,
  )}</div>`;
}

function Stated({ policy, plan, now }) {
  const until = policy.in_force.until_ms;
  return html`<${Panel} wide="w4" title="As stated, and in force">
    <${Facts} rows=${[
      ["Class", policy.class],
      ["Limit stated", bps(policy.max_bps)],
      ["Guarantee stated", bps(policy.guaranteed_bps)],
      ["Packets", policy.max_pps ? `${count(policy.max_pps)}/s at most` : undefined],
      ["Connections", policy.max_connections ? `${count(policy.connections)} of ${count(policy.max_connections)}` : undefined],
      ["Burst", `${policy.burst_ms} ms`],
      ["In force by", html`<${Badge} tone=${policy.in_force.source === "policy" ? "" : "accent"}>${policy.in_force.source}<//>${until ? ` for ${duration(until - now)}` : ""}`],
      ["Plan", plan ? `${bps(plan.max_bps)} by ${plan.source}: ${plan.reason}` : "none: it has no provisioning"],
      ["Refused", plan?.refused || undefined],
      ["Why", policy.reason || undefined],
      ["Meters", [policy.bit_meter && `${policy.bit_meter} (bits)`, policy.packet_meter && `${policy.packet_meter} (packets)`].filter(Boolean).join(", ") || "none"],
      ["Generation", policy.generation],
    ]} />
    ${plan && html`<p class="muted more">planned at ${clock(plan.made_ms, now)}</p>`}
  <//>`;
}

function Shares({ policy }) {
  const columns = [
    { id: "switch", label: "Comes in at", cell: (each) => html`<a href=${to("topology", { switch: each.switch })}>${each.switch_name || each.switch}</a>` },
    { id: "bps", label: "Lets through", n: true, cell: (each) => bps(each.bps) },
    { id: "pps", label: "Packets", n: true, cell: (each) => (each.pps === null ? "–" : `${count(each.pps)}/s`) },
  ];
  return html`<${Panel} wide="w6" title="Meters by switch" flush>
    ${policy.shares.length
      ? html`<${Table} label="Shares of the limits" columns=${columns} rows=${policy.shares} keyOf=${(each) => each.switch} sorted="none" />`
      : html`<div class="inside"><${Empty}>Its limit is not divided: its traffic comes in at one switch, or it has no limit.<//></div>`}
  <//>`;
}

function Path({ policy }) {
  const columns = [
    { id: "switch", label: "Switch", cell: (each) => html`<a href=${to("topology", { link: `${each.switch}/${each.port}` })}>${each.switch_name || each.switch}</a>` },
    { id: "port", label: "Out by", cell: (each) => html`<code>${each.port}</code>` },
  ];
  return html`<${Panel} wide="w6" title="Links that keep its guarantee" flush>
    ${policy.links.length
      ? html`<${Table} label="Links that keep its guarantee" columns=${columns} rows=${policy.links} keyOf=${(each) => each.switch + each.port} sorted="none" tall />`
      : html`<div class="inside"><${Empty}>It has no guarantee, or nowhere to go yet.<//></div>`}
  <//>`;
}
