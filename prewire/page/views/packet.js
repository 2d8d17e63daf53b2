// A packet as a flow's match says it: pure.

/** "in_port=1,tcp" -> {in_port: "1", kind: "tcp"}. */
export function fieldsOf(text) {
  const found = {};
  for (const each of text.split(",").map((part) => part.trim()).filter(Boolean)) {
    const [name, value] = each.split("=");
    if (value === undefined) found.kind = name;
    else found[name] = value;
  }
  return found;
}

/** The text of such fields; empty ones are left out. */
export function written({ in_port: port, kind, ...rest }) {
  const parts = [port && `in_port=${port}`, kind || "tcp", ...Object.entries(rest).map(([name, value]) => value && `${name}=${value}`)];
  return parts.filter(Boolean).join(",");
}

/** The fields of a packet to a service; those of the other version of IP are empty. */
export function toService({ protocol, vip, port }) {
  const isV6 = vip.includes(":");
  const [own, other] = isV6 ? ["ipv6", "nw"] : ["nw", "ipv6"];
  return { kind: protocol + (isV6 ? "6" : ""), [`${own}_dst`]: vip, [`${other}_src`]: "", [`${other}_dst`]: "", tp_dst: String(port) };
}

/** Whether a packet of these fields is to the service. */
export function isTo(fields, service) {
  const wanted = Object.entries(toService(service)).filter(([, value]) => value);
  return wanted.every(([name, value]) => fields[name] === value);
}

/** The field of a packet's source address. */
export const sourceField = ({ kind = "" }) => (kind.endsWith("6") ? "ipv6_src" : "nw_src");
