"""Dealing slots: from what is known of a service's containers to its next slot tables.

One table of all containers; with locality also one for the clients of each switch, of the switch's
own containers as long as one of them can take more, else of all.

Pure: a view of the database and the time in, records out.

Must not know: flows, switches' connections, who saves the tables.
"""

from __future__ import annotations

from collections.abc import Container as Holding
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway_lb.balance import Standings, service_standings
from gateway_lb.placement import port_of
from gateway_lb.slots import slot_table
from nib.intent import Service
from nib.mirror import Lookups
from nib.records import LocalSlots, SlotTable
from nib.topology import Switch


@dataclass(frozen=True, slots=True)
class Deal:
    """A service's slot table (None: the service is gone), its slots for clients of each switch by
    datapath id (none without locality), and when time alone changes them next."""

    table: SlotTable | None
    next_ms: int | None = None
    local: Mapping[str, LocalSlots] = field(default_factory=dict)


def deal(service: str, view: Lookups, now_ms: int, pinned: Holding[int] = frozenset()) -> Deal:
    """What follows the tables in the view, at a time in milliseconds since 1970.

    pinned: slots that must not move while their container may have any.
    """
    known = view.get(Service, service)
    if known is None:
        return Deal(None)
    before = view.get(SlotTable, service)
    held = before.slots if before else ()
    standings = service_standings(service, view, now_ms)
    table = SlotTable(service, slot_table(held, standings.weights, pinned))
    local = _local(known, standings, held, view) if known.locality == "prefer" else {}
    return Deal(table, standings.next_ms, local)


def next_slots(
    service: str, view: Lookups, now_ms: int = 0, pinned: Holding[int] = frozenset()
) -> SlotTable | None:
    """The service's slot table after the one in the view; None where the service is gone."""
    return deal(service, view, now_ms, pinned).table


def moved_slots(before: tuple[int, ...], after: tuple[int, ...]) -> int:
    """How many slots lead to another container than before; a table that doubles repeats itself."""
    if not before:
        return 0
    return sum(before[slot % len(before)] != number for slot, number in enumerate(after))


def _local(
    service: Service, standings: Standings, held: tuple[int, ...], view: Lookups
) -> dict[str, LocalSlots]:
    """For every switch that clients enter by and that ever connected. held: the table that a
    switch without one of its own has gone by."""
    every = standings.weights
    near: dict[str, dict[int, int]] = {}
    for each in standings.items:
        port = port_of(each.container, view)
        if port is not None and each.weight:
            near.setdefault(port.switch, {})[each.container.number] = each.weight
    found = {}
    for switch in view.all(Switch):
        if not service.enters(switch.dpid):
            continue
        before = view.get(LocalSlots, (service.name, switch.dpid))
        slots = slot_table(before.slots if before else held, near.get(switch.dpid) or every)
        found[switch.dpid] = LocalSlots(service.name, switch.dpid, slots)
    return found
