"""Why a packet goes where it goes, and where a flow comes from.

Compiles a switch's rules from the database and runs the packet through them; nothing is asked of
the switch. A new connection's slot is the switch's own choice, by a hash over addresses and ports
that is not known here: the explanation shows one and says how many slots lead to each container.
Pure: a view of the database in, a value out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address

from nib.errors import FieldError
from nib.mirror import Lookups
from nib.records import Switch
from openflow import cookies
from openflow.cookies import Kind
from openflow.fields import ENDPOINT
from openflow.interpreter import Result, Sent, run
from openflow.packet import Packet, packet_text, parse_packet
from openflow.parse import parse_flow
from openflow.tables import table_name
from openflow.text import actions_text, flow_text, match_text, port_text
from openflow.values import Bucket, Flow, Rules, SetField, merged
from ryu_apps.compile import compile_state


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One table: the flow that took the packet, and the intent it comes from."""

    table: str
    match: str
    actions: str
    origin: str


@dataclass(frozen=True, slots=True)
class ExplainedPacket:
    """A packet's way. choices: the slots of each group on it; outputs: where it leaves, and how."""

    switch: str
    steps: tuple[ExplainedStep, ...]
    choices: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExplainedFlow:
    """A flow's origin. wanted: "" if it should not be there, else how it should read."""

    switch: str
    owner: str
    origin: str
    wanted: str


def explain_packet(text: str, switch: Switch, view: Lookups) -> ExplainedPacket:
    """Explain a packet in the syntax of ofproto/trace; FieldError where it is not one."""
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
        tuple(_output(sent, packet) for sent in result.outputs) or ("dropped",),
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
        shown = ", ".join(f"{name} {slots}/{len(group.buckets)}" for name, slots in shares.items())
        lines.append(
            f"{group.origin}: the switch picks a slot by hash; shown is slot {choice.bucket}; "
            f"slots by container: {shown}"
        )
    return lines


def _container(bucket: Bucket, view: Lookups) -> str:
    for action in bucket.actions:
        if isinstance(action, SetField) and action.target == ENDPOINT:
            container = view.container_numbered(action.value)
            return container.id if container else f"number {action.value}"
    return "none"


def _output(sent: Sent, before: Packet) -> str:
    """The port, and the headers where they changed; registers stay in the switch."""
    leaving, came = (_headers(packet) for packet in (sent.packet, before))
    shown = f" as {packet_text(leaving)}" if leaving != came else ""
    return f"port {port_text(sent.port)}{shown}"


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
            return f"{kind.name.lower()} {IPv4Address(cookie.number)}{epoch}"
        case kind:
            return f"{kind.name.lower()}{epoch}"
