"""What became of a packet, in words: where it left and how, or why it went no further.

Must not know: how the packet was followed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from nib.mirror import Lookups
from nib.topology import Switch
from openflow.interpreter import Sent, Step
from openflow.network import MOST_HOPS, End, Hop, Journey
from openflow.packet import Packet, packet_text
from openflow.tables import EMPTY, ENDPOINT, SERVICE, table_name
from openflow.text import port_text
from prewire.explaining.flow import route_targets
from prewire.explaining.policy import is_closed_gate
from ryu_apps.forwarding import ASK_METER, LEARN_METER, PROBE_METER, UNKNOWN_METER

# Why a packet goes to the controller: by the last meter that it passed, else by its last table.
_BY_METER: Final = {
    PROBE_METER: "link probes are for it alone",
    LEARN_METER: "a station speaks where it is not known to be: it is learned",
    ASK_METER: "nobody known has that address: the controller asks at all edge ports",
    UNKNOWN_METER: "no station with that MAC address is known: unless that changes, it is dropped",
}
_BY_TABLE: Final = {
    EMPTY.number: "the service has no container that takes new connections",
    SERVICE.number: "a cap on connections: the controller admits each new one",
    ENDPOINT.number: "its container is gone: the connection is reset",
}


def ends_of(journey: Journey, entry: str, before: Packet, view: Lookups) -> tuple[str, ...]:
    """A line for each end and each error. entry: the switch that `before` came in by."""
    ends = [_end(end, journey.hops, entry, before, view) for end in journey.ends]
    return (*ends, *(f"given up: {error}" for error in journey.errors))


def _end(end: End, hops: Iterable[Hop], entry: str, before: Packet, view: Lookups) -> str:
    at = "" if end.place.switch == entry else f" of {_name(end.place.switch, view)}"
    match end.fate:
        case "controller" if end.sent is not None:
            steps = _steps(end, hops)
            sender = f" by {_name(end.place.switch, view)}" if at else ""
            return f"to the controller{sender}: {_why(end.sent, steps)}"
        case "dropped":
            where = f" by {_name(end.place.switch, view)}" if at else ""
            return f"dropped{where}{_why_dropped(_steps(end, hops), view)}"
        case "looped":
            return f"given up after {MOST_HOPS} switches"
        case fate:
            down = ", which is down" if fate == "lost" else ""
            return f"port {port_text(end.place.port)}{at}{_changed(end.packet, before)}{down}"


def _changed(leaving: Packet, before: Packet) -> str:
    """The headers, where they are not those that came in."""
    return "" if leaving == before.outside() else f" as {packet_text(leaving)}"


def _steps(end: End, hops: Iterable[Hop]) -> tuple[Step, ...]:
    """What the last switch did."""
    return next(hop.result.steps for hop in hops if hop.place == end.path[-1])


def _why_dropped(steps: tuple[Step, ...], view: Lookups) -> str:
    """Where it was for a switch that no way leads to."""
    flow = steps[-1].flow if steps else None
    if flow is not None and is_closed_gate(flow):
        return f": {flow.origin} has all the connections that it may have"
    target = next(route_targets(flow, view), None) if flow else None
    return f": there is no way to {target}" if target else ""


def _why(sent: Sent, steps: Iterable[Step]) -> str:
    """By the last meter, or the last lookup, of the packet that was sent there."""
    if sent.meters and sent.meters[-1] in _BY_METER:
        return _BY_METER[sent.meters[-1]]
    last = [step for step in steps if step.fork == sent.fork][-1:]
    if not last or last[0].flow is None:
        return "no flow says why"
    step, flow = last[0], last[0].flow
    return _BY_TABLE.get(step.table) or flow.origin or f"table {table_name(step.table)}"


def _name(dpid: str, view: Lookups) -> str:
    switch = view.get(Switch, dpid)
    return (switch.name if switch else "") or dpid
