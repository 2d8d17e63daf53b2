// A graph drawn by cytoscape: positions are given, so that it stands still while values change.
import { html, useEffect, useRef } from "../vendor/htm-preact.js";
import { colours, listenTheme } from "../theme.js";

const NAMES = {
  text: "--text", muted: "--muted", panel: "--panel", raised: "--raised", line: "--line-strong",
  accent: "--accent", ok: "--ok", warn: "--warn", bad: "--bad", quiet: "--quiet", soft: "--accent-soft",
};
const NARROW = 520; // pixels, below which labels of edges would lie upon each other
let library = null;

/** nodes: {id, label, x, y (0 to 1), tone, round}; edges: {id, source, target, label, tone, width,
 * dashed, arrow}; chosen: an id. choose(id) is called with "" beside everything. */
export function Graph({ nodes, edges, chosen, choose, label, small }) {
  const place = useRef(null);
  const held = useRef(null);
  const wanted = useRef(null);
  wanted.current = { nodes, edges, chosen, choose };

  useEffect(() => {
    let gone = false;
    library ??= import("../vendor/cytoscape.js");
    const begin = async () => {
      const { default: cytoscape } = await library;
      if (gone) return;
      const graph = cytoscape({
        container: place.current,
        userZoomingEnabled: false,
        userPanningEnabled: false,
        boxSelectionEnabled: false,
        autoungrabify: true,
        style: style(),
      });
      graph.on("tap", (event) => wanted.current.choose(event.target === graph ? "" : event.target.id()));
      held.current = graph;
      show(graph, wanted.current, true);
    };
    begin();
    const unlisten = listenTheme(() => held.current?.style(style()));
    const resized = new ResizeObserver(() => held.current && (held.current.resize(), spread(held.current)));
    resized.observe(place.current);
    return () => {
      gone = true;
      unlisten();
      resized.disconnect();
      held.current?.destroy();
      held.current = null;
    };
  }, []);

  useEffect(() => {
    if (held.current) show(held.current, wanted.current, false);
  }, [nodes, edges, chosen]);

  return html`<div class="graph ${small ? "small" : ""}" ref=${place} role="img" aria-label=${label}></div>`;
}

function show(graph, { nodes, edges, chosen }, first) {
  let moved = first;
  graph.batch(() => {
    const wanted = new Map([...nodes, ...edges].map((each) => [each.id, each]));
    graph.elements().forEach((element) => {
      if (!wanted.has(element.id())) (element.remove(), (moved = true));
    });
    for (const data of wanted.values()) {
      const there = graph.getElementById(data.id);
      if (there.nonempty()) {
        moved ||= there.isNode() && (there.data("x") !== data.x || there.data("y") !== data.y);
        there.data(data);
      } else {
        graph.add({ group: data.source ? "edges" : "nodes", data: { ...data } });
        moved = true;
      }
    }
    graph.elements().forEach((element) => element.toggleClass("chosen", element.id() === chosen));
  });
  if (moved) spread(graph);
}

/** Put nodes where they are to be in the space there is. */
function spread(graph) {
  const [width, height] = [graph.width(), graph.height()];
  const [side, top] = [Math.min(70, width * 0.1), 34];
  const narrow = width < NARROW;
  graph.nodes().positions((node) => ({
    x: side + node.data("x") * (width - 2 * side),
    y: top + node.data("y") * (height - 2 * top - 10),
  }));
  const rows = new Map();
  graph.nodes().forEach((node) => rows.set(node.data("y"), (rows.get(node.data("y")) || 0) + 1));
  graph.nodes().forEach((node) => {
    const fits = (width - 2 * side) / Math.max(...rows.values()) - 4;
    node.style({ width: Math.min(node.data("w"), Math.max(fits, 36)), "font-size": narrow ? 10 : 11.5 });
  });
  graph.edges().style("text-opacity", narrow ? 0 : 1); // the tables say it there
  graph.viewport({ zoom: 1, pan: { x: 0, y: 0 } });
}

function style() {
  const c = colours(NAMES);
  const tones = { "": c.accent, ok: c.ok, warn: c.warn, bad: c.bad, quiet: c.quiet };
  const tone = (element) => tones[element.data("tone") || ""];
  return [
    {
      selector: "node",
      style: {
        shape: "round-rectangle", width: "data(w)", height: 26, "background-color": c.panel,
        "border-width": 1.5, "border-color": (node) => (node.data("tone") ? tone(node) : c.line), label: "data(label)",
        color: c.text, "font-size": 11.5, "font-family": "system-ui, sans-serif", "text-valign": "center", "text-halign": "center",
      },
    },
    {
      selector: "edge",
      style: {
        width: "data(width)", "line-color": tone, "curve-style": "straight", label: "data(label)",
        "line-style": (edge) => (edge.data("dashed") ? "dashed" : "solid"), "font-size": 10.5, color: c.text,
        "font-family": "system-ui, sans-serif", "text-background-color": c.panel, "text-background-opacity": 0.92,
        "text-background-padding": 2, "text-background-shape": "round-rectangle", opacity: 0.9,
        "source-text-offset": 46, "target-arrow-color": tone,
        "target-arrow-shape": (edge) => (edge.data("arrow") ? "triangle" : "none"), "arrow-scale": 0.9,
      },
    },
    { selector: "edge[curve]", style: { "curve-style": "bezier" } },
    { selector: "edge[near]", style: { label: "", "source-label": "data(label)" } },
    { selector: "node.chosen", style: { "background-color": c.soft, "border-color": c.accent, "border-width": 2.5 } },
    { selector: "edge.chosen", style: { opacity: 1, "underlay-color": c.accent, "underlay-opacity": 0.25, "underlay-padding": 5 } },
    { selector: "core", style: { "active-bg-opacity": 0 } },
  ];
}
