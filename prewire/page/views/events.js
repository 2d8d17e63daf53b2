// What happened, the newest first: live, and older ones page by page.
import { html, useState } from "../vendor/htm-preact.js";
import { useKind, useNow } from "../data/hooks.js";
import { ask } from "../data/rest.js";
import { clock, count } from "../format.js";
import { setQuery } from "../route.js";
import { Badge, Empty, Filter, Head, Panel, Trouble } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { About } from "./event-line.js";

const KINDS = [
  "service", "container", "class", "policy", "link-rate", "scaling", "provisioning", "schedule", "override", "dependency",
  "token", "switch", "link", "leader", "health", "plan", "rate", "prewarm",
];
const PAGE = 200;

export function View({ query }) {
  const now = useNow(30_000);
  const live = useKind("events");
  const [kind, setKind] = useState(query.get("kind") || "");
  const [severity, setSeverity] = useState(query.get("severity") || "");
  const [text, setText] = useState(query.get("text") || "");
  const [older, setOlder] = useState({ rows: [], next: undefined, problem: null });
  const all = new Map([...older.rows.map((each) => [each.id, each]), ...live]);
  const rows = [...all.values()].filter(fits(kind, severity, text.toLowerCase())).sort((a, b) => (a.id < b.id ? 1 : -1));
  const more = () => readOlder(older, all.size).then(setOlder);
  const choose = (set, name) => (value) => (set(value), setQuery({ [name]: value }));
  return html`
    <${Head} title="Events" sub=${count(rows.length)} tools=${html`
      <label class="nowrap">Kind ${" "}<select value=${kind} onChange=${(event) => choose(setKind, "kind")(event.target.value)}>
        <option value="">all</option>${KINDS.map((each) => html`<option value=${each}>${each}</option>`)}</select></label>
      <label class="nowrap"><input type="checkbox" checked=${severity === "warning"}
        onChange=${(event) => choose(setSeverity, "severity")(event.target.checked ? "warning" : "")} /> warnings only</label>
      <${Filter} label="Filter by name, actor or reason" value=${text} change=${choose(setText, "text")} />`} />
    <${Panel} title="Newest first" flush>
      ${rows.length
        ? html`<${Table} label="Events" columns=${columns(now)} rows=${rows} keyOf=${(each) => each.id} sorted="none" most=${300} />`
        : html`<div class="inside"><${Empty}>${all.size ? "Nothing of what is loaded fits. Look at older events, or ask for less." : "Nothing has happened yet: events come with the first change."}<//></div>`}
      <${Trouble} problem=${older.problem} />
      ${older.next !== null && all.size > 0 && html`<div class="inside"><button type="button" class="plain" onClick=${more}>Load older events</button></div>`}
    <//>`;
}

const columns = (now) => [
  { id: "when", label: "When", cell: (each) => html`<time datetime=${new Date(each.at_ms).toISOString()}>${clock(each.at_ms, now)}</time>` },
  { id: "kind", label: "Kind", cell: (each) => html`<${Badge} tone=${each.severity === "warning" ? "warn" : ""}>${each.kind}<//>` },
  { id: "name", label: "About", cell: (each) => html`<${About} event=${each} />` },
  { id: "action", label: "What", cell: (each) => each.action },
  { id: "reason", label: "Why", text: true, cell: (each) => each.reason },
  { id: "actor", label: "Who", cell: (each) => html`<span class="muted">${each.actor}</span>` },
  { id: "generation", label: "Generation", n: true, cell: (each) => each.generation || "" },
];

const fits = (kind, severity, text) => (each) =>
  (!kind || each.kind === kind) &&
  (!severity || each.severity === severity) &&
  (!text || `${each.name} ${each.action} ${each.actor} ${each.reason} ${each.request}`.toLowerCase().includes(text));

async function readOlder(older, known) {
  try {
    const limit = older.next ? PAGE : known + PAGE; // the first page has what is there already
    const answer = await ask("v1/events", { limit: Math.min(limit, 5000), cursor: older.next });
    return { rows: [...older.rows, ...answer.items], next: answer.next ?? null, problem: null };
  } catch (problem) {
    return { ...older, problem };
  }
}
