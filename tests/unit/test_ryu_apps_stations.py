"""Where stations are, and whose an address is."""

from __future__ import annotations

from dataclasses import replace

from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.records import Record
from nib.topology import Host, Port
from ryu_apps.stations import all_stations, learned_addresses, located, own_addresses, stations_on
from tests.nib_strategies import HERE, THERE

MAC = "02:00:00:00:01:01"
P1 = Port(HERE, "v1", 1, "02:00:00:00:02:01", iface_id="pod-1")
P2 = Port(THERE, "v2", 2, "02:00:00:00:02:02", attached_mac=MAC)
P3 = Port(THERE, "v3", 3, "02:00:00:00:02:03")
WEB = Service("web", "10.0.0.100", 80, number=1)
C1 = Container("web", "c1", "10.0.1.1", 8080, MAC, iface_id="pod-1", number=2)
HEARD = Host(MAC, THERE, "v3", frozenset({"10.0.1.9", "fd00::9"}))


def view_of(*rows: Record) -> Mirror:
    view = Mirror()
    for row in rows:
        view.apply(RowChange(None, row))
    return view


def test_a_registration_counts_more_than_an_interface_and_that_more_than_hearsay() -> None:
    assert located(MAC, view_of(P1, P2, P3, HEARD, WEB, C1)) == P1
    assert located(MAC, view_of(P1, P2, P3, HEARD)) == P2
    assert located(MAC, view_of(P1, P3, HEARD)) == P3
    assert located(MAC, view_of(P1, HEARD, WEB, replace(C1, iface_id="none"))) is None
    assert located(MAC, view_of()) is None


def test_of_two_registrations_of_one_station_the_newer_says_where_it_is() -> None:
    moved = replace(C1, id="c2", iface_id=None, switch=THERE, switch_port="v3", number=3)
    assert located(MAC, view_of(P1, P3, WEB, C1, moved)) == P3


def test_stations_are_all_that_anything_says_of() -> None:
    other = replace(HEARD, mac="02:00:00:00:01:09")
    assert all_stations(view_of(P2, other, WEB, C1)) == {MAC, other.mac}
    assert stations_on(P1, view_of(WEB, C1)) == {MAC}
    assert stations_on(P2, view_of()) == {MAC}
    assert stations_on(P3, view_of(P3, HEARD)) == {MAC}


def test_an_address_heard_is_nobodys_who_has_it_by_right() -> None:
    both = frozenset({"10.0.1.9", "fd00::9"})
    assert own_addresses(MAC, view_of(HEARD, C1)) == {C1.address, *both}
    assert learned_addresses(MAC, view_of(HEARD)) == ["10.0.1.9", "fd00::9"]
    taken = replace(C1, address="10.0.1.9", mac="02:00:00:00:01:02")
    assert learned_addresses(MAC, view_of(HEARD, taken)) == ["fd00::9"]
    assert learned_addresses(MAC, view_of(HEARD, replace(WEB, vip="fd00::9"))) == ["10.0.1.9"]
    smaller = Host("02:00:00:00:01:00", HERE, "v1", frozenset({"10.0.1.9"}))
    assert learned_addresses(MAC, view_of(HEARD, smaller)) == ["fd00::9"]
    assert learned_addresses(smaller.mac, view_of(HEARD, smaller)) == ["10.0.1.9"]
