// Links in each direction, with what they carry: pure.

/** [{id, from, to, switch, port, bps, capacity, guaranteed, free, problem}], the most used first.
 * id: datapath id and port of the end that sends. */
export function uses(links, readings) {
  const found = [];
  for (const link of links) {
    found.push(way(link, readings, false));
    found.push(way(link, readings, true));
  }
  const share = (each) => (each.capacity && each.bps !== null ? each.bps / each.capacity : -1);
  return found.sort((a, b) => share(b) - share(a));
}

function way(link, readings, back) {
  const [at, port] = back ? [link.peer, link.peer_port] : [link.switch, link.port];
  const row = readings.get("links", `${at}/${port}`) || {};
  const [from, to] = back ? [link.peer_name, link.switch_name] : [link.switch_name, link.peer_name];
  return {
    id: `${at}/${port}`,
    link,
    ...{ from, to, switch: at, port },
    bps: row.transmit_bps ?? null,
    dropped: row.transmit_dropped_pps ?? null,
    capacity: row.rate_bps || link.capacity_bps || null,
    guaranteed: row.guaranteed_bps ?? null,
    free: row.free_bps ?? null,
    problem: link.problem,
  };
}

/** The link's use: of its busier direction, 0 to 1; null: not known. */
export const busier = (link, readings) => most(link, readings, (each) => each.bps);

/** What is guaranteed on it: in the direction where that is more, 0 to 1; null: not known. */
export const sure = (link, readings) => most(link, readings, (each) => each.guaranteed);

function most(link, readings, of) {
  const parts = [false, true]
    .map((back) => way(link, readings, back))
    .filter((each) => of(each) !== null && each.capacity)
    .map((each) => of(each) / each.capacity);
  return parts.length ? Math.max(...parts) : null;
}
