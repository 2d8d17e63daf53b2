"""Finds the flow that takes a packet, among thousands: flows grouped by the bits they look at.

A table's flows with the same masks form one shape; a shape is a dict from masked values to its
flow. A lookup tries shapes by falling priority and stops when no better flow can follow (tuple
space search, as Open vSwitch's classifier does it).

Must not know: what the flow then does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from openflow.packet import Packet
from openflow.values import Flow, Group, Meter, Rules

Mask = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Flows of one table that look at the same bits, the best of each value."""

    mask: Mask
    best: int
    flows: dict[tuple[int, ...], tuple[int, Flow]]

    def find(self, packet: Packet) -> tuple[int, Flow] | None:
        if not all(name in packet for name, _ in self.mask):
            return None
        return self.flows.get(tuple(packet[name] & mask for name, mask in self.mask))


class Index:
    """Rules arranged for lookup; built once, never changed.

    As in a switch, of two flows with the same key the later counts. Where two flows of one priority
    take the same packet, OpenFlow leaves the winner open; here the earlier wins.
    """

    def __init__(self, rules: Rules) -> None:
        self.groups: dict[int, Group] = {group.group_id: group for group in rules.groups}
        self.meters: dict[int, Meter] = {meter.meter_id: meter for meter in rules.meters}
        flows = {flow.key: flow for flow in rules.flows}
        by_table: defaultdict[int, list[tuple[int, Flow]]] = defaultdict(list)
        for place, flow in enumerate(flows.values()):
            by_table[flow.table].append((place, flow))
        self._shapes = {table: _shapes(placed) for table, placed in by_table.items()}

    def __iter__(self) -> Iterator[int]:
        """The tables that have flows."""
        return iter(sorted(self._shapes))

    def find(self, table: int, packet: Packet) -> Flow | None:
        """The flow that takes the packet; None on a miss."""
        found: tuple[int, int, Flow] | None = None
        for shape in self._shapes.get(table, ()):
            if found is not None and found[0] > shape.best:
                break
            hit = shape.find(packet)
            if hit is not None:
                place, flow = hit
                if found is None or (flow.priority, found[1]) > (found[0], place):
                    found = flow.priority, place, flow
        return found[2] if found else None


def _shapes(placed: list[tuple[int, Flow]]) -> tuple[_Shape, ...]:
    by_mask: defaultdict[Mask, dict[tuple[int, ...], tuple[int, Flow]]] = defaultdict(dict)
    for place, flow in sorted(placed, key=lambda item: (-item[1].priority, item[0])):
        mask = tuple((entry.field, entry.mask) for entry in flow.match)
        values = tuple(entry.value for entry in flow.match)
        by_mask[mask].setdefault(values, (place, flow))
    shapes = (
        _Shape(mask, max(flow.priority for _, flow in flows.values()), flows)
        for mask, flows in by_mask.items()
    )
    return tuple(sorted(shapes, key=lambda shape: -shape.best))
