"""From services and containers to flows and groups: the way from a VIP to a container.

A new connection to a VIP chooses a slot of the service's group; conntrack remembers the chosen
container's number and where the client is; flows rewrite the headers, forth and (in
`gateway_lb.replies`) back. There is no `ct(nat)`: it keeps stale reverse entries under port reuse,
and connections from one busy client then fail.

A stateless service skips conntrack: every packet chooses its slot by hash.

A client's packets are balanced once, in the switch they enter by. A container may be behind any
switch: what was rewritten to its address goes there as all packets do.

Must not know: how slots are dealt, how flows are sent, where anything is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from gateway_lb import neighbours, replies
from gateway_lb.endpoints import hidden_from_hash, restored
from nib.intent import Container, Service
from openflow import tables
from openflow.cookies import GROUP_IDS, METER_IDS, Kind
from openflow.families import FAMILIES, PROTOCOLS, Family, family_of
from openflow.fields import CT_MARK, ENDPOINT
from openflow.flow_rows import Fields, Row, flows_of
from openflow.values import (
    CONTROLLER,
    ApplyMeter,
    Bucket,
    Ct,
    Flow,
    Goto,
    Group,
    Meter,
    Move,
    Output,
    Resubmit,
    Rules,
    SetField,
    ToGroup,
    match,
    merged,
)

# Packets a second that a switch may send to its controller, by what for.
RESET_METER: Final = METER_IDS.start  # of connections whose container is gone
EMPTY_METER: Final = METER_IDS.start + 1  # of services without a container
ADMIT_METER: Final = METER_IDS.start + 2  # new connections of services with a cap
_ADMISSION: Final = (ApplyMeter(ADMIT_METER), Output(CONTROLLER))
_PUNTED_A_SECOND: Final = {RESET_METER: 1000, EMPTY_METER: 500, ADMIT_METER: 1000}


def base_rules() -> Rules:
    """Flows and meters that every switch holds, whatever the services."""
    meters = tuple(
        Meter(number, rate, rate, per_packet=True, origin="base: to the controller")
        for number, rate in _PUNTED_A_SECOND.items()
    )
    rows: list[Row] = []
    for family in FAMILIES:
        rows += [*_recalls(family), _container_gone(family)]
    flows = flows_of(Kind.BASE, 0, "base: load balancing", rows)
    return merged((Rules(flows, (), meters), neighbours.base_rules(), replies.base_rules()))


def service_rules(
    service: Service, slots: Sequence[int], zone: int, *, admitted: bool = False
) -> Rules:
    """From a service's VIP to a choice of one of its containers, in one switch.

    slots: container numbers by slot (gateway_lb.slots); zone: the switch's conntrack zone;
    admitted: whether the controller admits its new connections one by one (`is_capped`).
    """
    flows = _service_flows(service, zone, admitted=admitted)
    if not slots:
        flows += _no_container(service)
    return Rules(flows, (service_group(service, slots),))


def is_capped(service: Service, containers: Iterable[Container]) -> bool:
    """Whether a service of these containers, or one of them, may have so many connections only."""
    caps = (container.max_connections for container in containers)
    return service.max_connections is not None or any(cap is not None for cap in caps)


def group_id(service: Service) -> int:
    """The id of a service's group in every switch."""
    return GROUP_IDS.start + service.number


def service_group(service: Service, slots: Sequence[int]) -> Group:
    """The select group of a service: bucket id = slot. Without slots, one that tells of it."""
    buckets = tuple(_bucket(number) for number in slots)
    if not slots:
        nobody = (SetField(ENDPOINT, service.number), Resubmit(tables.EMPTY.number))
        buckets = (Bucket(nobody),)
    return Group(group_id(service), "select", buckets, origin=f"service {service.name}")


@lru_cache(maxsize=1 << 8)
def _bucket(number: int) -> Bucket:
    """A choice of a container; kept, because a table repeats it up to 256 times."""
    return Bucket((SetField(ENDPOINT, number), Resubmit(tables.REMEMBER.number)))


# ------------------------------------------------------------------------------- of a service


def _service_flows(service: Service, zone: int, *, admitted: bool) -> tuple[Flow, ...]:
    """From the VIP's ports to the group."""
    rows: list[Row] = []
    stateful = service.mode == "stateful"
    for _, port, protocol in service.fronts:
        choose = (*hidden_from_hash(service, protocol), ToGroup(group_id(service)))
        table = tables.SERVICE.number
        entry = Ct(zone, table=table) if stateful else Goto(table)
        packets = _on_front(service, port, protocol)
        rows.append(Row(tables.CONNTRACK, 100, match(**packets), (entry,)))
        new: Fields = {"ct_state": "+new+trk"} if stateful else {}
        chosen = _ADMISSION if admitted and protocol == "tcp" else choose
        rows.append(Row(tables.SERVICE, 100, match(**packets, **new), chosen))
        if stateful and protocol == "udp":
            rows.append(Row(tables.RECALL, 50, match(**packets), choose))
    return _flows_of(service, rows)


def _flows_of(service: Service, rows: Sequence[Row]) -> tuple[Flow, ...]:
    return flows_of(Kind.SERVICE, service.number, f"service {service.name}", rows)


def _on_front(service: Service, port: int, protocol: str) -> Fields:
    """Packets to one port of the service's VIP."""
    family = family_of(service.vip)
    return {
        "eth_type": family.eth_type,
        "ip_proto": PROTOCOLS[protocol],
        family.dst: service.vip,
        f"{protocol}_dst": port,
    }


def _no_container(service: Service) -> tuple[Flow, ...]:
    """The controller refuses, or holds, what no container takes."""
    family = family_of(service.vip)
    rows: list[Row] = []
    for protocol in dict.fromkeys(protocol for *_, protocol in service.fronts):
        of_service: Fields = {
            "eth_type": family.eth_type,
            "ip_proto": PROTOCOLS[protocol],
            ENDPOINT.field: service.number,
        }
        told = (ApplyMeter(EMPTY_METER), *restored(service, protocol), Output(CONTROLLER))
        rows.append(Row(tables.EMPTY, 100, match(**of_service), told))
    return _flows_of(service, rows)


# ------------------------------------------------------------------------------- in every switch


def _recalls(family: Family) -> list[Row]:
    """A connection that conntrack knows goes to the container that it remembers.

    So do packets that conntrack finds invalid in it (a SYN of a client that lost its state, a reset
    out of the window): the container's own TCP judges them, as it would without a switch between.
    """
    established: Fields = {"eth_type": family.eth_type, "ct_state": "+est+trk"}
    invalid: Fields = {
        "eth_type": family.eth_type,
        "ip_proto": PROTOCOLS["tcp"],
        "ct_state": "+inv+trk",
    }
    remembered = Move(CT_MARK, ENDPOINT)
    onward = Goto(tables.ENDPOINT.number)
    udp = match(**established, ip_proto=PROTOCOLS["udp"])
    return [
        Row(tables.SERVICE, 60, udp, (remembered, Goto(tables.RECALL.number))),
        Row(tables.SERVICE, 50, match(**established), (remembered, onward)),
        Row(tables.SERVICE, 45, match(**invalid, ct_mark=0), ()),
        Row(tables.SERVICE, 40, match(**invalid), (remembered, onward)),
    ]


def _container_gone(family: Family) -> Row:
    """The controller resets an established connection whose container is no more."""
    tcp = match(eth_type=family.eth_type, ip_proto=PROTOCOLS["tcp"])
    return Row(tables.ENDPOINT, 10, tcp, (ApplyMeter(RESET_METER), Output(CONTROLLER)))
