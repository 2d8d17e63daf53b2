// What is known of the switch or link that was chosen.
import { html } from "../vendor/htm-preact.js";
import { useAsked, useKind } from "../data/hooks.js";
import { bps, count, percent } from "../format.js";
import { Use } from "../ui/bars.js";
import { Badge, Empty, Facts, Panel } from "../ui/parts.js";

export function Chosen({ id, switches, layers, links, ways }) {
  const one = switches.find((each) => each.dpid === id);
  if (one) return html`<${Switch} one=${one} stations=${layers.get(id)?.stations} />`;
  const way = ways.find((each) => each.id === id);
  if (way) return html`<${Link} way=${way} back=${ways.find((each) => each.link === way.link && each !== way)} />`;
  return html`<${Panel} title="Details"><${Empty}>Choose a switch or a link, in the drawing or in the tables.<//>
    ${links.length === 0 && html`<${Empty}>No link is known: links appear when two connected switches hear each other's probes.<//>`}<//>`;
}

function Switch({ one, stations }) {
  const generation = useKind("status").get("")?.generation;
  const up = one.ports.filter((each) => each.up).length;
  return html`<${Panel} title=${one.name || one.dpid} sub="switch">
    <${Facts} rows=${[
      ["Datapath id", html`<code>${one.dpid}</code>`],
      ["State", html`<${Badge} tone=${one.connected ? "ok" : "bad"}>${one.connected ? "connected" : "away"}<//>`],
      ["Problem", one.problem ? html`<span class="bad-text">${one.problem}</span>` : undefined],
      ["Applied", `${count(one.applied)} of ${count(generation)}`],
      ["Stations", count(stations)],
      ["Ports", `${count(one.ports.length)}, ${count(up)} up`],
      ["To switches", one.ports.filter((each) => each.fabric).map((each) => each.name).join(", ") || "none"],
      ["Conntrack zone", one.ct_zone],
    ]} />
  <//>`;
}

function Link({ way, back }) {
  const here = useAsked("v1/bandwidth", { switch: way.switch }, 10_000);
  const out = here.answer?.items.find((each) => each.port === way.port);
  return html`<${Panel} title=${`${way.from} → ${way.to}`} sub="link">
    ${way.problem && html`<p class="bad-text">${way.problem}</p>`}
    ${[way, back].filter(Boolean).map(
      (each) => html`<p class="muted">${each.from} → ${each.to}: ${bps(each.bps)}, ${percent(each.bps, each.capacity)}</p>
        <p><${Use} wide part=${each.bps} whole=${each.capacity} mark=${each.guaranteed} /></p>`,
    )}
    <h3 class="part">Out by ${way.port}</h3>
    <${Facts} rows=${[
      ["Rate", out ? `${bps(out.rate_bps)}${out.source === "unknown" ? ", not known" : out.source === "stated" ? ", stated" : ", as the port says"}` : bps(way.capacity)],
      ["Guaranteed", bps(out?.guaranteed_bps ?? way.guaranteed)],
      ["Free to guarantee", bps(out?.free_bps ?? way.free)],
      ["Queues by", out ? out.method || "none: no node agent has set them" : undefined],
      ["Problem", out?.problem || undefined],
    ]} />
    ${out?.classes.length > 0 && html`<h3 class="part">By class</h3><${Facts} rows=${out.classes.map((each) => [
      each.class,
      `${bps(each.guaranteed_bps)} guaranteed, ${bps(each.minimum_bps)} kept`,
    ])} />`}
  <//>`;
}
