// Which service's rise precedes another's, as a graph from left to right, and as a table.
import { html, useState } from "../vendor/htm-preact.js";
import { useList } from "../data/hooks.js";
import { count } from "../format.js";
import { setQuery, to } from "../route.js";
import { Graph } from "../draw/graph.js";
import { Badge, Empty, Filter, Head, Panel } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { layered } from "./layered.js";

const TONES = { learned: "", pinned: "accent", banned: "bad" };

export function View({ query }) {
  const [service, setService] = useState(query.get("service") || "");
  const all = useList("dependencies");
  const shown = service ? all.filter((each) => `${each.parent} ${each.child}`.includes(service)) : all;
  const change = (text) => (setService(text), setQuery({ service: text }));
  const drawn = shown.filter((each) => each.source !== "banned");
  return html`
    <${Head} title="Dependencies" sub="a rise at the left precedes one at the right"
      tools=${html`<${Filter} label="Of a service" value=${service} change=${change} />`} />
    ${shown.length === 0
      ? html`<${Panel} title=${all.length ? "None of these" : "None yet"}><${Empty} command="prewire dependency pin browse buy">
          Dependencies are learned where surges of one service follow those of another, again and again. To say so yourself:<//><//>`
      : html`<div class="columns">
          <${Panel} wide="w7" title="Graph" sub="labels: by how long">
            <${Graph} label="services and what depends on them; the table says the same" nodes=${layered(drawn)}
              edges=${drawn.map(edge)} chosen=${service} choose=${(id) => change(id.includes("→") ? "" : id)} />
          <//>
          <${Listed} rows=${shown} />
        </div>`}`;
}

const edge = (each) => ({
  id: `${each.parent}→${each.child}`,
  source: each.parent,
  target: each.child,
  label: each.lag_ms === null ? "" : `${each.lag_ms} ms`,
  tone: each.source === "pinned" ? "" : "quiet",
  width: 1 + each.gain_permille / 250,
  arrow: 1,
  curve: 1,
});

function Listed({ rows }) {
  const columns = [
    { id: "parent", label: "First", sort: (each) => each.parent, cell: (each) => html`<a href=${to("services", each.parent)}>${each.parent}</a>` },
    { id: "child", label: "Then", sort: (each) => each.child, cell: (each) => html`<a href=${to("services", each.child)}>${each.child}</a>` },
    { id: "lag", label: "After", n: true, sort: (each) => each.lag_ms, cell: (each) => (each.lag_ms === null ? "–" : `${each.lag_ms} ms`) },
    { id: "gain", label: "Lowers loss by", n: true, sort: (each) => each.gain_permille, cell: (each) => (each.gain_permille ? `${each.gain_permille / 10} %` : "–") },
    { id: "slope", label: "Brings", n: true, sort: (each) => each.slope_permille, cell: (each) => (each.slope_permille ? `${each.slope_permille / 1000} a request` : "–") },
    { id: "source", label: "By", sort: (each) => each.source, cell: (each) => html`<${Badge} tone=${TONES[each.source]}>${each.source}<//>` },
  ];
  return html`<${Panel} wide="w5" title="All" sub=${count(rows.length)} flush><${Table} label="Dependencies" columns=${columns} rows=${rows} keyOf=${(each) => `${each.parent}/${each.child}`} /><//>`;
}
