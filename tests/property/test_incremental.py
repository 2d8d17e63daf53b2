"""What the controller keeps change by change equals what a full compilation gives.

Rows arrive in any grouping, and the controller's own slot tables come back late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.intent import delete_service, put_container, put_service
from gateway_lb.lifecycle import is_ready
from gateway_lb.placement import port_of
from nib.mirror import RowChange
from nib.records import Container, Port, Service, SlotTable, Switch
from openflow.values import Rules
from ryu_apps.compile import Unit, all_units, compile_state
from ryu_apps.incremental import Incremental
from ryu_apps.rows import save_slots
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


class Kept:
    """The controller: an `Incremental`, and each switch's rules as they accumulate."""

    def __init__(self) -> None:
        self.state = Incremental()
        self.parts = {dpid: self.state.all_rules(switch) for dpid, switch in SWITCHES.items()}

    def absorb(self, changes: Iterable[RowChange]) -> set[Unit]:
        touched = self.state.absorb(changes, self.state.generation + 1)
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


any_edits = edits | st.builds(Edit, st.just(save_table), slot_tables())
batches = st.lists(st.lists(any_edits, max_size=4), max_size=6)


def check(kept: Kept, database: Database) -> None:
    for dpid, switch in SWITCHES.items():
        assert not_empty(kept.parts[dpid]) == kept.full(switch)
        assert not_empty(kept.state.all_rules(switch)) == kept.full(switch)
    for kind in (Service, Container, Port, Switch):
        assert set(kept.state.view.all(kind)) == set(database.mirror.all(kind))
    for service in database.mirror.all(Service):
        dealt_to_those_ready(kept, service)


def dealt_to_those_ready(kept: Kept, service: Service) -> None:
    view = kept.state.view
    ready = {
        container.number
        for container in view.containers_of(service.name)
        if is_ready(container) and port_of(container, view) is not None
    }
    assert set(view.need(SlotTable, service.name).slots) == ready


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
    """Services of two containers each, all at two stations; two services share a VIP."""
    database = Database(Edit(put_port, port_of_station(station)) for station in STATIONS)
    for number in range(count):
        name, vip = f"s{number}", f"10.1.{number // 400}.{number // 2 % 200 + 1}"
        assert database.write(put_service(Service(name, vip, 80 + number % 2)))
        for station in (1, 2):
            given_container = registration(name, f"c{station}", station, 2000 + number)
            assert database.write(put_container(given_container))
    kept = Kept()
    kept.absorb(database.everything())
    return kept, database


CHANGES_OF_ONE = {
    "register": Edit(put_container, registration("s0", "c3", 3)),
    "drain": Edit(drain, (("s0", "c1"), 60.0)),
    "delete": Edit(drain, (("s0", "c1"), 0.0)),
    "another port": Edit(put_container, registration("s0", "c1", 1, 9000)),
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
