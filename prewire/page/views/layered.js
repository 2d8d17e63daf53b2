// Places for the services of a directed graph: parents left of their children. Pure.

/** Nodes for a Graph; x: 0 to 1 by the longest way from a service without parents. A cycle ends where
 * it would come back. */
export function layered(edges) {
  let names = [...new Set(edges.flatMap((each) => [each.parent, each.child]))].sort();
  const depth = depths(names, edges);
  const deepest = Math.max(1, ...depth.values());
  names = ordered(names, depth, edges);
  const columns = new Map();
  for (const name of names) columns.set(depth.get(name), [...(columns.get(depth.get(name)) || []), name]);
  return names.map((name) => {
    const column = columns.get(depth.get(name));
    return {
      id: name,
      label: name,
      w: Math.max(60, name.length * 6.6 + 16),
      x: depth.get(name) / deepest,
      y: (column.indexOf(name) + 0.5) / column.length,
    };
  });
}

function depths(names, edges) {
  const children = new Map(names.map((name) => [name, edges.filter((each) => each.parent === name).map((each) => each.child)]));
  const depth = new Map(names.map((name) => [name, 0]));
  const visit = (name, way) => {
    for (const child of children.get(name)) {
      if (way.has(child) || depth.get(child) > depth.get(name)) continue;
      depth.set(child, depth.get(name) + 1);
      visit(child, new Set([...way, child]));
    }
  };
  for (const name of names) visit(name, new Set([name]));
  return depth;
}

/** By depth, and within one as their parents are ordered, so that few edges cross. */
function ordered(names, depth, edges) {
  const place = new Map();
  const found = [];
  for (const level of [...new Set(depth.values())].sort((a, b) => a - b)) {
    const here = names.filter((name) => depth.get(name) === level);
    const weight = new Map(here.map((name) => [name, mean(edges.filter((each) => each.child === name).map((each) => place.get(each.parent)))]));
    here.sort((a, b) => weight.get(a) - weight.get(b) || (a < b ? -1 : 1));
    here.forEach((name, at) => place.set(name, (at + 0.5) / here.length));
    found.push(...here);
  }
  return found;
}

function mean(values) {
  const known = values.filter((value) => value !== undefined);
  return known.length ? known.reduce((a, b) => a + b, 0) / known.length : 1;
}
