"""Why a packet goes where it goes, from switch to switch.

Runs the packet through the rules that are wanted of the switches it comes to; nothing is asked of a
switch. Which slot a new connection takes, and which of several equally short ways, a switch chooses
by a hash over addresses and ports that is not known here: the explanation shows one and says what
others there are.
Pure: a view of the database in, a value out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway_lb.balance import service_standings
from nib.errors import FieldError
from nib.intent import Service
from nib.mirror import Lookups
from nib.places import switch_called
from nib.records import LocalSlots, SlotTable
from nib.topology import Switch
from openflow import cookies
from openflow.cookies import ROUTE_IDS, Kind
from openflow.fields import ENDPOINT
from openflow.network import Hop, Journey, Place
from openflow.packet import Packet, parse_packet
from openflow.tables import EMPTY, table_name
from openflow.text import actions_text, match_text, port_text
from openflow.values import Bucket, Flow, Group, Output, Resubmit, SetField
from prewire.explaining.concerned import units_of_packet
from prewire.explaining.ends import ends_of
from prewire.explaining.model import model_of
from prewire.explaining.policy import ExplainedPolicy, policy_of

_NOBODY: Final = "none"


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One table of a switch: the flow that took the packet, and the intent it comes from."""

    switch: str
    switch_name: str
    table: str
    match: str
    actions: str
    origin: str


@dataclass(frozen=True, slots=True)
class ExplainedContainer:
    """A container of a service on the packet's way: its state, why, and its slots."""

    service: str
    id: str
    state: str
    reason: str
    slots: int
    slots_in_all: int


@dataclass(frozen=True, slots=True)
class ExplainedPacket:
    """A packet's way. switch: where it comes in; path: the switches it passes; choices: the slots
    or ways of each group; outputs: where it leaves, and how; containers: those of the services on
    its way; policy: what governs it, None before there is any policy."""

    switch: str
    path: tuple[str, ...]
    steps: tuple[ExplainedStep, ...]
    choices: tuple[str, ...]
    outputs: tuple[str, ...]
    containers: tuple[ExplainedContainer, ...]
    policy: ExplainedPolicy | None = None


def explain_packet(text: str, switch: Switch, view: Lookups, now_ms: int) -> ExplainedPacket:
    """Explain a packet in the syntax of ofproto/trace; FieldError where it is not one.

    now_ms: the time at which its service's containers stand as told.
    """
    try:
        packet = parse_packet(text)
    except (ValueError, KeyError) as error:
        raise FieldError(
            "packet", str(error), "write it as in in_port=1,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.100"
        ) from None
    journey = _journey(packet, switch, view)
    return ExplainedPacket(
        switch.dpid,
        tuple(dict.fromkeys(hop.place.switch for hop in journey.hops)),
        tuple(_steps(journey.hops, view)),
        tuple(_choices(journey, view)),
        ends_of(journey, switch.dpid, packet, view),
        tuple(_containers(journey.hops, view, now_ms)),
        policy_of(journey.hops, view),
    )


def switch_for(called: str | None, view: Lookups) -> Switch:
    """The switch of this datapath id or name; None: the only one. FieldError where unclear."""
    if called is not None:
        return switch_called(called, view)
    switches = list(view.all(Switch))
    if len(switches) == 1:
        return switches[0]
    names = ", ".join(sorted(switch.dpid for switch in switches)) or "none has connected yet"
    raise FieldError("switch", f"there are {len(switches)} switches", f"give one of: {names}")


def _journey(packet: Packet, switch: Switch, view: Lookups) -> Journey:
    entry = Place(switch.dpid, packet["in_port"])
    return model_of(view, units_of_packet(packet, view), entry).send(entry, packet)


def _steps(hops: Iterable[Hop], view: Lookups) -> Iterator[ExplainedStep]:
    for hop in hops:
        switch = view.need(Switch, hop.place.switch)
        for step in hop.result.steps:
            yield _step(switch, step.table, step.flow)


def _step(switch: Switch, table: int, flow: Flow | None) -> ExplainedStep:
    at = (switch.dpid, switch.name, table_name(table))
    if flow is None:
        return ExplainedStep(*at, "no flow", "drop", "")
    shown = match_text(flow.match) or "any packet"
    return ExplainedStep(*at, shown, actions_text(flow.actions), flow.origin)


# ------------------------------------------------------------------------------- choices


def _choices(journey: Journey, view: Lookups) -> Iterator[str]:
    """What each group on the way could have done."""
    for hop in journey.hops:
        groups = journey.network.switches[hop.place.switch].groups
        for choice in hop.result.choices:
            group = groups[choice.group_id]
            if choice.group_id in ROUTE_IDS:
                yield _way(group, choice.bucket, hop.place.switch, view)
            else:
                yield _slot(group, choice.bucket, view)


def _way(group: Group, chosen: int, dpid: str, view: Lookups) -> str:
    """The ports that a route may take."""
    ports = [_leaving(bucket, dpid, view) for bucket in group.buckets]
    here = f"{view.need(Switch, dpid).name or dpid}: {group.origin}"
    if group.kind == "ff":
        detour = f", or by {ports[1]} where that is down" if len(ports) > 1 else ""
        return f"{here} by {ports[0]}{detour}; shown is {ports[chosen]}"
    others = ", ".join(ports)
    return f"{here}: the switch picks one of {others} by hash; shown is {ports[chosen]}"


def _leaving(bucket: Bucket, dpid: str, view: Lookups) -> str:
    number = next(action.port for action in bucket.actions if isinstance(action, Output))
    port = view.port_numbered(dpid, number)
    return f"port {port_text(number)}{f' ({port.name})' if port else ''}"


def _slot(group: Group, chosen: int, view: Lookups) -> str:
    """How many slots of a service lead to each container."""
    shares = Counter(_container(bucket, view) for bucket in group.buckets)
    if set(shares) == {_NOBODY}:
        return f"{group.origin}: no container takes new connections"
    shown = ", ".join(f"{name} {slots}/{len(group.buckets)}" for name, slots in shares.items())
    return (
        f"{group.origin}: the switch picks a slot by hash; shown is slot {chosen}; "
        f"slots by container: {shown}"
    )


def _container(bucket: Bucket, view: Lookups) -> str:
    if Resubmit(EMPTY.number) in bucket.actions:
        return _NOBODY
    for action in bucket.actions:
        if isinstance(action, SetField) and action.target == ENDPOINT:
            container = view.container_numbered(action.value)
            return container.id if container else f"number {action.value}"
    return _NOBODY


# ------------------------------------------------------------------------------- containers


def _containers(hops: Iterable[Hop], view: Lookups, now_ms: int) -> Iterator[ExplainedContainer]:
    """The containers of each service whose flows took the packet, with their slots there."""
    for service, dpid in _services(hops, view).items():
        slots = Counter(_slots(view.need(Service, service), dpid, view))
        for standing in service_standings(service, view, now_ms).items:
            container = standing.container
            yield ExplainedContainer(
                service,
                container.id,
                standing.state,
                standing.reason,
                slots[container.number],
                slots.total(),
            )


def _services(hops: Iterable[Hop], view: Lookups) -> dict[str, str]:
    """By name, the switch where a service's flow took the packet first."""
    found: dict[str, str] = {}
    for hop in hops:
        for step in hop.result.steps:
            cookie = cookies.read(step.flow.cookie) if step.flow else None
            if cookie is not None and cookie.kind == Kind.SERVICE:
                service = view.service_numbered(cookie.number)
                if service is not None:
                    found.setdefault(service.name, hop.place.switch)
    return found


def _slots(service: Service, dpid: str, view: Lookups) -> tuple[int, ...]:
    """The slots for the clients of a switch."""
    local = view.get(LocalSlots, (service.name, dpid)) if service.locality == "prefer" else None
    table = local or view.get(SlotTable, service.name)
    return table.slots if table else ()
