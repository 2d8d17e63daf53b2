"""The controller's own copy of the database, and what a change in it means for the rules.

Takes batches of row changes; says which units they touch; keeps slot tables up to date. Slot tables
are the controller's decision: they are computed here at once, and saved by whoever owns the
database connection (`take_unsaved_slots`). Pure: no I/O, no clock.

Must not know: switches' connections, what is installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nib.mirror import Mirror, RowChange
from nib.records import Container, Port, Service, SlotTable, Switch
from openflow.values import Rules
from ryu_apps.compile import Unit, all_units, next_slots, services_on, touched_units, unit_rules


class Incremental:
    """State as of `generation`; `absorb` moves it on."""

    def __init__(self) -> None:
        self.view = Mirror()
        self.generation = 0
        self._unsaved: dict[str, SlotTable | None] = {}
        self._decided: dict[str, list[SlotTable]] = {}  # and not seen back yet

    def absorb(self, changes: Iterable[RowChange], generation: int) -> set[Unit]:
        """Apply changes, deal slots anew where needed, and return the units to recompile."""
        touched: set[Unit] = set()
        services: set[str] = set()
        for change in changes:
            if self._is_known(change):
                continue
            self.view.apply(change)
            touched |= touched_units(change, self.view)
            services |= self._services(change)
        for service in services:
            touched |= self._deal(service)
        self.generation = generation
        return touched

    def rules(self, units: Iterable[Unit], switch: Switch) -> dict[Unit, Rules]:
        """What these units need in one switch."""
        return {unit: unit_rules(unit, self.view, switch) for unit in units}

    def all_rules(self, switch: Switch) -> dict[Unit, Rules]:
        """What one switch needs in all."""
        return self.rules(all_units(self.view), switch)

    def take_unsaved_slots(self) -> Mapping[str, SlotTable | None]:
        """Slot tables by service that the database does not have yet; None: to be deleted."""
        unsaved, self._unsaved = self._unsaved, {}
        return unsaved

    def _is_known(self, change: RowChange) -> bool:
        """Whether a row says nothing new: it is what we have, or a slot table that we decided on.

        Those come back from the database late. An old one must not undo what was decided since.
        """
        if isinstance(change.record, SlotTable):
            decided = self._decided.get(change.record.service, [])
            if change.new in decided:
                del decided[: decided.index(change.new) + 1]
                return True
            decided.clear()
        return self.view.get(change.kind, change.record.key) == change.new

    def _services(self, change: RowChange) -> set[str]:
        """The services whose slots a change can alter."""
        match change.record:
            case Service(name=name):
                return {name}
            case Container(service=name) | SlotTable(service=name):
                return {name}
            case Port():
                sides = (side for side in (change.old, change.new) if isinstance(side, Port))
                return set().union(*(services_on(side, self.view) for side in sides))
            case _:
                return set()

    def _deal(self, service: str) -> set[Unit]:
        held = self.view.get(SlotTable, service)
        dealt = next_slots(service, self.view)
        if dealt == held:
            return set()
        self.view.apply(RowChange(held, dealt))
        self._unsaved[service] = dealt
        if dealt is None:
            self._decided.pop(service, None)
        else:
            self._decided.setdefault(service, []).append(dealt)
        return {Unit("service", service)}
