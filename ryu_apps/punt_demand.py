"""Demand for services that have no container: the row that scaling from zero waits for.

The first packet is written at once, further ones are counted and written at most once a second a
service. The row goes when the service has slots again.

Must not know: packets. To be used in the mailbox's thread only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from nib.draft import Draft
from nib.intent import Service
from nib.mirror import Lookups
from nib.observed import Demand
from nib.records import SlotTable
from ryu_apps.mailbox import Mailbox
from ryu_apps.status import StatusWriter
from ryu_apps.ticks import now_ms

_SECONDS_BETWEEN: Final = 1.0


@dataclass(slots=True)
class _Wanted:
    """number: the service's; packets: of this episode; next_at: when to write again (monotonic)."""

    number: int
    packets: int
    next_at: float = 0.0
    scheduled: bool = False


class Demands:
    """Counts packets by service name and keeps the Demand rows."""

    def __init__(self, status: StatusWriter, mailbox: Mailbox) -> None:
        self._status = status
        self._mailbox = mailbox
        self._wanted: dict[str, _Wanted] = {}

    def count(self, service: Service, view: Lookups) -> None:
        """One more packet for a service without a container."""
        wanted = self._wanted.get(service.name)
        if wanted is None or wanted.number != service.number:
            row = view.get(Demand, service.name)
            wanted = _Wanted(service.number, row.packets if row else 0)
            self._wanted[service.name] = wanted
        wanted.packets += 1
        if not wanted.scheduled:
            wanted.scheduled = True
            wait = max(0.0, wanted.next_at - time.monotonic())
            self._mailbox.after(wait, partial(self._write, service.name, wanted))

    def met(self, service: str, view: Lookups) -> None:
        """The service has slots: its demand is over."""
        self._wanted.pop(service, None)
        if view.get(Demand, service) is not None:
            self._status.note(("demand", service), _met(service))

    def forget(self, service: str) -> None:
        """The service is gone, and its row with it."""
        self._wanted.pop(service, None)

    def _write(self, service: str, wanted: _Wanted) -> None:
        if self._wanted.get(service) is not wanted:
            return
        wanted.scheduled = False
        wanted.next_at = time.monotonic() + _SECONDS_BETWEEN
        row = Demand(service, now_ms(), wanted.packets)
        self._status.note(("demand", service), _raised(row, wanted.number))


def has_slots(service: str, view: Lookups) -> bool:
    """Whether new connections to a service find a container."""
    table = view.get(SlotTable, service)
    return table is not None and bool(table.slots)


def _raised(row: Demand, number: int) -> Callable[[Draft], object]:
    """Store the demand, unless it was met meanwhile or the service of this number is gone."""

    def change(draft: Draft) -> object:
        service = draft.get(Service, row.service)
        wanted = service is not None and service.number == number
        return wanted and not has_slots(row.service, draft) and draft.put(row)

    return change


def _met(service: str) -> Callable[[Draft], object]:
    def change(draft: Draft) -> object:
        over = has_slots(service, draft) and draft.get(Demand, service) is not None
        return over and draft.delete(Demand, service)

    return change
