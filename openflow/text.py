"""Flows, groups and meters as text, for people and for ovs-ofctl.

Two dialects. "named" is what people and goldens read: tables by name, registers by what they hold.
"ovs" is what `ovs-ofctl -O OpenFlow13 add-flows`, `add-groups` and `add-meters` take verbatim.
`openflow.parse` reads both back to equal values. Syntax: ovs-ofctl(8), ovs-actions(7),
ovs-fields(7).

Must not know: what the flows are for, how a switch is reached.
"""

from __future__ import annotations

import ipaddress
from typing import Final, Literal, assert_never

from openflow.fields import (
    CT_STATE_BITS,
    ETH_ARP,
    ETH_IP,
    ETH_IPV6,
    FIELDS,
    IPV4,
    IPV6,
    MAC,
    NAMED,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_TCP,
    PROTO_UDP,
    Field,
    Subfield,
)
from openflow.tables import table_name
from openflow.values import (
    RESERVED_PORTS,
    Action,
    ApplyMeter,
    Bucket,
    Ct,
    CtClear,
    FieldMatch,
    Flow,
    Goto,
    Group,
    Match,
    Meter,
    Move,
    Nat,
    Output,
    OutputField,
    Resubmit,
    Rules,
    SetField,
    SetQueue,
    ToGroup,
)

Dialect = Literal["named", "ovs"]

# What one word of a match says of eth_type and, where it does, ip_proto.
SHORTHANDS: Final[dict[str, tuple[int, int | None]]] = {
    "ip": (ETH_IP, None),
    "arp": (ETH_ARP, None),
    "ipv6": (ETH_IPV6, None),
    "icmp": (ETH_IP, PROTO_ICMP),
    "tcp": (ETH_IP, PROTO_TCP),
    "udp": (ETH_IP, PROTO_UDP),
    "sctp": (ETH_IP, 132),
    "icmp6": (ETH_IPV6, PROTO_ICMPV6),
    "tcp6": (ETH_IPV6, PROTO_TCP),
    "udp6": (ETH_IPV6, PROTO_UDP),
    "sctp6": (ETH_IPV6, 132),
}
_WORDS: Final = {meaning: word for word, meaning in SHORTHANDS.items()}

# Fields whose values are sets of flags, with the flags' names.
TCP_FLAG_BITS: Final = {
    "fin": 0x001,
    "syn": 0x002,
    "rst": 0x004,
    "psh": 0x008,
    "ack": 0x010,
    "urg": 0x020,
    "ece": 0x040,
    "cwr": 0x080,
    "ns": 0x100,
}
FLAG_FIELDS: Final = {"ct_state": CT_STATE_BITS, "tcp_flags": TCP_FLAG_BITS}

# Fields that several protocols have, each under a name of its own; dumps give them one name.
TRANSPORT_FIELDS: Final = {
    "tcp_src": PROTO_TCP,
    "tcp_dst": PROTO_TCP,
    "udp_src": PROTO_UDP,
    "udp_dst": PROTO_UDP,
    "icmpv6_type": PROTO_ICMPV6,
    "icmpv6_code": PROTO_ICMPV6,
}
_FIELD_ORDER: Final = {name: place for place, name in enumerate(FIELDS)}


def rules_text(rules: Rules, dialect: Dialect = "named") -> str:
    """All groups, meters and flows, a line each, in an order that does not depend on theirs.

    Flows stand in the order of the pipeline, then by falling priority.
    """
    groups = sorted(rules.groups, key=lambda group: group.group_id)
    meters = sorted(rules.meters, key=lambda meter: meter.meter_id)
    flows = sorted(
        (flow.table, -flow.priority, match_text(flow.match, dialect), flow_text(flow, dialect))
        for flow in rules.flows
    )
    lines = [group_text(group, dialect) for group in groups]
    lines += [meter_text(meter, dialect) for meter in meters]
    lines += [line for *_, line in flows]
    return "".join(f"{line}\n" for line in lines)


def flow_text(flow: Flow, dialect: Dialect = "named") -> str:
    """One line. In the named dialect, `# ...` at its end says where the flow comes from."""
    words = [f"table={_table(flow.table, dialect)}", f"priority={flow.priority}"]
    if flow.cookie:
        words.append(f"cookie={flow.cookie:#x}")
    if flow.idle_timeout:
        words.append(f"idle_timeout={flow.idle_timeout}")
    if flow.match.entries:
        words.append(match_text(flow.match, dialect))
    words.append(f"actions={actions_text(flow.actions, dialect)}")
    return ", ".join(words) + _comment(flow.origin, dialect)


def group_text(group: Group, dialect: Dialect = "named") -> str:
    """One line, however many buckets."""
    head = f"group_id={group.group_id},type={group.kind}"
    buckets = [_bucket_text(bucket, dialect) for bucket in group.buckets]
    return ",".join([head, *buckets]) + _comment(group.origin, dialect)


def meter_text(meter: Meter, dialect: Dialect = "named") -> str:
    """One line; rate and burst in the meter's own unit."""
    unit = "pktps" if meter.per_packet else "kbps"
    burst = (",burst", f",burst_size={meter.burst_kb}") if meter.burst_kb else ("", "")
    text = (
        f"meter={meter.meter_id},{unit}{burst[0]},band=type=drop,rate={meter.rate_kbps}{burst[1]}"
    )
    return text + _comment(meter.origin, dialect)


def match_text(match: Match, dialect: Dialect = "named") -> str:
    """Words joined by commas; "" for a match on everything."""
    entries = {entry.field: entry for entry in match}
    shorthand = _shorthand(entries)
    before = [entry for name, entry in entries.items() if name.startswith(("ct_", "pkt_"))]
    registers = [entry for name, entry in entries.items() if name.startswith(("reg", "metadata"))]
    spelled = set(before) | set(registers)
    if shorthand:
        spelled.add(entries["eth_type"])
    if shorthand and SHORTHANDS[shorthand][1] is not None:
        spelled.add(entries["ip_proto"])
    headers = [entry for entry in entries.values() if entry not in spelled]
    words = [_entry_text(entry, entries, dialect) for entry in _ordered(before)]
    words += [shorthand] if shorthand else []
    words += [_entry_text(entry, entries, dialect) for entry in _ordered(registers)]
    words += [_entry_text(entry, entries, dialect) for entry in _ordered(headers)]
    return ",".join(words)


def actions_text(actions: tuple[Action, ...], dialect: Dialect = "named") -> str:
    """Actions joined by commas; "drop" where there is none."""
    return ",".join(_action_text(action, dialect) for action in actions) or "drop"


def port_text(port: int) -> str:
    """The number, or the reserved port's name."""
    return RESERVED_PORTS.get(port, str(port))


def subfield_text(subfield: Subfield, dialect: Dialect = "named") -> str:
    """Bits of a field as `move` and `output` name them."""
    if dialect == "ovs":
        return f"{FIELDS[subfield.field].nxm}{subfield.bounds or '[]'}"
    return _label(subfield) or f"{subfield.field}{subfield.bounds}"


def value_text(declared: Field, value: int, mask: int) -> str:
    """A field's value, with `/mask` unless the mask is full; flags as +new-est."""
    flags = FLAG_FIELDS.get(declared.name)
    if flags and mask & ~sum(flags.values()) == 0:
        return "".join(
            ("+" if value & bit else "-") + word for word, bit in flags.items() if mask & bit
        )
    if mask == declared.full_mask:
        return port_text(value) if declared.name == "in_port" else declared.form.show(value)
    if declared.form in (IPV4, IPV6):
        prefix = _prefix_length(mask, declared.bits)
        shown = declared.form.show(mask) if prefix is None else str(prefix)
        return f"{declared.form.show(value)}/{shown}"
    if declared.form is MAC:
        return f"{MAC.show(value)}/{MAC.show(mask)}"
    return f"{value:#x}/{mask:#x}"


def _prefix_length(mask: int, bits: int) -> int | None:
    zeros = (mask & -mask).bit_length() - 1
    return bits - zeros if mask >> zeros == (1 << (bits - zeros)) - 1 else None


def _comment(origin: str, dialect: Dialect) -> str:
    return f" # {origin}" if origin and dialect == "named" else ""


def _table(number: int, dialect: Dialect) -> str:
    return table_name(number) if dialect == "named" else str(number)


def _label(subfield: Subfield) -> str:
    return next((named.label for named in NAMED if named == subfield), "")


def _bucket_text(bucket: Bucket, dialect: Dialect) -> str:
    words = [f"weight:{bucket.weight}"] if bucket.weight != 1 else []
    words += [f"watch_port:{bucket.watch_port}"] if bucket.watch_port is not None else []
    return "bucket=" + ",".join([*words, f"actions={actions_text(bucket.actions, dialect)}"])


def _ordered(entries: list[FieldMatch]) -> list[FieldMatch]:
    return sorted(entries, key=lambda entry: _FIELD_ORDER[entry.field])


def _shorthand(entries: dict[str, FieldMatch]) -> str:
    eth_type, ip_proto = entries.get("eth_type"), entries.get("ip_proto")
    if eth_type is None or eth_type.mask != FIELDS["eth_type"].full_mask:
        return ""
    if ip_proto is not None and ip_proto.mask == FIELDS["ip_proto"].full_mask:
        word = _WORDS.get((eth_type.value, ip_proto.value))
        if word:
            return word
    return _WORDS.get((eth_type.value, None), "")


def _entry_text(entry: FieldMatch, entries: dict[str, FieldMatch], dialect: Dialect) -> str:
    declared = FIELDS[entry.field]
    if dialect == "named":
        for named in NAMED:
            if named.field == entry.field and named.mask << named.start == entry.mask:
                return f"{named.label}={entry.value >> named.start}"
    name = declared.match
    if entry.field in TRANSPORT_FIELDS:
        protocol = entries.get("ip_proto")
        is_known = protocol is not None and protocol.value == TRANSPORT_FIELDS[entry.field]
        name = declared.match if is_known else entry.field
    return f"{name}={value_text(declared, entry.value, entry.mask)}"


def _action_text(action: Action, dialect: Dialect) -> str:  # noqa: PLR0911 - one line an action
    match action:
        case Output(port):
            return RESERVED_PORTS.get(port, f"output:{port}")
        case OutputField(source):
            return f"output:{subfield_text(source, dialect)}"
        case SetField():
            return _set_field_text(action, dialect)
        case Move(source, target):
            return f"move:{subfield_text(source, dialect)}->{subfield_text(target, dialect)}"
        case Resubmit(table):
            return f"resubmit(,{_table(table, dialect)})"
        case Goto(table):
            return f"goto_table:{_table(table, dialect)}"
        case ToGroup(group_id):
            return f"group:{group_id}"
        case ApplyMeter(meter_id):
            return f"meter:{meter_id}"
        case SetQueue(queue_id):
            return f"set_queue:{queue_id}"
        case Ct():
            return _ct_text(action, dialect)
        case CtClear():
            return "ct_clear"
        case _:
            assert_never(action)


def _set_field_text(action: SetField, dialect: Dialect) -> str:
    target = action.target
    if not target.is_whole and dialect == "ovs":
        return f"load:{action.value:#x}->{subfield_text(target, dialect)}"
    if dialect == "named" and (_label(target) or not target.is_whole):
        return f"set_field:{action.value}->{subfield_text(target, dialect)}"
    return f"set_field:{FIELDS[target.field].form.show(action.value)}->{target.field}"


def _ct_text(action: Ct, dialect: Dialect) -> str:
    words = ["commit"] if action.commit else []
    words += [f"table={_table(action.table, dialect)}"] if action.table is not None else []
    words += [f"zone={action.zone}"] if action.zone else []
    words += [_nat_text(action.nat)] if action.nat else []
    if action.exec:
        words.append(f"exec({','.join(_action_text(inner, dialect) for inner in action.exec)})")
    return f"ct({','.join(words)})"


def _nat_text(nat: Nat) -> str:
    if not nat.kind:
        return "nat"
    if not nat.address:
        return f"nat({nat.kind})"
    port = f":{nat.port}" if nat.port else ""
    return f"nat({nat.kind}={ipaddress.IPv4Address(nat.address)}{port})"
