"""From a chosen container's number to its address: the flows of each container of a service.

Owns what stands between the group's choice and the container: committing the connection, recalling
it, rewriting the destination.

Must not know: how a choice is made, the way back (`gateway_lb.replies`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gateway_lb import replies
from gateway_lb.neighbours import VIP_MAC
from gateway_lb.replies import Front, fronts_of, origin_zone
from nib.intent import Container, Service
from openflow import tables
from openflow.cookies import Kind
from openflow.families import family_of
from openflow.fields import (
    ASKING_PORT,
    CLIENT_MAC,
    CLIENT_PORT,
    CT_MARK,
    ENDPOINT,
    IN_PORT_NUMBER,
    ORIGIN_PORT,
    Subfield,
    whole,
)
from openflow.flow_rows import Fields, Row, flows_of
from openflow.values import (
    FROM_NOWHERE,
    Action,
    Ct,
    Goto,
    Match,
    Move,
    Rules,
    SetField,
    match,
    set_field,
)

# How much of a UDP client's port takes part in the choice of a slot: enough to reach all 256, and
# no more, for the switch keeps a fast-path entry for each value.
_HASHED_BITS: Final = 10


@dataclass(frozen=True, slots=True)
class Placed:
    """A container beside its neighbours.

    shared: its (protocol, port)s that stand behind several ports of VIPs.
    """

    container: Container
    shared: frozenset[tuple[str, int]] = frozenset()


def container_rules(service: Service, placed: Placed, zone: int) -> Rules:
    """What leads to one of a service's containers, in one switch. zone: its conntrack zone."""
    by_protocol: dict[str, list[Front]] = {}
    for front in fronts_of(service, placed.container):
        by_protocol.setdefault(front.protocol, []).append(front)
    rows: list[Row] = []
    for protocol, fronts in by_protocol.items():
        chosen = match(**fronts[0].packets, **{ENDPOINT.field: placed.container.number})
        rows.append(Row(tables.REMEMBER, 100, chosen, _remember(service, protocol, zone)))
        rows += _endpoints(fronts, placed, zone)
        if service.mode == "stateful":
            rows += _recalled(fronts, placed, chosen, zone)
    origin = f"container {service.name}/{placed.container.id}"
    return Rules(flows_of(Kind.CONTAINER, placed.container.number, origin, rows))


def _remember(service: Service, protocol: str, zone: int) -> tuple[Action, ...]:
    onward = Goto(tables.ENDPOINT.number)
    if service.mode == "stateless":
        return *restored(service, protocol), onward
    return *restored(service, protocol), _committed(zone), onward


@lru_cache(maxsize=1 << 10)
def _committed(zone: int) -> Ct:
    """Conntrack remembers the chosen container, and where the client is."""
    kept = (
        Move(ENDPOINT, CT_MARK),
        Move(whole("eth_src"), CLIENT_MAC),
        Move(IN_PORT_NUMBER, CLIENT_PORT),
    )
    return Ct(zone, commit=True, exec=kept)


def _recalled(fronts: Sequence[Front], placed: Placed, chosen: Match, zone: int) -> list[Row]:
    """What only tracked connections of one protocol have."""
    first = fronts[0]
    rows: list[Row] = []
    if first.protocol == "udp":
        rows.append(Row(tables.RECALL, 100, chosen, (Goto(tables.ENDPOINT.number),)))
    if any((front.protocol, front.target) in placed.shared for front in fronts):
        rows += replies.origin_flows(first, zone)
    if first.protocol == "tcp" and first.service.ejection is not None:
        rows += replies.outcome_flows(first)
    return rows


def _endpoints(fronts: Sequence[Front], placed: Placed, zone: int) -> list[Row]:
    """Rewriting to the container, by the port asked for where there are several.

    Where the container is, only table forward knows. It may be behind the port that the packet came
    in by: a container that reaches itself, or another beside it.
    """
    rows: list[Row] = []
    for front in fronts:
        fields: Fields = {**front.packets, ENDPOINT.field: placed.container.number}
        if len(fronts) > 1:
            fields[f"{front.protocol}_dst"] = front.port
        kept = _origin_kept(front, placed, zone)
        onward = (*kept, FROM_NOWHERE, Goto(tables.DESTINATION.number))
        rows.append(Row(tables.ENDPOINT, 100, match(**fields), (*_to_target(front), *onward)))
        if front.service.mode == "stateful":
            fields[front.family.src] = placed.container.address
            rows.append(Row(tables.ENDPOINT, 110, match(**fields), (*_from_vip(front), *onward)))
    return rows


def _to_target(front: Front) -> tuple[Action, ...]:
    return (
        set_field("eth_dst", front.container.mac),
        set_field(front.family.dst, front.container.address),
        set_field(f"{front.protocol}_dst", front.target),
    )


def _from_vip(front: Front) -> tuple[Action, ...]:
    """A container that reaches itself by a VIP: it would drop packets from its own address."""
    source = (set_field("eth_src", VIP_MAC), set_field(front.family.src, front.service.vip))
    return *source, *_to_target(front)


def _origin_kept(front: Front, placed: Placed, zone: int) -> tuple[Action, ...]:
    """Where the container's port is shared, whose connection this is."""
    if (front.protocol, front.target) not in placed.shared:
        return ()
    kept = (SetField(CT_MARK, front.container.number), SetField(ORIGIN_PORT, front.port))
    return (Ct(origin_zone(zone), commit=True, exec=kept),)


# ------------------------------------------------------------------------------- hashing


def hidden_from_hash(service: Service, protocol: str) -> tuple[Action, ...]:
    """What is written before the group chooses, so that it hashes what it should.

    Open vSwitch hashes addresses and, for TCP alone, ports. Where a client's address alone counts,
    its port is put aside; else a UDP client's port goes into the VIP's low bits, or all that one
    client sends by UDP would go to one container. `restored` takes both back.
    """
    if service.policy == "source_affinity":
        port = f"{protocol}_src"
        return Move(whole(port), ASKING_PORT), set_field(port, 0)
    if protocol == "udp":
        low_bits = Subfield(family_of(service.vip).dst, 0, _HASHED_BITS)
        return (Move(Subfield("udp_src", 0, _HASHED_BITS), low_bits),)
    return ()


def restored(service: Service, protocol: str) -> tuple[Action, ...]:
    """What `hidden_from_hash` put aside, back in its place."""
    if service.policy == "source_affinity":
        return (Move(ASKING_PORT, whole(f"{protocol}_src")),)
    if protocol == "udp":
        return (set_field(family_of(service.vip).dst, service.vip),)
    return ()
