// The containers of a service, and which of them has which slot.
import { html } from "../vendor/htm-preact.js";
import { useReadings } from "../data/hooks.js";
import { bps, count, duration, percent, perSecond } from "../format.js";
import { Badge, Empty, Panel, stateTone, Trouble } from "../ui/parts.js";
import { Table } from "../ui/table.js";

/** A colour for each container by its place: neighbours differ. */
const hue = (place) => `oklch(var(--slot-light) 0.12 ${(place * 137.5) % 360})`;

export function Containers({ containers, service, shown, show, waiting }) {
  const readings = useReadings();
  const reading = (each) => readings.get("containers", each.id) || {};
  const places = new Map(containers.map((each, place) => [each.id, place]));
  const columns = [
    { id: "id", label: "Container", sort: (each) => each.id, cell: (each) => named(each, places, shown, show) },
    { id: "state", label: "State", sort: (each) => each.state, cell: (each) => html`<${Badge} tone=${stateTone(each.state)} title=${each.reason}>${each.state}<//>` },
    { id: "share", label: "Share", n: true, sort: (each) => each.share, cell: (each) => percent(each.share) },
    { id: "slots", label: "Slots", n: true, sort: (each) => each.slots, cell: (each) => each.slots },
    { id: "inflight", label: "In flight", n: true, sort: (each) => each.inflight, cell: (each) => `${count(each.inflight)}${each.max_inflight ? ` / ${each.max_inflight}` : ""}` },
    { id: "rate", label: "New conn.", n: true, sort: (each) => reading(each).new_connections_per_s, cell: (each) => perSecond(reading(each).new_connections_per_s) },
    { id: "conns", label: "Open", n: true, sort: (each) => each.connections, cell: (each) => count(each.connections) },
    { id: "from", label: "Sent", n: true, sort: (each) => reading(each).from_bps, cell: (each) => bps(reading(each).from_bps) },
    { id: "address", label: "Address", sort: (each) => each.address, cell: (each) => html`<code>${each.address}:${each.port}</code>` },
    { id: "why", label: "Why", cell: (each) => html`<span class="muted">${why(each)}</span>` },
  ];
  return html`<${Panel} title="Containers" sub=${count(containers.length)} flush>
    ${containers.length
      ? html`<${Table} label="Containers" rows=${containers} keyOf=${(each) => each.id} columns=${columns} tall />`
      : html`<div class="inside">${waiting
          ? html`<p class="empty">Asking…</p>`
          : html`<${Empty} command=${`prewire container set ${service} ${service}-1 --address 10.0.0.11 --port 8080 --iface-id ${service}-1`}>
              No container is registered. Register one:<//>`}</div>`}
  <//>`;
}

const named = (each, places, shown, show) => html`<span class="nowrap"
  onMouseEnter=${() => show(each.id)} onMouseLeave=${() => shown && show("")}>
  <i class="swatch" style=${{ background: each.slots ? hue(places.get(each.id)) : undefined }}></i>${each.id}</span>`;

function why(each) {
  const left = each.seconds_left ? `, ${duration(each.seconds_left * 1000)} left` : "";
  return `${each.reason || each.health_reason || (each.version ? `version ${each.version}` : "")}${left}`;
}

export function Slots({ slots, containers, shown, show }) {
  const places = new Map(containers.map((each, place) => [each.id, place]));
  const all = slots.answer?.slots || [];
  return html`<${Panel} title="Slots" sub=${all.length ? `${all.length}: a new connection takes hash mod ${all.length}` : ""}>
    <${Trouble} problem=${slots.problem} tone="warn" />
    ${slots.answer && all.length === 0 && html`<${Empty}>No container gets connections, so there are no slots.<//>`}
    <div class="slots" role="img" aria-label=${spoken(slots.answer)} onMouseLeave=${() => show("")}>
      ${all.map(
        (id, slot) => html`<i key=${slot} title=${`slot ${slot}: ${id}`} class=${id === shown && id ? "on" : ""}
          onMouseEnter=${() => show(id)} style=${{ background: id ? hue(places.get(id) ?? 0) : undefined }}></i>`,
      )}
    </div>
  <//>`;
}

const spoken = (answer) => answer ? answer.containers.map((each) => `${each.id} has ${each.slots}`).join(", ") || "no slots" : "not known yet";
