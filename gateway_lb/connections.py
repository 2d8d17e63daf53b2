"""How many connections a container has in the whole network: the sum of what its switches counted.

A connection is counted in the switch where its client enters, which may be any; each node agent
writes a row for each of its switches. Rows of before there were several name no switch; they hold
until a row that does is there.

Must not know: how connections are counted (`gateway_lb.conntrack_view`), what a sum is for.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway_lb.health import health_iface
from nib.mirror import Lookups
from nib.observed import Connections
from nib.topology import Switch


@dataclass(frozen=True, slots=True)
class Count:
    """open: connections through one switch or several; at_ms: when they were counted, the oldest
    count of several."""

    open: int
    at_ms: int


def open_connections(key: tuple[str, str], view: Lookups) -> int | None:
    """A container's open connections, by (service name, container id); None: nobody counts them."""
    rows = _rows(key, view)
    return sum(row.open for row in rows) if rows else None


def count_of(key: tuple[str, str], view: Lookups) -> Count | None:
    """The same with its age. Where a switch that is counted has no row yet, it is as old as can be.

    The last word of a switch that is not connected stands, whatever its age.
    """
    rows = {row.switch: row for row in _rows(key, view)}
    if not rows:
        return None
    times = []
    for switch in view.all(Switch):
        row = rows.get(switch.dpid)
        if switch.connected and (row is not None or _is_served(switch.dpid, view)):
            times.append(row.at_ms if row is not None else 0)
    if "" in rows:
        times = [rows[""].at_ms]
    oldest = min(row.at_ms for row in rows.values())
    return Count(sum(row.open for row in rows.values()), min(times, default=oldest))


def _rows(key: tuple[str, str], view: Lookups) -> tuple[Connections, ...]:
    rows = view.connections_of(*key)
    return tuple(row for row in rows if row.switch) or rows


def _is_served(dpid: str, view: Lookups) -> bool:
    """Whether a node agent is at work in the switch."""
    port = view.port_with_iface(health_iface(dpid))
    return port is not None and port.switch == dpid and port.up
