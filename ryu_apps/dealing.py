"""Dealing slots: from what is known of a service's containers to its next slot table.

Pure: a view of the database and the time in, a record out.

Must not know: flows, switches' connections, who saves the table.
"""

from __future__ import annotations

from collections.abc import Container as Holding
from dataclasses import dataclass

from gateway_lb.balance import service_standings
from gateway_lb.slots import slot_table
from nib.mirror import Lookups
from nib.records import Service, SlotTable


@dataclass(frozen=True, slots=True)
class Deal:
    """A service's slot table (None: the service is gone), and when time alone changes it next."""

    table: SlotTable | None
    next_ms: int | None = None


def deal(service: str, view: Lookups, now_ms: int, pinned: Holding[int] = frozenset()) -> Deal:
    """What follows the table in the view, at a time in milliseconds since 1970.

    pinned: slots that must not move while their container may have any.
    """
    if view.get(Service, service) is None:
        return Deal(None)
    before = view.get(SlotTable, service)
    standings = service_standings(service, view, now_ms)
    slots = slot_table(before.slots if before else (), standings.weights, pinned)
    return Deal(SlotTable(service, slots), standings.next_ms)


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
