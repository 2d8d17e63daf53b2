"""Why a packet goes where it goes, and where a flow comes from.

Compiles a switch's rules from the database and runs the packet through them; nothing is asked of
the switch. A new connection's slot is the switch's own choice, by a hash over addresses and ports
that is not known here: the explanation shows one and says how many slots lead to each container.
Pure: a view of the database in, a value out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from gateway_lb.balance import service_standings
from gateway_lb.families import address_number
from nib.errors import FieldError
from nib.mirror import Lookups
from nib.records import Container, Service, SlotTable, Switch
from openflow import cookies
from openflow.cookies import Kind
from openflow.fields import ENDPOINT
from openflow.interpreter import Result, Sent, Step, run
from openflow.packet import Packet, packet_text, parse_packet
from openflow.parse import parse_flow
from openflow.tables import EMPTY, SERVICE, table_name
from openflow.tables import ENDPOINT as ENDPOINT_TABLE
from openflow.text import actions_text, flow_text, match_text, port_text
from openflow.values import CONTROLLER, Bucket, Flow, Resubmit, Rules, SetField, merged
from ryu_apps.compile import compile_state

_NOBODY: Final = "none"

# Table -> why a packet goes from it to the controller.
_TO_CONTROLLER: Final = {
    EMPTY.number: "the service has no container that takes new connections",
    SERVICE.number: "a cap on connections: the controller admits each new one",
    ENDPOINT_TABLE.number: "its container is gone: the connection is reset",
}


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One table: the flow that took the packet, and the intent it comes from."""

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
    """A packet's way. choices: the slots of each group on it; outputs: where it leaves, and how;
    containers: those of the services on its way."""

    switch: str
    steps: tuple[ExplainedStep, ...]
    choices: tuple[str, ...]
    outputs: tuple[str, ...]
    containers: tuple[ExplainedContainer, ...]


@dataclass(frozen=True, slots=True)
class ExplainedFlow:
    """A flow's origin. wanted: "" if it should not be there, else how it should read."""

    switch: str
    owner: str
    origin: str
    wanted: str


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
    rules = _rules(switch, view)
    result = run(rules, packet)
    return ExplainedPacket(
        switch.dpid,
        tuple(_step(step.table, step.flow) for step in result.steps),
        tuple(_choices(result, rules, view)),
        tuple(_output(sent, packet, result.steps) for sent in result.outputs) or ("dropped",),
        tuple(_containers(result.steps, view, now_ms)),
    )


def explain_flow(text: str, switch: Switch, view: Lookups) -> ExplainedFlow:
    """Explain a flow as `ovs-ofctl dump-flows` or prewire prints it; FieldError likewise."""
    try:
        flow = parse_flow(text)
    except (ValueError, KeyError) as error:
        raise FieldError("flow", str(error), "give one line of ovs-ofctl dump-flows") from None
    wanted = {each.key: each for each in _rules(switch, view).flows}.get(flow.key)
    return ExplainedFlow(
        switch.dpid,
        _owner(flow, view),
        wanted.origin if wanted else "",
        flow_text(wanted) if wanted else "",
    )


def switch_for(called: str | None, view: Lookups) -> Switch:
    """The switch of this datapath id or name; None: the only one. FieldError where unclear."""
    switches = sorted(view.all(Switch), key=lambda switch: switch.dpid)
    if called is None and len(switches) == 1:
        return switches[0]
    found = [switch for switch in switches if called in (switch.dpid, switch.name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(switch.dpid for switch in switches) or "none has connected yet"
    raise FieldError("switch", f"{called!r} is not one switch", f"give one of: {names}")


def _rules(switch: Switch, view: Lookups) -> Rules:
    return merged(compile_state(view, switch).values())


def _step(table: int, flow: Flow | None) -> ExplainedStep:
    if flow is None:
        return ExplainedStep(table_name(table), "no flow", "drop", "")
    return ExplainedStep(
        table_name(table),
        match_text(flow.match) or "any packet",
        actions_text(flow.actions),
        flow.origin,
    )


def _choices(result: Result, rules: Rules, view: Lookups) -> list[str]:
    groups = {group.group_id: group for group in rules.groups}
    lines = []
    for choice in result.choices:
        group = groups[choice.group_id]
        shares = Counter(_container(bucket, view) for bucket in group.buckets)
        if set(shares) == {_NOBODY}:
            lines.append(f"{group.origin}: no container takes new connections")
            continue
        shown = ", ".join(f"{name} {slots}/{len(group.buckets)}" for name, slots in shares.items())
        lines.append(
            f"{group.origin}: the switch picks a slot by hash; shown is slot {choice.bucket}; "
            f"slots by container: {shown}"
        )
    return lines


def _container(bucket: Bucket, view: Lookups) -> str:
    if Resubmit(EMPTY.number) in bucket.actions:
        return _NOBODY
    for action in bucket.actions:
        if isinstance(action, SetField) and action.target == ENDPOINT:
            container = view.container_numbered(action.value)
            return container.id if container else f"number {action.value}"
    return _NOBODY


def _containers(steps: Iterable[Step], view: Lookups, now_ms: int) -> Iterable[ExplainedContainer]:
    """The containers of each service whose flows took the packet."""
    for service in _services(steps, view):
        table = view.get(SlotTable, service.name)
        slots = Counter(table.slots if table else ())
        for standing in service_standings(service.name, view, now_ms).items:
            container = standing.container
            yield ExplainedContainer(
                service.name,
                container.id,
                standing.state,
                standing.reason,
                slots[container.number],
                slots.total(),
            )


def _services(steps: Iterable[Step], view: Lookups) -> list[Service]:
    found: dict[str, Service] = {}
    for step in steps:
        cookie = cookies.read(step.flow.cookie) if step.flow else None
        if cookie is not None and cookie.kind == Kind.SERVICE:
            service = view.service_numbered(cookie.number)
            if service is not None:
                found[service.name] = service
    return list(found.values())


def _output(sent: Sent, before: Packet, steps: Iterable[Step]) -> str:
    """The port, and the headers where they changed; registers stay in the switch."""
    if sent.port == CONTROLLER:
        return f"to the controller: {_why_controller(sent, steps)}"
    leaving, came = (_headers(packet) for packet in (sent.packet, before))
    shown = f" as {packet_text(leaving)}" if leaving != came else ""
    return f"port {port_text(sent.port)}{shown}"


def _why_controller(sent: Sent, steps: Iterable[Step]) -> str:
    """By the last lookup of the packet that was sent there."""
    last = [step for step in steps if step.fork == sent.fork][-1:]
    if not last or last[0].flow is None:
        return "no flow says why"
    step, flow = last[0], last[0].flow
    return _TO_CONTROLLER.get(step.table) or flow.origin or f"table {table_name(step.table)}"


def _headers(packet: Packet) -> Packet:
    inner = ("reg", "ct_", "in_port", "metadata", "pkt_mark")
    return Packet({name: value for name, value in packet.items() if not name.startswith(inner)})


def _owner(flow: Flow, view: Lookups) -> str:
    cookie = cookies.read(flow.cookie)
    if cookie is None:
        return "not prewire's: its cookie does not begin with 0x70"
    epoch = f", written in epoch {cookie.epoch}"
    match cookie.kind:
        case Kind.SERVICE:
            service = view.service_numbered(cookie.number)
            return f"service {service.name if service else f'number {cookie.number}, gone'}{epoch}"
        case Kind.CONTAINER:
            container = view.container_numbered(cookie.number)
            name = "/".join(container.key) if container else f"number {cookie.number}, gone"
            return f"container {name}{epoch}"
        case Kind.VIP | Kind.HOST as kind:
            return f"{kind.name.lower()} {_address(cookie.number, view)}{epoch}"
        case kind:
            return f"{kind.name.lower()}{epoch}"


def _address(number: int, view: Lookups) -> str:
    """The address that a cookie's number stands for: an IPv6 one by what is in the database."""
    known = {service.vip for service in view.all(Service)}
    known |= {container.address for container in view.all(Container)}
    found = sorted(each for each in known if address_number(each) == number)
    return found[0] if found else str(IPv4Address(number))
