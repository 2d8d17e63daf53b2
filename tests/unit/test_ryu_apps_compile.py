"""Which units there are, which a changed row touches, and what a service's slots become."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway_lb.health import health_iface
from gateway_lb.pipeline import service_group
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.records import Global, LocalSlots, Record, SlotTable
from nib.topology import Host, Link, Switch
from openflow import tables
from openflow.values import Rules
from ryu_apps.compile import compile_state, unit_rules
from ryu_apps.dealing import next_slots
from ryu_apps.diff import desired_of
from ryu_apps.incremental import Incremental
from ryu_apps.units import BASE, PORTS, ROUTES, Unit, all_units, touched_units
from tests.nib_strategies import HERE, THERE, port_of_station

HERE_ROW = Switch(HERE, 1, "s1")
WEB = Service("web", "10.0.0.100", 80, number=1)
API = Service("api", "10.0.0.100", 81, number=2)
C1 = Container("web", "c1", "10.0.1.1", 8080, "02:00:00:00:01:01", iface_id="pod-1", number=3)
C2 = replace(C1, id="c2", address="10.0.1.2", iface_id="pod-2", number=4)
PLACES = (port_of_station(1), port_of_station(2, THERE))
HEARD = Host("02:00:00:00:02:01", HERE, "v7", frozenset({"10.0.2.1"}))
HERE_OF_C1 = Unit("station", C1.mac)


def view_of(*records: Record) -> Mirror:
    mirror = Mirror()
    for record in (HERE_ROW, *records):
        mirror.apply(RowChange(None, record))
    return mirror


def test_units_are_what_all_switches_have_and_stations_vips_addresses_services() -> None:
    assert all_units(view_of(WEB, API, C1, HEARD)) == {
        BASE,
        PORTS,
        ROUTES,
        Unit("station", C1.mac),
        Unit("station", HEARD.mac),
        Unit("vip", WEB.vip),
        Unit("service", "web"),
        Unit("service", "api"),
        Unit("container", "web/c1"),
        Unit("host", C1.address),
    }


@pytest.mark.parametrize(
    ("old", "new", "touched"),
    [
        (
            None,
            WEB,
            {
                Unit("service", "web"),
                Unit("vip", WEB.vip),
                Unit("container", "web/c1"),
                Unit("host", C1.address),
            },
        ),
        (
            WEB,
            replace(WEB, vip="10.0.0.9"),
            {
                Unit("service", "web"),
                Unit("vip", WEB.vip),
                Unit("vip", "10.0.0.9"),
                Unit("container", "web/c1"),
                Unit("host", C1.address),
            },
        ),
        (
            C1,
            replace(C1, address="10.0.1.9"),
            {
                Unit("container", "web/c1"),
                HERE_OF_C1,
                Unit("host", C1.address),
                Unit("host", "10.0.1.9"),
            },
        ),
        (
            None,
            replace(C2, max_connections=9),
            {
                Unit("service", "web"),
                Unit("container", "web/c2"),
                Unit("station", C2.mac),
                Unit("host", C2.address),
            },
        ),
        (None, SlotTable("web", (3,)), {Unit("service", "web")}),
        (None, LocalSlots("web", HERE, (3,)), {Unit("service", "web")}),
        (PLACES[0], replace(PLACES[0], number=9), {PORTS, ROUTES, HERE_OF_C1}),
        (PLACES[0], None, {PORTS, ROUTES, HERE_OF_C1}),
        (None, replace(PLACES[0], name="other", iface_id=None), {PORTS, ROUTES}),
        (
            None,
            replace(PLACES[0], name="x", iface_id=None, attached_mac=HEARD.mac),
            {PORTS, ROUTES, Unit("station", HEARD.mac)},
        ),
        (
            None,
            replace(PLACES[0], name="x", iface_id=health_iface(HERE)),
            {PORTS, ROUTES, Unit("vip", WEB.vip)},
        ),
        (None, Link(HERE, "t1", THERE, "t1"), {PORTS, ROUTES}),
        (None, HEARD, {Unit("station", HEARD.mac)}),
        (HERE_ROW, replace(HERE_ROW, applied=3), set()),
        (HERE_ROW, replace(HERE_ROW, connected=True), {ROUTES}),
        (None, Switch(THERE, 2, "s2"), {ROUTES, HERE_OF_C1}),
        (None, Global(), set()),
        (Global(), Global(generation=7), set()),
        (None, Global(database="1a2b3c4d"), {BASE}),
    ],
)
def test_a_row_touches_what_it_can_alter(
    old: Record | None, new: Record | None, touched: set[Unit]
) -> None:
    view = view_of(WEB, C1)
    change = RowChange(old, new)
    view.apply(change)
    assert touched_units(change, view) == touched


def test_who_shares_an_address_is_compiled_together() -> None:
    twin = replace(C1, service="api", number=9)
    view = view_of(WEB, API, C1, twin)
    assert touched_units(RowChange(None, twin), view) == {
        HERE_OF_C1,
        Unit("container", "web/c1"),
        Unit("container", "api/c1"),
        Unit("host", C1.address),
    }
    assert Unit("container", "web/c1") in touched_units(RowChange(API, replace(API, port=82)), view)


def test_a_port_that_two_services_share_needs_a_second_look() -> None:
    twin = replace(C1, service="api", number=9)
    alone = unit_rules(Unit("host", C1.address), view_of(WEB, API, C1), HERE_ROW)
    shared = unit_rules(Unit("host", C1.address), view_of(WEB, API, C1, twin), HERE_ROW)
    apart = unit_rules(
        Unit("host", C1.address), view_of(WEB, API, C1, replace(twin, port=9)), HERE_ROW
    )
    assert tables.ORIGIN.number not in {flow.table for flow in (*alone.flows, *apart.flows)}
    assert tables.ORIGIN.number in {flow.table for flow in shared.flows}


@pytest.mark.parametrize("named", ["v5", "5", "15"])
def test_a_port_is_found_by_name_or_number_before_and_after(named: str) -> None:
    placed = replace(C1, iface_id=None, switch=HERE, switch_port=named)
    change = RowChange(port_of_station(5), port_of_station(5, number=15))
    assert HERE_OF_C1 in touched_units(change, view_of(WEB, placed))


def test_a_station_that_spoke_with_an_address_of_ours_is_compiled_with_it() -> None:
    impostor = replace(HEARD, addresses=frozenset({C1.address, WEB.vip}))
    unit, view = Unit("station", HEARD.mac), view_of(impostor, C1)
    assert unit in touched_units(RowChange(None, C1), view)
    assert unit in touched_units(RowChange(WEB, None), view)
    assert unit in touched_units(RowChange(None, replace(HEARD, mac=C2.mac)), view_of(HEARD))


def test_a_unit_whose_object_is_gone_has_no_rules() -> None:
    gone = (Unit("service", "web"), Unit("container", "web/c1"))
    for unit in (*gone, Unit("vip", WEB.vip), Unit("host", C1.address)):
        assert unit_rules(unit, view_of(), HERE_ROW) == Rules()


def test_a_vip_lives_as_long_as_one_of_its_services() -> None:
    assert unit_rules(Unit("vip", WEB.vip), view_of(API), HERE_ROW) != Rules()


def test_only_switches_that_clients_enter_by_hold_a_service() -> None:
    view = view_of(replace(WEB, switches=(HERE,)), C1, *PLACES, SlotTable("web", (3,) * 64))
    there = Switch(THERE, 2, "s2")
    held = {Unit("service", "web"): 0, Unit("container", "web/c1"): 0, Unit("host", C1.address): 1}
    for unit, elsewhere in held.items():
        assert len(unit_rules(unit, view, HERE_ROW).flows) > 1
        assert len(unit_rules(unit, view, there).flows) == elsewhere, "an address is resolved"
    vip = Unit("vip", WEB.vip)
    assert unit_rules(vip, view, there) == unit_rules(vip, view, HERE_ROW) != Rules()


def test_a_container_of_a_stateless_service_is_restored_wherever_it_is() -> None:
    service = replace(WEB, switches=(HERE,), mode="stateless")
    view = view_of(service, C1, *PLACES)
    host = Unit("host", C1.address)
    there = Switch(THERE, 2, "s2")
    assert unit_rules(host, view, there) == unit_rules(host, view, HERE_ROW)


def test_no_two_units_claim_one_key() -> None:
    view = view_of(WEB, API, C1, C2, *PLACES, SlotTable("web", (3, 4) * 32))
    assert desired_of(compile_state(view, HERE_ROW).values()).flows


def test_slots_go_to_containers_that_are_ready_and_whose_port_is_known() -> None:
    lost = replace(C1, id="c3", address="10.0.1.3", iface_id="pod-3", number=5)
    draining = replace(C1, id="c4", address="10.0.1.4", state="draining", number=6)
    table = next_slots("web", view_of(WEB, C1, C2, lost, draining, *PLACES))
    assert table is not None
    assert set(table.slots) == {3, 4}
    assert next_slots("web", view_of(WEB)) == SlotTable("web", ())
    assert next_slots("web", view_of(C1)) is None


def test_the_group_holds_the_slots_in_their_order() -> None:
    view = view_of(WEB, C1, C2, *PLACES, SlotTable("web", (3, 4, 4, 3)))
    rules = unit_rules(Unit("service", "web"), view, HERE_ROW)
    assert rules.groups == (service_group(WEB, (3, 4, 4, 3)),)


def test_slots_that_another_controller_left_are_kept_where_they_are_right() -> None:
    left = SlotTable("web", (3,) * 40 + (4,) * 24)
    state = Incremental()
    rows = (HERE_ROW, WEB, C1, C2, *PLACES, left)
    state.absorb([RowChange(None, row) for row in rows], 7, 0)
    slots = state.view.need(SlotTable, "web").slots
    assert state.generation == 7
    assert slots.count(3) == slots.count(4) == 32
    assert sum(a != b for a, b in zip(left.slots, slots, strict=True)) == 8
    assert state.tables.take_unsaved() == {"web": SlotTable("web", slots)}
    assert state.tables.take_unsaved() == {}


def test_the_slots_of_a_service_that_goes_are_deleted() -> None:
    state = Incremental()
    state.absorb([RowChange(None, row) for row in (WEB, C1, *PLACES)], 1, 0)
    state.tables.take_unsaved()
    state.absorb([RowChange(C1, None), RowChange(WEB, None)], 2, 0)
    assert state.tables.take_unsaved() == {"web": None}
    assert state.view.get(SlotTable, "web") is None


def test_slots_of_a_service_that_never_was_are_deleted() -> None:
    state = Incremental()
    state.absorb([RowChange(None, SlotTable("gone", (1,) * 64))], 1, 0)
    assert state.tables.take_unsaved() == {"gone": None}


def test_another_controllers_later_slots_are_taken_over() -> None:
    state = Incremental()
    state.absorb([RowChange(None, row) for row in (WEB, C1, C2, *PLACES)], 1, 0)
    ours = state.view.need(SlotTable, "web")
    turned = SlotTable("web", ours.slots[::-1])
    assert state.absorb([RowChange(ours, turned)], 2, 0) == {Unit("service", "web")}
    assert state.view.need(SlotTable, "web") == turned


def test_what_a_switch_needed_is_known_until_its_row_is_deleted() -> None:
    state = Incremental()
    other = Switch(THERE, 2, "s2")
    state.absorb([RowChange(None, row) for row in (HERE_ROW, other)], 1, 0)
    here, there = (state.all_rules(switch)[BASE] for switch in (HERE_ROW, other))
    assert state.all_rules(HERE_ROW)[BASE] is here
    state.absorb([RowChange(HERE_ROW, None)], 1, 0)
    assert state.all_rules(HERE_ROW)[BASE] is not here
    assert state.all_rules(other)[BASE] is there
