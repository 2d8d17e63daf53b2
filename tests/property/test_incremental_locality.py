"""Slots by the clients' switch, as the controller keeps them change by change."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from gateway_lb.intent import (
    put_container,
)
from nib.intent import Container
from nib.mirror import RowChange
from nib.observed import Connections
from nib.records import LocalSlots, SlotTable
from ryu_apps.dealing import Deal, deal
from ryu_apps.units import Unit
from tests.nib_strategies import (
    HERE,
    THERE,
    Database,
    Edit,
    delete_port,
    drain,
    port_of_station,
    put_port,
    put_switch,
)
from tests.property.kept import (
    START_MS,
    THIRD,
    Kept,
    at_station,
    check,
    check_dealt,
    delete_switch,
    many_services,
    number_of,
    saved,
    shape,
    tell,
)


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
