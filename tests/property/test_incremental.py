"""What the controller keeps change by change equals what a full compilation gives.

Rows arrive in any grouping, the controller's own slot tables come back late, and time passes: with
each tick every service's slots are what dealing them anew at that moment would give.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.balance import service_standings
from gateway_lb.intent import (
    Registration,
    delete_service,
    put_container,
    put_service,
    renew_container,
)
from nib.draft import Draft
from nib.mirror import RowChange
from nib.observed import Connections, Ejected, Health, Report
from nib.policy import Canary, Ejection, HealthCheck
from nib.records import ABOUT_CONTAINER, AboutContainer, Container, Port, Service, SlotTable, Switch
from openflow.values import Rules
from ryu_apps.compile import compile_state
from ryu_apps.dealing import Deal, deal, next_slots
from ryu_apps.incremental import Incremental
from ryu_apps.rows import save_slots
from ryu_apps.units import Unit, all_units
from tests.nib_strategies import (
    HERE,
    STATIONS,
    SWITCHES,
    Database,
    Edit,
    drain,
    edits,
    examples,
    histories,
    port_of_station,
    put_port,
    put_switch,
    registration,
    save_table,
)

Parts = dict[Unit, Rules]

START_MS = 1_000_000


class Kept:
    """The controller: an `Incremental`, and each switch's rules as they accumulate."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.state = Incremental()
        self.parts = {dpid: self.state.all_rules(switch) for dpid, switch in SWITCHES.items()}
        self.now_ms = now_ms

    def absorb(self, changes: Iterable[RowChange]) -> set[Unit]:
        touched = self.state.absorb(changes, self.state.generation + 1, self.now_ms)
        return self.recompiled(touched)

    def tick(self, passed_ms: int = 50) -> set[Unit]:
        self.now_ms += passed_ms
        return self.recompiled(self.state.tick(self.now_ms))

    def recompiled(self, touched: set[Unit]) -> set[Unit]:
        for dpid, switch in SWITCHES.items():
            self.parts[dpid].update(self.state.rules(touched, switch))
        return touched

    def full(self, switch: Switch) -> Parts:
        return not_empty(compile_state(self.state.view, switch))


def not_empty(parts: Parts) -> Parts:
    return {unit: rules for unit, rules in parts.items() if rules != Rules()}


@st.composite
def slot_tables(draw: st.DrawFn) -> SlotTable:
    """Any slot table, as another controller may have left it."""
    slots = draw(st.lists(st.integers(1, 12), min_size=64, max_size=64) | st.just([]))
    return SlotTable(draw(st.sampled_from(("web", "api", "dns"))), tuple(slots))


def shape(given: tuple[str, dict[str, Any]]) -> Callable[[Draft], object]:
    """Change some fields of a service, by name."""
    name, fields = given
    return lambda draft: put_service(replace(draft.need(Service, name), **fields), START_MS)(draft)


def tell(row: AboutContainer) -> Callable[[Draft], object]:
    """Say something of a container, if it is there."""
    return lambda draft: draft.put(row) if draft.get(Container, row.key) else None


names = st.sampled_from(("web", "api", "dns"))
keys = st.tuples(names, st.sampled_from(("c1", "c2", "c3", "c4")))
told = keys.flatmap(
    lambda key: st.one_of(
        st.builds(
            partial(Report, *key),
            percent=st.sampled_from((0, 50, 100)),
            word=st.sampled_from(("", "drain", "down")),
            max_inflight=st.none() | st.just(4),
            inflight=st.integers(0, 5),
        ),
        st.builds(partial(Health, *key), up=st.booleans()),
        st.builds(partial(Connections, *key), open=st.integers(0, 5), at_ms=st.just(START_MS)),
        st.builds(partial(Ejected, *key), until_ms=st.just(START_MS + 700) | st.just(START_MS)),
    )
)
shapes = st.fixed_dictionaries(
    {},
    optional={
        "policy": st.sampled_from(("weighted", "least_inflight")),
        "slow_start_seconds": st.just(30),
        "panic_percent": st.just(50),
        "health": st.just(HealthCheck(port=9)),
        "canary": st.just(Canary("v2", 50, 10, 500)),
    },
)
any_edits = (
    edits
    | st.builds(Edit, st.just(save_table), slot_tables())
    | st.builds(Edit, st.just(shape), st.tuples(names, shapes))
    | st.builds(Edit, st.just(tell), told)
)
batches = st.lists(st.lists(any_edits, max_size=4), max_size=6)


def check(kept: Kept, database: Database) -> None:
    for dpid, switch in SWITCHES.items():
        assert not_empty(kept.parts[dpid]) == kept.full(switch)
        assert not_empty(kept.state.all_rules(switch)) == kept.full(switch)
    for kind in (Service, Container, Port, Switch, *ABOUT_CONTAINER):
        assert set(kept.state.view.all(kind)) == set(database.mirror.all(kind))


def check_dealt(kept: Kept, passed_ms: int) -> None:
    """After a tick, every slot table is the one that follows from all rows at this time."""
    kept.tick(passed_ms)
    for service in kept.state.view.all(Service):
        table = kept.state.view.need(SlotTable, service.name)
        assert next_slots(service.name, kept.state.view, kept.now_ms) == table
        weights = service_standings(service.name, kept.state.view, kept.now_ms).weights
        wanted = {number for number, weight in weights.items() if weight}
        assert set(table.slots) <= wanted
        assert bool(table.slots) == bool(wanted)


def check_quiet(kept: Kept) -> None:
    """Until the time that the next tick is due, time alone changes no table."""
    due_ms = kept.state.due_ms(kept.now_ms)
    last_ms = kept.now_ms + 10_000_000 if due_ms is None else due_ms - 1
    for service in kept.state.view.all(Service):
        table = kept.state.view.need(SlotTable, service.name)
        assert next_slots(service.name, kept.state.view, last_ms) == table


@given(histories(), batches, st.data())
@examples(0.3)
def test_incremental_equals_full(
    history: list[Edit], later: list[list[Edit]], data: st.DataObject
) -> None:
    database = Database(history)
    kept = Kept()
    kept.absorb(database.everything())
    check(kept, database)
    unsaved: dict[str, SlotTable | None] = {}
    for batch in later:
        changes = [change for edit in batch for change in database.write(edit)]
        if data.draw(st.booleans()):
            changes += saved(database, unsaved)
        kept.absorb(changes)
        if data.draw(st.booleans()):
            check_dealt(kept, data.draw(st.sampled_from((50, 999, 60_000))))
            check_quiet(kept)
        unsaved.update(kept.state.take_unsaved_slots())
        check(kept, database)
    for _ in range(4):
        kept.absorb(saved(database, unsaved))
        unsaved = dict(kept.state.take_unsaved_slots())
    assert not unsaved, "slot tables go to and fro for ever"
    assert set(kept.state.view.all(SlotTable)) == set(database.mirror.all(SlotTable))
    check(kept, database)


def saved(database: Database, unsaved: dict[str, SlotTable | None]) -> list[RowChange]:
    """The slot tables as they come back from the database."""
    changes = [
        change
        for service, table in unsaved.items()
        for change in database.write(save_slots(service, table))
    ]
    unsaved.clear()
    return changes


@given(histories(), st.lists(any_edits, max_size=12), st.data())
@examples(0.2)
def test_the_grouping_of_changes_does_not_matter(
    history: list[Edit], later: list[Edit], data: st.DataObject
) -> None:
    """Slot tables may differ (each is dealt after the last); all the rest may not."""
    database = Database(history)
    one_by_one, together = Kept(), Kept()
    everything = database.everything()
    for kept in (one_by_one, together):
        kept.absorb(data.draw(st.permutations(everything)))
    changes = [database.write(edit) for edit in later]
    for change in changes:
        one_by_one.absorb(change)
    together.absorb([part for change in changes for part in change])
    check(one_by_one, database)
    check(together, database)
    assert all_units(one_by_one.state.view) == all_units(together.state.view)


def many_services(count: int) -> tuple[Kept, Database]:
    """Services of two containers each, all at two stations' ports; two services share a VIP."""
    database = Database(Edit(put_port, port_of_station(station)) for station in STATIONS)
    for number in range(count):
        name, vip = f"s{number}", f"10.1.{number // 400}.{number // 2 % 200 + 1}"
        assert database.write(put_service(Service(name, vip, 80 + number % 2)))
        for station in (1, 2):
            assert database.write(put_container(at_station(number, station)))
    kept = Kept()
    kept.absorb(database.everything())
    return kept, database


def at_station(number: int, station: int, port: int = 2000) -> Registration:
    """A container of a service by its number, with an address of its own."""
    here = registration(f"s{number}", f"c{station}", station, port)
    return replace(here, address=f"10.3.{number}.{station}")


CHANGES_OF_ONE = {
    "register": Edit(put_container, registration("s0", "c3", 3)),
    "drain": Edit(drain, (("s0", "c1"), 60.0)),
    "delete": Edit(drain, (("s0", "c1"), 0.0)),
    "another port": Edit(put_container, at_station(0, 1, 9000)),
    "another VIP": Edit(put_service, Service("s0", "10.2.0.1", 80)),
    "delete the service": Edit(delete_service, "s0"),
    "a new service": Edit(put_service, Service("new", "10.2.0.1", 80)),
}


@pytest.mark.parametrize("edit", CHANGES_OF_ONE.values(), ids=CHANGES_OF_ONE)
def test_the_cost_of_one_change_does_not_grow_with_the_number_of_services(edit: Edit) -> None:
    few, many = (absorbed(edit, services) for services in (3, 150))
    assert few == many
    assert len(few) <= 5


def absorbed(edit: Edit, services: int) -> set[Unit]:
    """What is recompiled after an edit among so many services."""
    kept, database = many_services(services)
    return kept.absorb(database.write(edit))


HEARD_OF_ONE = {
    "a report": Report("s0", "c1", percent=50),
    "a failed check": Health("s0", "c1", up=False),
    "connections": Connections("s0", "c1", 7, START_MS),
    "an ejection": Ejected("s0", "c1", START_MS + 60_000),
}


@pytest.mark.parametrize("row", HEARD_OF_ONE.values(), ids=HEARD_OF_ONE)
def test_what_is_heard_of_a_container_waits_for_the_tick(row: AboutContainer) -> None:
    kept, database = many_services(3)
    for name in ("s0", "s1"):
        shaped = {"health": HealthCheck(), "ejection": Ejection(), "policy": "least_inflight"}
        database.write(Edit(shape, (name, shaped)))
        for container in ("c1", "c2"):
            database.write(Edit(tell, Health(name, container, up=True)))
    kept.absorb(database.everything())
    kept.tick()
    assert kept.state.due_ms(kept.now_ms) is None
    assert kept.absorb(database.write(Edit(tell, row))) == set()
    assert kept.state.due_ms(kept.now_ms) == kept.now_ms
    assert kept.tick() == {Unit("service", "s0")}
    assert kept.tick() == set()


def test_a_storm_of_reports_costs_one_deal_a_service_and_tick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, database = many_services(3)
    dealt: Counter[str] = Counter()

    def counted(service: str, *arguments: Any) -> Deal:
        dealt[service] += 1
        return deal(service, *arguments)

    monkeypatch.setattr("ryu_apps.incremental.deal", counted)
    for number in range(10_000):
        report = Report(f"s{number % 2}", "c1", percent=number % 101)
        assert kept.absorb(database.write(Edit(tell, report))) == set()
    assert not dealt
    kept.tick()
    assert dealt == {"s0": 1, "s1": 1}


def test_a_report_that_changes_no_slot_recompiles_nothing() -> None:
    kept, database = many_services(1)
    kept.absorb(database.write(Edit(tell, Report("s0", "c1", inflight=7))))
    assert kept.tick() == set()
    assert not kept.state.take_unsaved_slots().keys() - {"s0"}


def test_a_count_of_as_many_connections_as_before_makes_nothing_due() -> None:
    kept, database = many_services(1)
    kept.absorb(database.write(Edit(tell, Connections("s0", "c1", 7, START_MS))))
    kept.tick()
    kept.absorb(database.write(Edit(tell, Connections("s0", "c1", 7, START_MS + 1000))))
    assert kept.state.due_ms(kept.now_ms) is None


def test_a_renewed_lease_recompiles_nothing() -> None:
    kept, database = many_services(1)
    leased = replace(at_station(0, 1), lease_seconds=10)
    kept.absorb(database.write(put_container(leased, START_MS)))
    changes = database.write(renew_container(("s0", "c1"), START_MS + 6000))
    assert [change.kind for change in changes if change.kind is Container]
    assert kept.absorb(changes) == set()
    check(kept, database)


@pytest.mark.parametrize("busy", [False, True])
def test_slots_that_clients_came_by_stay_until_the_time_is_over(busy: bool) -> None:
    """A connection comes by the last slot; then its container is to have 4 slots of 64."""
    kept, database = many_services(1)
    affine = {"policy": "source_affinity", "affinity_seconds": 10}
    kept.absorb(database.write(Edit(shape, ("s0", affine))))
    number = kept.state.view.need(Service, "s0").number
    holder = kept.state.view.need(SlotTable, "s0").slots[-1]
    weak = next(name for name in ("c1", "c2") if number_of(kept, name) == holder)
    for count in (0, int(busy)):
        kept.state.counted(number, HERE, (0,) * 63 + (count,), kept.now_ms)
    kept.absorb(database.write(Edit(tell, Report("s0", weak, percent=5))))
    kept.tick()
    slots = kept.state.view.need(SlotTable, "s0").slots
    assert slots.count(holder) == 4
    assert (slots[-1] == holder) == busy
    assert kept.state.due_ms(kept.now_ms) == (START_MS + 10_000 if busy else None)
    kept.absorb(database.write(Edit(tell, Report("s0", weak, word="drain"))))
    kept.tick()
    assert holder not in kept.state.view.need(SlotTable, "s0").slots, "it holds nothing now"


def test_a_new_service_with_affinity_waits_for_its_first_reading() -> None:
    kept, database = many_services(1)
    affine = {"policy": "source_affinity", "affinity_seconds": 10}
    database.write(put_service(Service("new", "10.2.0.1", 80)))
    database.write(Edit(shape, ("new", affine)))
    for station in (3, 4):
        database.write(put_container(registration("new", f"c{station}", station)))
        kept.absorb(database.everything())
    slots = kept.state.view.need(SlotTable, "new").slots
    assert len(set(slots)) == 1
    kept.state.counted(kept.state.view.need(Service, "new").number, HERE, (0,) * 64, kept.now_ms)
    assert kept.tick() == {Unit("service", "new")}
    after = kept.state.view.need(SlotTable, "new").slots
    assert sorted(Counter(after).values()) == [32, 32]


def number_of(kept: Kept, container: str) -> int:
    return kept.state.view.need(Container, ("s0", container)).number


def test_a_switch_that_reports_its_state_recompiles_nothing() -> None:
    kept, database = many_services(3)
    changes = database.write(put_switch(Switch(HERE, 1, "s1", connected=True, applied=7)))
    assert changes
    assert kept.absorb(changes) == set()


def test_slot_tables_that_come_back_recompile_nothing() -> None:
    kept, database = many_services(3)
    unsaved = dict(kept.state.take_unsaved_slots())
    assert len(unsaved) == 3
    assert kept.absorb(saved(database, unsaved)) == set()
    assert not kept.state.take_unsaved_slots()


def test_a_port_recompiles_the_services_behind_it_alone() -> None:
    kept, database = many_services(3)
    database.write(put_service(Service("other", "10.2.0.1", 80)))
    database.write(put_container(registration("other", "c1", 4)))
    kept.absorb(database.everything())
    changes = database.write(put_port(port_of_station(4, number=14)))
    assert kept.absorb(changes) == {Unit("service", "other")}


@pytest.mark.parametrize("late", [0, 1, 3])
def test_slot_tables_that_come_back_late_move_nothing(late: int) -> None:
    """What was decided meanwhile stands; else a burst of changes would deal slots many times."""
    kept, database = many_services(1)
    kept.state.take_unsaved_slots()
    tables: list[tuple[int, ...]] = []
    on_their_way: deque[dict[str, SlotTable | None]] = deque({} for _ in range(late))
    for number in range(12):
        one_more = registration("s0", f"more{number}", number % 6 + 1, 3000 + number)
        kept.absorb(database.write(put_container(one_more)))
        tables.append(kept.state.view.need(SlotTable, "s0").slots)
        on_their_way.append(dict(kept.state.take_unsaved_slots()))
        kept.absorb(saved(database, on_their_way.popleft()))
    for unsaved in on_their_way:
        kept.absorb(saved(database, unsaved))
    assert kept.state.view.need(SlotTable, "s0").slots == tables[-1]
    assert database.mirror.need(SlotTable, "s0").slots == tables[-1]
    moves = [
        sum(before[slot % len(before)] != number for slot, number in enumerate(after))
        for before, after in pairwise(tables)
    ]
    newcomers = [after.count(max(after)) for after in tables[1:]]
    assert moves == newcomers
