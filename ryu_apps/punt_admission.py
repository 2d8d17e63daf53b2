"""Caps of services, from rows of the database to `gateway_lb.admission` and back.

Every capped service has a ledger of its own. A container that appears with a cap has no connection
yet, for switches send nothing to it before they ask here; of all others counts are awaited.

Must not know: packets, how switches are reached.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway_lb.admission import Admission, Answer, Attempt, Verdict
from gateway_lb.lifecycle import is_ready
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.observed import Connections
from nib.records import LocalSlots, SlotTable
from nib.topology import Switch
from nib.watch import Batch


class Gate:
    """Who is admitted to which service."""

    def __init__(self) -> None:
        self._services: dict[str, Admission] = {}
        self._connected: frozenset[str] = frozenset()
        self._loaded = False

    def begin(self, view: Lookups, now_ms: int) -> None:
        """Trust nothing from before: another controller may have admitted until now."""
        self._services.clear()
        for service in view.all(Service):
            self._guard(service.name, set(), view, now_ms)
            self._recount(service.name, view)

    def absorb(self, batch: Batch, view: Lookups, now_ms: int) -> None:
        """Take up what changed in the database; at first, all that is there."""
        touched: dict[str, set[int]] = {}
        if any(change.kind is Switch for change in batch.changes):
            self._heed(view)
        for change in batch.changes:
            match change.record:
                case Service(name):
                    touched.setdefault(name, set())
                case Container(service, number=number):
                    appeared = {number} if change.old is None and self._loaded else set()
                    touched.setdefault(service, set()).update(appeared)
        for name, appeared in touched.items():
            self._guard(name, appeared, view, now_ms)
        for change in batch.changes:
            if isinstance(change.new, Connections):
                self._count(change.new, view)
            elif isinstance(change.old, Connections):
                self._uncount(change.old, view)
        for name in touched:
            self._recount(name, view)
        self._loaded = True

    def admit(self, service: str, attempt: Attempt, view: Lookups, now_ms: int) -> Verdict | None:
        """Whether a SYN may pass, and to which container; None where the service has no cap."""
        admission = self._services.get(service)
        if admission is None:
            return None
        verdict = Verdict(Answer.REFUSE)
        for slots in _tables(service, attempt.switch, view):
            verdict = admission.admit(attempt, slots, now_ms)
            if verdict.answer is not Answer.REFUSE:
                break
        return verdict

    def passed(self, service: str, client: bytes, now_ms: int) -> None:
        """The switch has sent an admitted SYN on, or never will."""
        admission = self._services.get(service)
        if admission is not None:
            admission.passed(client, now_ms)

    def is_full(self, service: str, view: Lookups) -> bool:
        """Whether a service has containers, and caps keep all of them from new connections."""
        admission = self._services.get(service)
        ready = [each.number for each in view.containers_of(service) if is_ready(each)]
        return admission is not None and admission.is_full(ready)

    def _guard(self, name: str, unused: set[int], view: Lookups, now_ms: int) -> None:
        service = view.get(Service, name)
        containers = view.containers_of(name)
        if service is None or not is_capped(service, containers):
            self._services.pop(name, None)
            return
        admission = self._services.setdefault(name, Admission(self._connected))
        caps = {each.number: each.max_connections for each in containers}
        admission.guard(caps, service.max_connections, now_ms, unused)

    def _heed(self, view: Lookups) -> None:
        connected = frozenset(switch.dpid for switch in view.all(Switch) if switch.connected)
        if connected != self._connected:
            self._connected = connected
            for admission in self._services.values():
                admission.heed(connected)

    def _count(self, row: Connections, view: Lookups) -> None:
        admission = self._services.get(row.service)
        container = view.get(Container, (row.service, row.container))
        if admission is not None and container is not None:
            admission.counted(container.number, row.open, row.at_ms, row.switch)

    def _uncount(self, row: Connections, view: Lookups) -> None:
        admission = self._services.get(row.service)
        container = view.get(Container, (row.service, row.container))
        if admission is not None and container is not None:
            admission.uncounted(container.number, row.switch)

    def _recount(self, name: str, view: Lookups) -> None:
        """A row may be there before its container is guarded."""
        if name not in self._services:
            return
        for container in view.containers_of(name):
            for row in view.connections_of(*container.key):
                self._count(row, view)


def _tables(service: str, switch: str, view: Lookups) -> Iterator[tuple[int, ...]]:
    """Slots of the containers to try: with locality the switch's own first, then all."""
    local = view.get(LocalSlots, (service, switch)) if switch else None
    if local is not None:
        yield local.slots
    table = view.get(SlotTable, service)
    yield table.slots if table else ()


def is_capped(service: Service, containers: tuple[Container, ...]) -> bool:
    """Whether any cap applies to the service's connections."""
    if service.max_connections is not None:
        return True
    return any(container.max_connections is not None for container in containers)
