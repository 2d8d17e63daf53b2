"""From policies and classes to flows and meters: whose traffic it is, its limit, mark and queue.

A packet is policed once, at the edge port that it comes in by, when its real source and destination
are known: table source notes the service it comes from, before a reply's source is rewritten to the
VIP; table destination the service it goes to, after a VIP has become a container. Their policy
(of the pair, else of the destination, else of the source) gives it its class. Switches that it
passes on its way know the class by its DSCP.

While there is no policy there are none of these flows.

Must not know: rates of others, where anything is, how queues are enforced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nib.qos import Policy, QosClass
from openflow import tables
from openflow.cookies import METER_IDS, Kind
from openflow.families import FAMILIES, PROTOCOLS, address_number, family_of
from openflow.fields import CLASS, PROTO_TCP, SOURCE_SERVICE, TARGET_SERVICE
from openflow.flow_rows import Fields, Row, flows_of
from openflow.packet import ACK, SYN
from openflow.values import (
    Action,
    ApplyMeter,
    Goto,
    Meter,
    Rules,
    SetField,
    SetQueue,
    match,
    set_field,
)
from qos.classes import DEFAULT, class_number

# Of what came in by an edge port and from no service that a policy names.
OUTSIDE: Final = 0xFFFF_FFFF

# A policy has two meters: one of bits, one of packets.
_POLICY_METERS: Final = METER_IDS.start + 0x1000

# The first packet of a TCP connection.
_BEGINS: Final[tuple[Fields, ...]] = tuple(
    {"eth_type": family.eth_type, "ip_proto": PROTO_TCP, "tcp_flags": (SYN, SYN | ACK)}
    for family in FAMILIES
)

_TO_CONNTRACK: Final = Goto(tables.CONNTRACK.number)
_TO_POLICE: Final = Goto(tables.POLICE.number)
_TO_MARK: Final = Goto(tables.MARK.number)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one switch lets through of a policy; None = no limit. burst_ms: of the rate."""

    bps: int | None = None
    pps: int | None = None
    burst_ms: int = 1000


@dataclass(frozen=True, slots=True)
class Member:
    """A service that an address stands for, and the container's ports that are the service's."""

    service: int
    ports: frozenset[tuple[str, int]] = frozenset()


def class_rules(classes: Sequence[QosClass]) -> Rules:
    """What every switch does by class, once there is any policy."""
    rows = [
        Row(tables.SOURCE, 10, match(), (SetField(SOURCE_SERVICE, OUTSIDE), _TO_CONNTRACK)),
        Row(tables.POLICE, 200, match(reg8=0), (_TO_MARK,)),
    ]
    flows = [*flows_of(Kind.CLASS, 0, "classes", rows)]
    for each in classes:
        flows += flows_of(Kind.CLASS, class_number(each), f"class {each.name}", _class_rows(each))
    return Rules(tuple(flows))


def _class_rows(each: QosClass) -> list[Row]:
    number = class_number(each)
    onward: tuple[Action, ...] = (SetQueue(each.queue), Goto(tables.FORWARD.number))
    rows = []
    for family in FAMILIES:
        packets: Fields = {"eth_type": family.eth_type}
        ours = match(**packets, reg10=(number, CLASS.mask))
        marked = match(**packets, reg10=(0, CLASS.mask), ip_dscp=each.dscp)
        rows.append(Row(tables.MARK, 100, ours, (set_field("ip_dscp", each.dscp), *onward)))
        rows.append(Row(tables.MARK, 90, marked, onward))
    if each.name == DEFAULT:
        plain = (SetField(CLASS, number), _TO_MARK)
        rows.append(Row(tables.POLICE, 10, match(), plain))
    return rows


def member_rules(address: str, members: Sequence[Member]) -> Rules:
    """Which services an address stands for.

    members: by age; the first is whose the address is where the port does not say, and whose a
    port is that several have.
    """
    rows: list[Row] = []
    family = family_of(address)
    for source, field, register, onward in (
        (True, family.src, SOURCE_SERVICE, _TO_CONNTRACK),
        (False, family.dst, TARGET_SERVICE, _TO_POLICE),
    ):
        table = tables.SOURCE if source else tables.DESTINATION
        packets: Fields = {"eth_type": family.eth_type, field: address}
        known = (SetField(register, members[0].service), onward)
        rows.append(Row(table, 50, match(**packets), known))
        side = "src" if source else "dst"
        for (protocol, port), service in _others(members).items():
            own: Fields = {"ip_proto": PROTOCOLS[protocol], f"{protocol}_{side}": port}
            known = (SetField(register, service), onward)
            rows.append(Row(table, 60, match(**packets, **own), known))
    return Rules(flows_of(Kind.MEMBER, address_number(address), f"address {address}", rows))


def _others(members: Sequence[Member]) -> dict[tuple[str, int], int]:
    """The services of the ports that are not the first member's."""
    taken = set(members[0].ports)
    found: dict[tuple[str, int], int] = {}
    for member in members[1:]:
        found |= dict.fromkeys(sorted(member.ports - taken), member.service)
        taken |= member.ports
    return found


def policy_rules(
    policy: Policy,
    of_class: QosClass,
    ends: tuple[int | None, int | None],
    limits: Limits,
    *,
    is_closed: bool = False,
) -> Rules:
    """One policy in one switch. ends: the numbers of its source and destination, None = anyone.

    is_closed: it has all the connections that it may have.
    """
    source, destination = ends
    priority = 60 if destination is None else 80 if source is None else 100
    packets: Fields = {}
    if source is not None:
        packets[SOURCE_SERVICE.field] = source
    if destination is not None:
        packets[TARGET_SERVICE.field] = destination
    meters = _meters(policy, limits)
    known: tuple[Action, ...] = (SetField(CLASS, class_number(of_class)),)
    passing = [(*_metered(meter), *known) for meter in meters[:1] or (None,)]
    two = len(meters) > 1
    rows = [
        Row(
            tables.POLICE,
            priority,
            match(**packets),
            (*passing[0], Goto(tables.PACE.number) if two else _TO_MARK),
        )
    ]
    if two:
        rows.append(Row(tables.PACE, priority, match(**packets), (*_metered(meters[1]), _TO_MARK)))
    if is_closed:
        rows += [
            Row(tables.POLICE, priority + 5, match(**packets, **begins), ()) for begins in _BEGINS
        ]
    flows = flows_of(Kind.POLICY, policy.number, f"policy {policy.name}", rows)
    return Rules(flows, (), tuple(meters))


def _metered(meter: Meter | None) -> tuple[Action, ...]:
    return () if meter is None else (ApplyMeter(meter.meter_id),)


def _meters(policy: Policy, limits: Limits) -> list[Meter]:
    """Of bits and of packets, as far as there are limits."""
    origin = f"policy {policy.name}"
    meters = []
    if limits.bps is not None:
        kbps = max(1, limits.bps // 1000)
        burst = max(1, kbps * limits.burst_ms // 1000)
        meters.append(Meter(bit_meter(policy.number), kbps, burst, origin=origin))
    if limits.pps is not None:
        burst = max(1, limits.pps * limits.burst_ms // 1000)
        number = bit_meter(policy.number) + 1
        meters.append(Meter(number, limits.pps, burst, per_packet=True, origin=origin))
    return meters


def bit_meter(number: int) -> int:
    """The id of the meter of a policy's bits; that of its packets is the next."""
    return _POLICY_METERS + 2 * number


def policy_of_meter(meter_id: int) -> int | None:
    """The number of the policy whose meter this is; None: it is no policy's."""
    number = (meter_id - _POLICY_METERS) // 2
    return number if meter_id in METER_IDS and number > 0 else None
