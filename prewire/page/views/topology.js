// Switches and links, live: what links carry, of what they can, and what is guaranteed on them.
import { html, useState } from "../vendor/htm-preact.js";
import { useAsked, useList, useReadings } from "../data/hooks.js";
import { bps, count, percent } from "../format.js";
import { setQuery, to } from "../route.js";
import { Graph } from "../draw/graph.js";
import { Use, toneOf } from "../ui/bars.js";
import { Badge, Empty, Head, Panel, Segments } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { busier, sure, uses } from "./link-use.js";
import { Chosen } from "./topology-chosen.js";

const SHOWN = [["use", "Use"], ["sure", "Guarantees"]];

export function View({ query }) {
  const [chosen, setChosen] = useState(query.get("switch") || query.get("link") || "");
  const [shown, show] = useState("use");
  const switches = useList("switches");
  const links = useList("links");
  const readings = useReadings();
  const fingerprint = `${switches.map((each) => each.dpid + each.connected)}${links.map((each) => each.port + each.peer)}`;
  const { answer } = useAsked("v1/topology", {}, 0, fingerprint);
  const choose = (id) => {
    const link = id.includes("/") || !id;
    setQuery({ switch: link ? "" : id, link: link ? id : "" });
    setChosen(id);
  };
  if (!switches.length) {
    return html`<${Head} title="Topology" /><${Panel} title="No switch has connected yet">
      <${Empty} command="ovs-vsctl set-controller br0 tcp:127.0.0.1:6653">Point a bridge at the controller; it appears here at once:<//><//>`;
  }
  const layers = new Map((answer?.switches || []).map((each) => [each.dpid, each]));
  const ways = uses(links, readings);
  return html`
    <${Head} title="Topology" sub=${`${count(switches.length)} switches, ${count(links.length)} links`} />
    <div class="columns">
      <${Panel} wide="w8" title="Fabric" sub=${shown === "use" ? "use of the busier direction" : "guaranteed, of the fuller direction"}
        tools=${html`<${Segments} label="Shown on links" options=${SHOWN} value=${shown} choose=${show} />`}>
        <${Graph} label="switches and links; the tables below say the same" nodes=${placed(switches, layers)}
          edges=${links.map((link) => edge(link, (shown === "use" ? busier : sure)(link, readings)))} chosen=${lineOf(chosen, links)} choose=${choose} />
        <p class="legend"><span><i class="key ok"></i>below 70 %</span><span><i class="key warn"></i>70 % and more</span>
          <span><i class="key bad"></i>90 % and more, or it carries nothing</span></p>
      <//>
      <div class="w4 stack">
        <${Chosen} id=${chosen} switches=${switches} layers=${layers} links=${links} ways=${ways} />
        <${Panel} title="Switches" flush><${Switches} switches=${switches} layers=${layers} choose=${choose} /><//>
      </div>
      <${Panel} title="Links by direction" flush><${Links} ways=${ways} choose=${choose} /><//>
    </div>`;
}

/** Layers from the top down: spines over leaves; those that no link leads to at the bottom. */
function placed(switches, layers) {
  const rows = new Map();
  for (const each of switches) {
    const layer = layers.get(each.dpid)?.layer ?? -1;
    rows.set(layer, [...(rows.get(layer) || []), each]);
  }
  const order = [...rows.keys()].sort((a, b) => b - a);
  return order.flatMap((layer, row) =>
    rows.get(layer).map((each, place) => ({
      id: each.dpid,
      label: each.name || each.dpid.slice(-4),
      w: 72,
      tone: each.connected ? (each.problem ? "warn" : "") : "bad",
      x: (place + 0.5) / rows.get(layer).length,
      y: order.length > 1 ? row / (order.length - 1) : 0.5,
    })),
  );
}

function edge(link, share) {
  const tone = link.problem ? "bad" : toneOf(share || 0) || (share === null ? "quiet" : "ok");
  return {
    id: `${link.switch}/${link.port}`,
    source: link.switch,
    target: link.peer,
    label: share === null ? "" : percent(share),
    tone,
    width: link.capacity_bps ? Math.max(1.5, Math.min(6, Math.log10(link.capacity_bps) - 6.5)) : 2,
    dashed: Boolean(link.problem) || undefined,
    near: 1,
  };
}

/** The edge of a way, which may be named from either end. */
function lineOf(id, links) {
  const link = links.find((each) => `${each.peer}/${each.peer_port}` === id);
  return link ? `${link.switch}/${link.port}` : id;
}

function Links({ ways, choose }) {
  const share = (each) => (each.capacity && each.bps !== null ? each.bps / each.capacity : null);
  const columns = [
    { id: "way", label: "From → to", sort: (each) => each.from + each.to, cell: (each) => html`<a href=${to("topology", { link: each.id })} onClick=${() => choose(each.id)}>${each.from} → ${each.to}</a>` },
    { id: "port", label: "Port", cell: (each) => html`<code>${each.port}</code>` },
    { id: "bar", label: "Use, and what is guaranteed", cell: (each) => html`<${Use} part=${each.bps} whole=${each.capacity} mark=${each.guaranteed} />` },
    { id: "use", label: "Use", n: true, sort: share, cell: (each) => percent(each.bps, each.capacity) },
    { id: "bps", label: "Carries", n: true, sort: (each) => each.bps, cell: (each) => bps(each.bps) },
    { id: "capacity", label: "Of", n: true, sort: (each) => each.capacity, cell: (each) => bps(each.capacity) },
    { id: "guaranteed", label: "Guaranteed", n: true, sort: (each) => each.guaranteed, cell: (each) => bps(each.guaranteed) },
    { id: "free", label: "To guarantee", n: true, sort: (each) => each.free, cell: (each) => bps(each.free) },
    { id: "drops", label: "Drops", n: true, sort: (each) => each.dropped, cell: (each) => (each.dropped ? html`<span class="bad-text">${each.dropped.toFixed(0)}/s</span>` : each.dropped === 0 ? "0" : "–") },
    { id: "problem", label: "", cell: (each) => each.problem && html`<${Badge} tone="bad" title=${each.problem}>carries nothing<//>` },
  ];
  return html`<${Table} label="Links by direction" columns=${columns} rows=${ways} keyOf=${(each) => each.id} sorted="-use" />`;
}

function Switches({ switches, layers, choose }) {
  const columns = [
    { id: "name", label: "Switch", sort: (each) => each.name, cell: (each) => html`<a href=${to("topology", { switch: each.dpid })} onClick=${() => choose(each.dpid)}>${each.name || each.dpid}</a>` },
    { id: "state", label: "State", cell: (each) => html`<${Badge} tone=${each.connected ? (each.problem ? "warn" : "ok") : "bad"} title=${each.problem}>${each.connected ? (each.problem ? "problem" : "connected") : "away"}<//>` },
    { id: "applied", label: "Applied", n: true, sort: (each) => each.applied, cell: (each) => count(each.applied) },
    { id: "stations", label: "Stations", n: true, sort: (each) => layers.get(each.dpid)?.stations, cell: (each) => count(layers.get(each.dpid)?.stations) },
  ];
  return html`<${Table} label="Switches" columns=${columns} rows=${switches} keyOf=${(each) => each.dpid} />`;
}
