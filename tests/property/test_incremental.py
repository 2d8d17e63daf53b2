"""What the controller keeps change by change equals what a full compilation gives.

Rows arrive in any grouping, the controller's own slot tables come back late, and time passes: with
each tick every service's slots are what dealing them anew at that moment would give.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.intent import (
    delete_service,
    put_container,
    put_service,
    renew_container,
)
from nib.intent import Container, Service
from nib.observed import Connections, Ejected, Health, Report
from nib.plans import PolicyRate
from nib.policy import Canary, HealthCheck
from nib.qos import Policy, PolicyShare
from nib.records import Global, LocalSlots, Record, SlotTable
from ryu_apps.units import PORTS, ROUTES, Unit, all_units
from tests.nib_strategies import (
    CAPACITY_ROWS,
    HERE,
    SWITCHES,
    THERE,
    Database,
    Edit,
    bandwidth_edits,
    drain,
    edits,
    examples,
    fabric_edits,
    fabric_histories,
    local_tables,
    mac_of,
    plan_edits,
    policy_edits,
    port_of_station,
    put_port,
    put_row,
    put_switch,
    rate_edits,
    registration,
    save_local_table,
    save_table,
)
from tests.property.kept import (
    START_MS,
    THIRD,
    Kept,
    Unsaved,
    at_station,
    check,
    check_dealt,
    check_policed,
    check_tables,
    delete_switch,
    many_services,
    saved,
    shape,
    tell,
)


@st.composite
def slot_tables(draw: st.DrawFn) -> SlotTable:
    """Any slot table, as another controller may have left it."""
    slots = draw(st.lists(st.integers(1, 12), min_size=64, max_size=64) | st.just([]))
    return SlotTable(draw(st.sampled_from(("web", "api", "dns"))), tuple(slots))


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
        "switches": st.sampled_from(((), (HERE,), (THERE,), (HERE, THERE))),
        "slow_start_seconds": st.just(30),
        "panic_percent": st.just(50),
        "health": st.just(HealthCheck(port=9)),
        "canary": st.just(Canary("v2", 50, 10, 500)),
    },
)
any_edits = (
    edits
    | fabric_edits
    | bandwidth_edits
    | plan_edits
    | st.builds(Edit, st.just(save_table), slot_tables())
    | st.builds(Edit, st.just(save_local_table), local_tables)
    | st.builds(Edit, st.just(put_switch), st.just(THIRD))
    | st.builds(Edit, st.just(delete_switch), st.just(THIRD.dpid))
    | st.builds(Edit, st.just(shape), st.tuples(names, shapes))
    | st.builds(Edit, st.just(tell), told)
)
batches = st.lists(st.lists(any_edits, max_size=4), max_size=6)
about_bandwidth = st.integers(0, 5).flatmap(
    lambda kind: edits | fabric_edits if not kind else bandwidth_edits if kind < 3 else plan_edits
)


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
    check_history(history, later, data)


@given(
    fabric_histories(),
    st.lists(policy_edits, min_size=3, max_size=5),
    st.lists(rate_edits, min_size=2, max_size=4),
    st.lists(st.lists(about_bandwidth, min_size=1, max_size=3), min_size=1, max_size=4),
    st.data(),
)
@examples(0.4)
def test_incremental_equals_full_with_policies_and_plans(
    history: list[Edit],
    stated: list[Edit],
    planned: list[Edit],
    later: list[list[Edit]],
    data: st.DataObject,
) -> None:
    check_history([*history, *stated, *planned], later, data)


def check_history(history: list[Edit], later: list[list[Edit]], data: st.DataObject) -> None:
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
            check_policed(kept)
        unsaved.update(kept.unsaved())
        check(kept, database)
    for _ in range(4):
        kept.absorb(saved(database, unsaved))
        unsaved = kept.unsaved()
    assert not unsaved, "decisions go to and fro for ever"
    for kind in (SlotTable, LocalSlots, PolicyShare, PolicyRate):
        assert set(kept.state.view.all(kind)) == set(database.mirror.all(kind))
    check(kept, database)


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
    assert len(few) <= 8


def absorbed(edit: Edit, services: int) -> set[Unit]:
    """What is recompiled after an edit among so many services."""
    kept, database = many_services(services)
    return kept.absorb(database.write(edit))


def test_a_renewed_lease_recompiles_nothing() -> None:
    kept, database = many_services(1)
    leased = replace(at_station(0, 1), lease_seconds=10)
    kept.absorb(database.write(put_container(leased, START_MS)))
    changes = database.write(renew_container(("s0", "c1"), START_MS + 6000))
    assert [change.kind for change in changes if change.kind is Container]
    assert kept.absorb(changes) == set()
    check(kept, database)


def test_a_switch_that_reports_its_state_recompiles_nothing() -> None:
    kept, database = many_services(3)
    changes = database.write(put_switch(replace(SWITCHES[HERE], applied=7)))
    assert changes
    assert kept.absorb(changes) == set()


@pytest.mark.parametrize("row", CAPACITY_ROWS, ids=lambda row: type(row).__name__)
def test_rows_of_capacity_recompile_nothing(row: Record) -> None:
    kept, database = many_services(1)
    for needed in (put_service(Service("web", "10.2.0.1", 80)), put_row(Policy("p1", None, "s0"))):
        kept.absorb(database.write(needed))
    changes = database.write(put_row(row))
    assert {change.kind for change in changes} - {Global} == {type(row)}
    assert kept.absorb(changes) == set()
    assert kept.state.due_ms(kept.now_ms) is None
    check(kept, database)


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
