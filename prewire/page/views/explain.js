// Where a packet goes, switch by switch, and which intent each flow comes from.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { useList } from "../data/hooks.js";
import { ask } from "../data/rest.js";
import { bps } from "../format.js";
import { setQuery, to } from "../route.js";
import { Badge, Empty, Facts, Head, Panel, stateTone, Trouble } from "../ui/parts.js";
import { fieldsOf, isTo, sourceField, toService, written } from "./packet.js";

export function View({ query }) {
  const switches = useList("switches");
  const services = useList("services");
  const [chosen, setPlace] = useState(query.get("switch") || "");
  const place = chosen || switches.find((each) => !isSpine(each))?.dpid || "";
  const [packet, setPacket] = useState(query.get("packet") || "");
  const [told, setTold] = useState({ answer: null, problem: null, busy: false });
  const ports = switches.find((each) => each.dpid === place)?.ports || [];
  const change = (values) => setPacket(written({ ...fieldsOf(packet), ...values }));
  const aim = (name) => {
    const service = services.find((each) => each.name === name);
    if (service) change(toService(service));
  };
  const explain = async (event) => {
    event?.preventDefault();
    const asked = fieldsOf(packet).in_port || !ports.length ? packet : written({ in_port: edgePort(ports), ...fieldsOf(packet) });
    setPacket(asked);
    setQuery({ packet: asked, switch: place });
    setTold({ answer: null, problem: null, busy: true });
    setTold(await asking(asked, place));
  };
  const fields = fieldsOf(packet);
  const source = sourceField(fields);
  useEffect(() => {
    if (packet) explain(); // a link that says which
  }, []);
  return html`
    <${Head} title="Explain a packet" sub="what the flows that are wanted do with it" />
    <div class="stack">
      <${Panel} title="The packet">
        <form class="fields" onSubmit=${explain}>
          <label>Comes in at<select value=${place} onChange=${(event) => setPlace(event.target.value)}>
            ${switches.map((each) => html`<option value=${each.dpid}>${each.name || each.dpid}</option>`)}</select></label>
          <label>By port<select value=${fields.in_port || ""} onChange=${(event) => change({ in_port: event.target.value })}>
            <option value="">an edge port</option>
            ${ports.filter((each) => !each.fabric).map((each) => html`<option value=${String(each.number)}>${each.name}</option>`)}</select></label>
          <label>From address<input value=${fields[source] || ""} placeholder="10.0.0.21" onInput=${(event) => change({ [source]: event.target.value })} /></label>
          <label>To service<select value=${services.find((each) => isTo(fields, each))?.name || ""} onChange=${(event) => aim(event.target.value)}>
            <option value="">choose…</option>${services.map((each) => html`<option value=${each.name}>${each.name}</option>`)}</select></label>
          <label class="full">As a flow's match has it<input class="mono" required value=${packet} spellcheck="false"
            placeholder="in_port=1,tcp,nw_src=10.0.0.21,nw_dst=10.0.0.100,tp_dst=80" onInput=${(event) => setPacket(event.target.value)} /></label>
          <div><button class="main" disabled=${told.busy}>${told.busy ? "Asking…" : "Explain"}</button></div>
        </form>
      <//>
      <${Trouble} problem=${told.problem} />
      ${told.answer ? html`<${Way} told=${told.answer} />` : !told.problem && !told.busy && html`<${Panel} title="Nothing asked yet">
        <${Empty} command="prewire explain packet 'in_port=1,tcp,nw_dst=10.0.0.100,tp_dst=80'">Choose a service and press Explain. The same by command:<//><//>`}
    </div>`;
}

const isSpine = (one) => one.ports.length > 0 && one.ports.every((each) => each.fabric);
const edgePort = (ports) => String((ports.find((each) => !each.fabric && !each.iface_id) || ports.find((each) => !each.fabric) || ports[0]).number);

async function asking(packet, place) {
  try {
    return { answer: await ask("v1/explain/packet", { packet, switch: place }), problem: null, busy: false };
  } catch (problem) {
    return { answer: null, problem, busy: false };
  }
}

function Way({ told }) {
  const names = new Map(told.steps.map((step) => [step.switch, step.switch_name || step.switch]));
  return html`
    <${Panel} title="Its way">
      <ol class="way">
        ${told.path.map((each) => html`<li><${Badge} tone="accent">${names.get(each) || each}<//></li>`)}
        ${told.outputs.length ? html`<li>${told.outputs.join("; ")}</li>` : html`<li><${Badge} tone="bad">dropped<//></li>`}
      </ol>
      ${told.choices.map((each) => html`<p class="muted more">${each}</p>`)}
    <//>
    <div class="columns">
      <${Panel} wide="w8" title="Flows that take it"><ol class="steps">${told.steps.map((step) => html`<${Step} step=${step} />`)}</ol><//>
      <div class="w4 stack"><${Governed} policy=${told.policy} /><${Containers} all=${told.containers} /></div>
    </div>`;
}

const Step = ({ step }) => html`<li>
  <div>${step.switch_name} <span class="muted">${step.table}</span></div>
  <div>${step.origin}<br /><code>${step.match} actions=${step.actions}</code></div>
</li>`;

function Governed({ policy }) {
  if (!policy) return html`<${Panel} title="Policy"><${Empty} command="prewire policy set to-web --to web --max 50M">No policy speaks of it.<//><//>`;
  return html`<${Panel} title="Policy"><${Facts} rows=${[
    ["Policy", policy.policy ? html`<a href=${to("policies", policy.policy)}>${policy.policy}</a> ${policy.state}` : "none: the default class"],
    ["Class", `${policy.qos_class}: DSCP ${policy.dscp}, queue ${policy.queue}`],
    ["Guaranteed", policy.guaranteed_bps ? bps(policy.guaranteed_bps) : undefined],
    ["Limit", policy.max_bps ? bps(policy.max_bps) : undefined],
    ["By", policy.rates_by || undefined],
    ["This switch's share", policy.share_bps ? bps(policy.share_bps) : undefined],
    ["Meters", policy.meters.join(", ") || "none"],
  ]} /><//>`;
}

const Containers = ({ all }) => html`<${Panel} title="Containers it may go to">
  ${all.length === 0 && html`<p class="empty">None: it is for no service.</p>`}
  <ul class="list">${all.map((each) => html`<li><span class="grow"><a href=${to("services", each.service)}>${each.id}</a> <span class="muted">${each.reason}</span></span>
    <span class="muted">${each.slots} of ${each.slots_in_all}</span><${Badge} tone=${stateTone(each.state)}>${each.state}<//></li>`)}</ul>
<//>`;
