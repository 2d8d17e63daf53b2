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
from gateway_lb.placement import port_of
from nib.draft import Draft
from nib.intent import Container, Service
from nib.mirror import RowChange
from nib.observed import Connections, Ejected, Health, Report
from nib.policy import Canary, Ejection, HealthCheck
from nib.records import ABOUT_CONTAINER, AboutContainer, LocalSlots, SlotTable
from nib.topology import Port, Switch
from openflow.values import Rules
from ryu_apps.compile import compile_state
from ryu_apps.dealing import Deal, deal
from ryu_apps.incremental import Incremental
from ryu_apps.rows import save
from ryu_apps.units import PORTS, ROUTES, Unit, all_units
from tests.nib_strategies import (
    HERE,
    STATIONS,
    SWITCHES,
    THERE,
    Database,
    Edit,
    delete_port,
    drain,
    edits,
    examples,
    fabric_edits,
    fabric_histories,
    local_tables,
    mac_of,
    port_of_station,
    put_port,
    put_switch,
    registration,
    save_local_table,
    save_table,
)

Parts = dict[Unit, Rules]
Unsaved = dict[str | tuple[str, str], SlotTable | LocalSlots | None]

START_MS = 1_000_000
THIRD = Switch("0000000000000003", 3, "s3", connected=True)


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

    def unsaved(self) -> Unsaved:
        """What it decided since it was asked last."""
        found: Unsaved = dict(self.state.take_unsaved_slots().items())
        found.update(self.state.take_unsaved_local_slots().items())
        return found

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
    container = (row.service, row.container)
    return lambda draft: draft.put(row) if draft.get(Container, container) else None


def delete_switch(dpid: str) -> Callable[[Draft], object]:
    return lambda draft: draft.delete(Switch, dpid)


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
        st.builds(
            partial(Connections, *key),
            open=st.integers(0, 5),
            at_ms=st.just(START_MS),
            switch=st.sampled_from((HERE, THERE, "")),
        ),
        st.builds(partial(Ejected, *key), until_ms=st.just(START_MS + 700) | st.just(START_MS)),
    )
)
shapes = st.fixed_dictionaries(
    {},
    optional={
        "policy": st.sampled_from(("weighted", "least_inflight")),
        "locality": st.sampled_from(("prefer", "prefer", "none")),
        "slow_start_seconds": st.just(30),
        "panic_percent": st.just(50),
        "health": st.just(HealthCheck(port=9)),
        "canary": st.just(Canary("v2", 50, 10, 500)),
    },
)
any_edits = (
    edits
    | fabric_edits
    | st.builds(Edit, st.just(save_table), slot_tables())
    | st.builds(Edit, st.just(save_local_table), local_tables)
    | st.builds(Edit, st.just(put_switch), st.just(THIRD))
    | st.builds(Edit, st.just(delete_switch), st.just(THIRD.dpid))
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
    view = kept.state.view
    for service in view.all(Service):
        table = check_tables(kept, service, kept.now_ms)
        weights = service_standings(service.name, view, kept.now_ms).weights
        wanted = {number for number, weight in weights.items() if weight}
        assert set(table.slots) <= wanted
        assert bool(table.slots) == bool(wanted)
        check_locality(kept, service, wanted)


def check_tables(kept: Kept, service: Service, now_ms: int) -> SlotTable:
    """Dealing anew at a time changes nothing; the table of all containers."""
    table = kept.state.view.need(SlotTable, service.name)
    local = {each.switch: each for each in kept.state.view.local_slots_of(service.name)}
    dealt = deal(service.name, kept.state.view, now_ms)
    assert (dealt.table, dealt.local) == (table, local)
    return table


def check_locality(kept: Kept, service: Service, wanted: set[int]) -> None:
    """Clients of a switch get exactly its own containers that can take more, or all that can."""
    view = kept.state.view
    local = {each.switch: each.slots for each in view.local_slots_of(service.name)}
    if service.locality == "none":
        assert not local
        return
    assert local.keys() == {switch.dpid for switch in view.all(Switch)}
    for dpid, slots in local.items():
        ports = {each.number: port_of(each, view) for each in view.containers_of(service.name)}
        near = {number for number in wanted if (port := ports[number]) and port.switch == dpid}
        assert set(slots) <= (near or wanted)
        assert bool(slots) == bool(wanted)


def check_quiet(kept: Kept) -> None:
    """Until the time that the next tick is due, time alone changes no table."""
    due_ms = kept.state.due_ms(kept.now_ms)
    last_ms = kept.now_ms + 10_000_000 if due_ms is None else due_ms - 1
    for service in kept.state.view.all(Service):
        check_tables(kept, service, last_ms)


@given(fabric_histories(), batches, st.data())
@examples(0.3)
def test_incremental_equals_full(
    history: list[Edit], later: list[list[Edit]], data: st.DataObject
) -> None:
    database = Database(history)
    kept = Kept()
    kept.absorb(database.everything())
    check(kept, database)
    unsaved: Unsaved = {}
    for batch in later:
        changes = [change for edit in batch for change in database.write(edit)]
        if data.draw(st.booleans()):
            changes += saved(database, unsaved)
        kept.absorb(changes)
        if data.draw(st.booleans()):
            check_dealt(kept, data.draw(st.sampled_from((50, 999, 60_000))))
            check_quiet(kept)
        unsaved.update(kept.unsaved())
        check(kept, database)
    for _ in range(4):
        kept.absorb(saved(database, unsaved))
        unsaved = kept.unsaved()
    assert not unsaved, "slot tables go to and fro for ever"
    for kind in (SlotTable, LocalSlots):
        assert set(kept.state.view.all(kind)) == set(database.mirror.all(kind))
    check(kept, database)


def saved(database: Database, unsaved: Unsaved) -> list[RowChange]:
    """The slot tables as they come back from the database."""
    changes = [
        change for key, table in unsaved.items() for change in database.write(saving(key, table))
    ]
    unsaved.clear()
    return changes


def saving(
    key: str | tuple[str, str], table: SlotTable | LocalSlots | None
) -> Callable[[Draft], object]:
    if isinstance(key, str):
        assert not isinstance(table, LocalSlots)
        return save(SlotTable, key, table)
    assert not isinstance(table, SlotTable)
    return save(LocalSlots, key, table)


@given(fabric_histories(), st.lists(any_edits, max_size=12), st.data())
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
    assert len(few) <= 6


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


def test_slots_stay_until_every_connected_switch_was_read() -> None:
    """A connection came by the last slot in the other switch, which answers a second later."""
    kept, database = many_services(1)
    for switch in SWITCHES.values():
        database.write(put_switch(replace(switch, connected=True)))
    affine = {"policy": "source_affinity", "affinity_seconds": 10}
    database.write(Edit(shape, ("s0", affine)))
    kept.absorb(database.everything())
    service = kept.state.view.need(Service, "s0")
    before = kept.state.view.need(SlotTable, "s0").slots
    weak = next(name for name in ("c1", "c2") if number_of(kept, name) == before[-1])
    kept.absorb(database.write(Edit(tell, Report("s0", weak, percent=5))))
    kept.state.counted(service.number, HERE, (0,) * 64, kept.now_ms)
    kept.tick()
    assert kept.state.view.need(SlotTable, "s0").slots == before
    kept.state.counted(service.number, THERE, (0,) * 63 + (9,), kept.now_ms)
    kept.tick(1000)
    after = kept.state.view.need(SlotTable, "s0").slots
    assert (after.count(before[-1]), after[-1]) == (4, before[-1])


def test_a_switch_that_disconnects_is_not_awaited() -> None:
    kept, database = many_services(1)
    for switch in SWITCHES.values():
        database.write(put_switch(replace(switch, connected=True)))
    affine = {"policy": "source_affinity", "affinity_seconds": 10}
    database.write(Edit(shape, ("s0", affine)))
    kept.absorb(database.everything())
    service = kept.state.view.need(Service, "s0")
    kept.absorb(database.write(Edit(tell, Report("s0", "c1", percent=5))))
    kept.state.counted(service.number, HERE, (0,) * 64, kept.now_ms)
    kept.tick()
    assert kept.state.due_ms(kept.now_ms) == START_MS + 10_000
    kept.absorb(database.write(put_switch(SWITCHES[THERE])))
    assert kept.state.due_ms(kept.now_ms) == kept.now_ms
    assert kept.tick() == {Unit("service", "s0")}


def number_of(kept: Kept, container: str) -> int:
    return kept.state.view.need(Container, ("s0", container)).number


def test_a_switch_that_reports_its_state_recompiles_nothing() -> None:
    kept, database = many_services(3)
    changes = database.write(put_switch(replace(SWITCHES[HERE], applied=7)))
    assert changes
    assert kept.absorb(changes) == set()


def test_slot_tables_that_come_back_recompile_nothing() -> None:
    kept, database = many_services(3)
    kept.absorb(database.write(Edit(shape, ("s0", {"locality": "prefer"}))))
    unsaved = kept.unsaved()
    assert len(unsaved) == 3 + len(SWITCHES)
    assert kept.absorb(saved(database, unsaved)) == set()
    assert not kept.unsaved()


def test_a_port_recompiles_the_stations_behind_it_and_no_service() -> None:
    kept, database = many_services(3)
    database.write(put_service(Service("other", "10.2.0.1", 80)))
    database.write(put_container(registration("other", "c1", 4)))
    kept.absorb(database.everything())
    changes = database.write(put_port(port_of_station(4, number=14)))
    assert kept.absorb(changes) == {PORTS, ROUTES, Unit("station", mac_of(4))}


@pytest.mark.parametrize("locality", ["none", "prefer"])
@pytest.mark.parametrize("late", [0, 1, 3])
def test_slot_tables_that_come_back_late_move_nothing(late: int, locality: str) -> None:
    """What was decided meanwhile stands; else a burst of changes would deal slots many times."""
    kept, database = many_services(1)
    kept.absorb(database.write(Edit(shape, ("s0", {"locality": locality}))))
    kept.absorb(saved(database, kept.unsaved()))
    tables: list[tuple[int, ...]] = []
    on_their_way: deque[Unsaved] = deque({} for _ in range(late))
    for number in range(12):
        one_more = registration("s0", f"more{number}", number % 6 + 1, 3000 + number)
        kept.absorb(database.write(put_container(one_more)))
        tables.append(kept.state.view.need(SlotTable, "s0").slots)
        on_their_way.append(kept.unsaved())
        kept.absorb(saved(database, on_their_way.popleft()))
    for unsaved in on_their_way:
        kept.absorb(saved(database, unsaved))
    assert kept.state.view.need(SlotTable, "s0").slots == tables[-1]
    assert database.mirror.need(SlotTable, "s0").slots == tables[-1]
    here = database.mirror.get(LocalSlots, ("s0", HERE))
    assert here == (LocalSlots("s0", HERE, tables[-1]) if locality == "prefer" else None)
    moves = [
        sum(before[slot % len(before)] != number for slot, number in enumerate(after))
        for before, after in pairwise(tables)
    ]
    newcomers = [after.count(max(after)) for after in tables[1:]]
    assert moves == newcomers


# ------------------------------------------------------------------------------------- locality


def preferring(count: int = 1) -> tuple[Kept, Database]:
    """As `many_services`, with locality: c1 of each is behind this switch, c2 behind the other."""
    kept, database = many_services(count)
    database.write(put_port(port_of_station(2, THERE)))
    database.write(Edit(delete_port, (HERE, "v2")))
    for number in range(count):
        database.write(Edit(shape, (f"s{number}", {"locality": "prefer"})))
    kept.absorb(database.everything())
    kept.absorb([RowChange(port_of_station(2), None)])
    check(kept, database)
    kept.absorb(saved(database, kept.unsaved()))
    kept.state.take_moved_slots()
    return kept, database


def chosen(kept: Kept, dpid: str, service: str = "s0") -> dict[str, int]:
    """Slots by container that clients of a switch go by."""
    slots = kept.state.view.need(LocalSlots, (service, dpid)).slots
    ids = {each.number: each.id for each in kept.state.view.containers_of(service)}
    return dict(Counter(ids[number] for number in slots))


def test_clients_get_the_containers_of_their_switch_and_all_where_none_can_take_more() -> None:
    kept, database = preferring()
    assert (chosen(kept, HERE), chosen(kept, THERE)) == ({"c1": 64}, {"c2": 64})
    kept.absorb(database.write(Edit(drain, (("s0", "c1"), 60.0))))
    assert (chosen(kept, HERE), chosen(kept, THERE)) == ({"c2": 64}, {"c2": 64})
    kept.absorb(database.write(put_container(at_station(0, 1))))
    assert (chosen(kept, HERE), chosen(kept, THERE)) == ({"c1": 64}, {"c2": 64})


def test_a_container_that_moves_is_dealt_where_it_is() -> None:
    """It keeps number, state and the time since when it is ready."""
    kept, database = preferring(3)
    before = database.mirror.need(Container, ("s0", "c1"))
    database.write(put_port(port_of_station(3, THERE)))
    kept.absorb(database.everything())
    moved = replace(at_station(0, 1), iface_id=None, switch=THERE, switch_port="v3")
    touched = kept.absorb(database.write(put_container(moved, START_MS + 9000)))
    assert {unit for unit in touched if unit.kind == "service"} == {Unit("service", "s0")}
    assert (chosen(kept, HERE), chosen(kept, THERE)) == ({"c1": 32, "c2": 32},) * 2
    assert kept.state.take_moved_slots() == {"s0": 64}, "32 in each of the two tables"
    after = database.mirror.need(Container, ("s0", "c1"))
    same = ("number", "state", "since_ms", "lease_until_ms", "drain_until_ms")
    assert all(getattr(before, name) == getattr(after, name) for name in same)
    check_dealt(kept, 50)


def test_a_port_that_moves_takes_its_containers_along() -> None:
    kept, database = preferring()
    changes = [
        *database.write(Edit(delete_port, (HERE, "v1"))),
        *database.write(put_port(port_of_station(1, THERE))),
    ]
    kept.absorb(changes)
    assert (chosen(kept, HERE), chosen(kept, THERE)) == ({"c1": 32, "c2": 32},) * 2


def test_what_the_switch_goes_by_until_locality_is_on_is_moved_the_least() -> None:
    kept, database = many_services(1)
    for station in (3, 4):
        database.write(put_container(at_station(0, station)))
    database.write(put_port(port_of_station(4, THERE)))
    database.write(Edit(delete_port, (HERE, "v4")))
    kept.absorb([*database.everything(), RowChange(port_of_station(4), None)])
    before = kept.state.view.need(SlotTable, "s0").slots
    kept.absorb(database.write(Edit(shape, ("s0", {"locality": "prefer"}))))
    after = kept.state.view.need(LocalSlots, ("s0", HERE)).slots
    moved = sum(old != new for old, new in zip(before, after, strict=True))
    assert moved == chosen(kept, THERE)["c4"] // 4, "those of the one container behind another"
    kept.absorb(database.write(Edit(shape, ("s0", {"locality": "none"}))))
    assert not kept.state.view.local_slots_of("s0")
    assert kept.state.view.need(SlotTable, "s0").slots == before


def test_a_switch_that_appears_or_goes_costs_one_deal_a_service_with_locality(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, database = preferring(3)
    kept.absorb(database.write(Edit(shape, ("s2", {"locality": "none"}))))
    dealt: Counter[str] = Counter()

    def counted(service: str, *arguments: Any) -> Deal:
        dealt[service] += 1
        return deal(service, *arguments)

    monkeypatch.setattr("ryu_apps.incremental.deal", counted)
    kept.absorb(database.write(put_switch(THIRD)))
    assert dealt == {"s0": 1, "s1": 1}
    assert chosen(kept, THIRD.dpid) == {"c1": 32, "c2": 32}
    kept.absorb(database.write(put_switch(replace(THIRD, connected=False, applied=5))))
    assert dealt == {"s0": 1, "s1": 1}
    kept.absorb(saved(database, kept.unsaved()))
    kept.absorb(database.write(Edit(delete_switch, THIRD.dpid)))
    assert dealt == {"s0": 2, "s1": 2}
    kept.absorb(saved(database, kept.unsaved()))
    assert len(database.mirror.all(LocalSlots)) == 4


def test_connections_through_any_switch_make_shares() -> None:
    kept, database = many_services(1)
    kept.absorb(database.write(Edit(shape, ("s0", {"policy": "least_inflight"}))))
    slots = []
    for switch, count in ((HERE, 3), (THERE, 4), (HERE, 0), (THERE, 0)):
        row = Connections("s0", "c1", count, START_MS, switch)
        kept.absorb(database.write(Edit(tell, row)))
        kept.tick()
        table = kept.state.view.need(SlotTable, "s0").slots
        slots.append(table.count(number_of(kept, "c1")))
    assert slots == [13, 8, 10, 32]
