"""The controller's own copy of the database, and what a change in it means for the rules.

Takes batches of row changes; says which units they touch; keeps slot tables up to date. A change of
intent or of a port, or a switch that comes or goes, deals slots at once. What is heard of
containers (reports, checks, connections, ejections) only makes their service due: `tick` deals
every service that is due, so that a thousand reports cost one deal. Time makes services due too.

Slot tables, rates in force and shares of policies' limits are the controller's decisions: they are
computed here, and saved by whoever owns the database connection (`tables`, `local_tables`,
`rating.rates`, `policing.shares`).
Pure: no I/O; the time is an argument, in milliseconds since 1970.

Must not know: switches' connections, what is installed, when ticks are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias, cast

from nib.differing import all_but
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Connections, Ejected, Health, Report
from nib.plans import PolicyRate
from nib.qos import PolicyShare
from nib.records import LocalSlots, SlotTable
from nib.topology import Port, Switch
from openflow.values import Rules
from ryu_apps.activity import SlotActivity
from ryu_apps.alarms import Alarms
from ryu_apps.compile import unit_rules
from ryu_apps.dealing import deal, moved_slots
from ryu_apps.decisions import Decisions
from ryu_apps.policing import Policing
from ryu_apps.rating import Rating
from ryu_apps.uncollected import uncollected
from ryu_apps.units import Unit, all_units, services_on, touched_units

Slots: TypeAlias = SlotTable | LocalSlots

_NOTHING: Final = Rules()

# What no rule has of a container, and what slots are not dealt by.
_RENEWED: Final = ("generation", "lease_until_ms")
_ADDRESSED: Final = (*_RENEWED, "address", "mac", "port")


class Incremental:
    """State as of `generation`; `absorb` and `tick` move it on."""

    def __init__(self) -> None:
        self.view = Mirror()
        self.generation = 0
        self._activity = SlotActivity()
        self._due: set[str] = set()  # services, to be dealt on the next tick
        self._alarms: Alarms[str] = Alarms()  # when time makes a service due
        self.tables: Decisions[str, SlotTable] = Decisions(self.view)
        self.local_tables: Decisions[tuple[str, str], LocalSlots] = Decisions(self.view)
        self.rating = Rating(self.view)
        self.policing = Policing(self.view)
        self._moved: Counter[str] = Counter()
        self._compiled: dict[tuple[str, int], dict[Unit, Rules]] = {}  # by dpid and zone

    @uncollected
    def absorb(self, changes: Iterable[RowChange], generation: int, now_ms: int) -> set[Unit]:
        """Apply changes, deal slots anew where they must not wait; the units to recompile."""
        touched: set[Unit] = set()
        services: set[str] = set()
        for change in changes:
            if self._is_known(change):
                continue
            self.view.apply(change)
            if _is_only(change, _RENEWED):
                continue
            touched |= touched_units(change, self.view)
            services |= self._services(change)
            self._mark(change)
            self.rating.mark(change, now_ms)
            self.policing.mark(change, now_ms)
            if isinstance(change.old, Switch) and change.new is None:
                self._forget(change.old.dpid)
        for service in services:
            touched |= self._deal(service, now_ms)
        touched |= self._police(now_ms)
        self.generation = generation
        return self._touch(touched)

    def counted(self, number: int, switch: str, counts: Sequence[int], now_ms: int) -> None:
        """A switch's packet counts of the buckets of a service's group, in order."""
        service = self.view.service_numbered(number)
        if service is None or not service.affinity_seconds:
            return
        if self._activity.read(service.name, switch, counts, now_ms):
            self._due.add(service.name)

    def due_ms(self, now_ms: int) -> int | None:
        """When the next tick has something to do: now, later, or never (None)."""
        if self._due:
            return now_ms
        due = (self._alarms.earliest(), self.rating.due_ms(), self.policing.due_ms())
        return min((ms for ms in due if ms is not None), default=None)

    def is_due(self, now_ms: int) -> bool:
        """Whether a tick has something to do now."""
        due_ms = self.due_ms(now_ms)
        return due_ms is not None and due_ms <= now_ms

    def tick(self, now_ms: int) -> set[Unit]:
        """Deal the slots of every service that is due, police what is; the units to recompile."""
        due = self._due.union(self._alarms.take(now_ms))
        self._due.clear()
        touched: set[Unit] = set()
        for service in due:
            touched |= self._deal(service, now_ms)
        return self._touch(touched | self._police(now_ms))

    def rules(self, units: Iterable[Unit], switch: Switch) -> dict[Unit, Rules]:
        """What these units need in one switch."""
        known = self._compiled.setdefault((switch.dpid, switch.ct_zone), {})
        found: dict[Unit, Rules] = {}
        for unit in units:
            rules = known.get(unit) or unit_rules(unit, self.view, switch)
            found[unit] = rules
            if rules != _NOTHING:
                known[unit] = rules
        return found

    @uncollected
    def all_rules(self, switch: Switch) -> dict[Unit, Rules]:
        """What one switch needs in all; of a switch that comes again most is known."""
        return self.rules(all_units(self.view), switch)

    def take_moved_slots(self) -> Mapping[str, int]:
        """How many slots moved by service, since last asked; with locality in all switches."""
        moved, self._moved = self._moved, Counter()
        return moved

    def _police(self, now_ms: int) -> set[Unit]:
        """Decide anew policies' rates in force and the shares of their limits, those that must not
        wait or are due."""
        if self.rating.settle(now_ms):
            self.policing.rated()
        return {Unit("policy", name) for name in self.policing.settle(now_ms)}

    def _touch(self, units: set[Unit]) -> set[Unit]:
        """These units are to be compiled anew."""
        for known in self._compiled.values():
            for unit in units & known.keys():
                del known[unit]
        return units

    def _forget(self, dpid: str) -> None:
        """A switch's row was deleted: if it comes again, it may have another zone."""
        for place in [place for place in self._compiled if place[0] == dpid]:
            del self._compiled[place]

    def _is_known(self, change: RowChange) -> bool:
        """Whether a row says nothing new: it is what we have, or what we decided on."""
        match change.record:
            case SlotTable():
                is_ours = self.tables.is_known(change)
            case LocalSlots():
                is_ours = self.local_tables.is_known(change)
            case PolicyRate():
                is_ours = self.rating.rates.is_known(change)
            case PolicyShare():
                is_ours = self.policing.shares.is_known(change)
            case _:
                is_ours = False
        return is_ours or self.view.get(change.kind, change.record.key) == change.new

    def _services(self, change: RowChange) -> set[str]:
        """The services whose slots a change can alter, and that must not wait."""
        match change.record:
            case Service(name=name):
                return {name}
            case Container(service=name):
                return set() if _is_only(change, _ADDRESSED) else {name}
            case SlotTable(service=name) | LocalSlots(service=name):
                return {name}
            case Switch() if change.old is None or change.new is None:
                every = self.view.all(Service)
                return {service.name for service in every if service.locality == "prefer"}
            case Port():
                sides = (side for side in (change.old, change.new) if isinstance(side, Port))
                return set().union(*(services_on(side, self.view) for side in sides))
            case _:
                return set()

    def _mark(self, change: RowChange) -> None:
        """What is said of a container makes its service due, unless nothing but its time is new."""
        record = change.record
        if isinstance(record, Switch) and _is_readable(change.old) != _is_readable(change.new):
            affine = (each for each in self.view.all(Service) if each.affinity_seconds)
            self._due.update(service.name for service in affine)
        if isinstance(record, Connections) and _open(change.old) == _open(change.new):
            return
        if isinstance(record, Report | Health | Connections | Ejected):
            self._due.add(record.service)

    def _deal(self, name: str, now_ms: int) -> set[Unit]:
        """Deal a service's slots anew, from all that is known of it."""
        self._due.discard(name)
        held = self.view.get(SlotTable, name)
        dealt = deal(name, self.view, now_ms, self._pinned(name, held, now_ms))
        self._alarms.set(name, self._next_ms(name, dealt.next_ms, now_ms))
        before = {each.switch: each for each in self.view.local_slots_of(name)}
        changed = self._decide(held, dealt.table, counted=not dealt.local)
        for dpid in before.keys() | dealt.local.keys():
            changed |= self._decide(before.get(dpid), dealt.local.get(dpid))
        return {Unit("service", name)} if changed else set()

    def _decide(self, held: Slots | None, dealt: Slots | None, *, counted: bool = True) -> bool:
        """Have a table in the place of another; whether it says anything else.

        counted: whether clients go by it.
        """
        record = held if dealt is None else dealt
        if record is None or held == dealt:
            return False
        if isinstance(record, SlotTable):
            self.tables.put(cast("SlotTable | None", held), cast("SlotTable | None", dealt))
        else:
            self.local_tables.put(cast("LocalSlots | None", held), cast("LocalSlots | None", dealt))
        if dealt is not None and held is not None and counted:
            self._moved[dealt.service] += moved_slots(held.slots, dealt.slots)
        return True

    def _pinned(self, name: str, held: SlotTable | None, now_ms: int) -> frozenset[int]:
        affinity_ms = self._affinity_ms(name)
        if not affinity_ms:
            self._activity.forget(name)
            return frozenset()
        slots, switches = len(held.slots) if held else 0, self._connected(name)
        return self._activity.pinned(name, slots, affinity_ms, now_ms, switches=switches)

    def _next_ms(self, name: str, next_ms: int | None, now_ms: int) -> int | None:
        affinity_ms = self._affinity_ms(name)
        release_ms = None
        if affinity_ms:
            switches = self._connected(name)
            release_ms = self._activity.release_ms(name, affinity_ms, now_ms, switches=switches)
        return min((ms for ms in (next_ms, release_ms) if ms is not None), default=None)

    def _connected(self, name: str) -> frozenset[str]:
        """The switches that a service's clients enter by, whose counters can be read."""
        enters = self.view.need(Service, name).enters
        readable = (each.dpid for each in self.view.all(Switch) if _is_readable(each))
        return frozenset(filter(enters, readable))

    def _affinity_ms(self, name: str) -> int:
        service = self.view.get(Service, name)
        return 0 if service is None else service.affinity_seconds * 1000


def _is_readable(record: object) -> bool:
    return isinstance(record, Switch) and record.connected and not record.problem


def _open(record: object) -> int | None:
    return record.open if isinstance(record, Connections) else None


def _is_only(change: RowChange, names: tuple[str, ...]) -> bool:
    """Whether a container's row changed in nothing but these fields."""
    part, old, new = all_but(Container, *names), change.old, change.new
    return isinstance(old, Container) and isinstance(new, Container) and part(old) == part(new)
