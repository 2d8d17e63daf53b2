"""What is heard of containers, and time, make a service due; slots move only when they may."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from gateway_lb.intent import (
    put_container,
    put_service,
)
from nib.intent import Service
from nib.observed import Connections, Ejected, Health, Report
from nib.policy import Ejection, HealthCheck
from nib.records import AboutContainer, SlotTable
from ryu_apps.dealing import Deal, deal
from ryu_apps.units import Unit
from tests.nib_strategies import (
    HERE,
    SWITCHES,
    THERE,
    Database,
    Edit,
    put_switch,
    registration,
)
from tests.property.kept import (
    START_MS,
    Kept,
    many_services,
    number_of,
    shape,
    tell,
)

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
    assert not kept.state.tables.take_unsaved().keys() - {"s0"}


def test_a_count_of_as_many_connections_as_before_makes_nothing_due() -> None:
    kept, database = many_services(1)
    kept.absorb(database.write(Edit(tell, Connections("s0", "c1", 7, START_MS))))
    kept.tick()
    kept.absorb(database.write(Edit(tell, Connections("s0", "c1", 7, START_MS + 1000))))
    assert kept.state.due_ms(kept.now_ms) is None


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


def with_affinity() -> tuple[Kept, Database, Service]:
    """A service that keeps clients for ten seconds, in two switches that can be read."""
    kept, database = many_services(1)
    for switch in SWITCHES.values():
        database.write(put_switch(replace(switch, connected=True)))
    affine = {"policy": "source_affinity", "affinity_seconds": 10}
    database.write(Edit(shape, ("s0", affine)))
    kept.absorb(database.everything())
    return kept, database, kept.state.view.need(Service, "s0")


def test_slots_stay_until_every_connected_switch_was_read() -> None:
    """A connection came by the last slot in the other switch, which answers a second later."""
    kept, database, service = with_affinity()
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
    kept, database, service = with_affinity()
    kept.absorb(database.write(Edit(tell, Report("s0", "c1", percent=5))))
    kept.state.counted(service.number, HERE, (0,) * 64, kept.now_ms)
    kept.tick()
    assert kept.state.due_ms(kept.now_ms) == START_MS + 10_000
    kept.absorb(database.write(put_switch(SWITCHES[THERE])))
    assert kept.state.due_ms(kept.now_ms) == kept.now_ms
    assert kept.tick() == {Unit("service", "s0")}
