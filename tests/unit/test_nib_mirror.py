"""The mirror's lookups, and a draft's rules on top of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nib.draft import Draft
from nib.errors import FieldError, NotFound
from nib.fields import MAX_NUMBER
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Connections, Demand, Ejected, Health, Report
from nib.policy import ExtraPort
from nib.records import ABOUT_CONTAINER, Global, LocalSlots, Record, SlotTable
from nib.topology import Host, Link, Port, Switch

MAC = "0a:00:00:00:00:01"
PORT_MAC = "0a:00:00:00:ff:01"
WEB = Service("web", "10.0.0.100", 80, number=1, generation=1)
DPID = "00000000000000a1"
PEER = "00000000000000b2"


def container(name: str, number: int = 0, service: str = "web") -> Container:
    return Container(
        service, name, f"10.0.1.{name[1:]}", 80, MAC, iface_id=f"pod-{name}", number=number
    )


def mirror_of(*records: Record) -> Mirror:
    mirror = Mirror()
    for record in records:
        mirror.apply(RowChange(None, record))
    return mirror


@pytest.fixture
def mirror() -> Mirror:
    return mirror_of(Global(generation=1, next_number=2), WEB)


def test_lookups(mirror: Mirror) -> None:
    first, second = container("c1", 5), container("c2", 6)
    port = Port(DPID, "s1-eth1", 1, MAC, iface_id="pod-c1")
    for record in (first, second, port):
        mirror.apply(RowChange(None, record))
    assert mirror.get(Service, "web") == WEB
    assert mirror.get(Service, "nope") is None
    assert set(mirror.all(Container)) == set(mirror.containers_of("web")) == {first, second}
    assert mirror.count(Container) == 2
    assert mirror.service_at("10.0.0.100", 80, "tcp") == WEB
    assert mirror.service_at("10.0.0.100", 80, "udp") is None
    assert mirror.services_at_vip("10.0.0.100") == (WEB,)
    assert mirror.service_numbered(1) == WEB
    assert mirror.containers_at("10.0.1.1") == (first,)
    assert mirror.container_numbered(6) == second
    assert mirror.containers_on_iface("pod-c2") == (second,)
    assert mirror.ports_of(DPID) == (port,)
    assert mirror.port_with_iface("pod-c1") == port
    assert mirror.generation == 1
    with pytest.raises(NotFound):
        mirror.need(Switch, DPID)


def test_a_modified_row_moves_in_every_lookup(mirror: Mirror) -> None:
    moved = replace(WEB, vip="10.0.0.101", number=9)
    mirror.apply(RowChange(WEB, moved))
    assert mirror.services_at_vip("10.0.0.100") == ()
    assert mirror.service_numbered(1) is None
    assert mirror.service_at("10.0.0.101", 80, "tcp") == mirror.service_numbered(9) == moved


def test_a_change_is_of_one_row() -> None:
    with pytest.raises(ValueError, match="same row"):
        RowChange(WEB, replace(WEB, name="other"))
    with pytest.raises(ValueError, match="needs"):
        RowChange(None, None)


def test_a_draft_sees_its_own_changes_in_every_lookup(mirror: Mirror) -> None:
    draft = Draft(mirror)
    api = draft.put(Service("api", "10.0.0.200", 80))
    c1 = draft.put(container("c1", service="api"))
    draft.delete(Service, "web")
    assert draft.all(Service) == (api,)
    assert draft.containers_of("api") == draft.containers_on_iface("pod-c1") == (c1,)
    assert draft.service_at("10.0.0.200", 80, "tcp") == draft.service_numbered(2) == api
    assert draft.services_at_vip("10.0.0.100") == ()


def test_numbers_are_allotted_once_and_kept(mirror: Mirror) -> None:
    draft = Draft(mirror)
    assert draft.put(Service("api", "10.0.0.200", 80)).number == 2
    assert draft.put(container("c1")).number == 3
    assert draft.put(replace(container("c1"), port=81)).number == 3
    assert draft.put(replace(container("c1", number=77), port=82)).number == 3
    assert draft.need(Global, ()).next_number == 4


def test_numbers_wrap_and_skip_those_in_use() -> None:
    taken = replace(WEB, number=MAX_NUMBER)
    mirror = mirror_of(Global(next_number=MAX_NUMBER), taken, container("c1", number=1))
    draft = Draft(mirror)
    assert draft.put(container("c2")).number == 2
    assert draft.put(container("c3")).number == 3


def test_a_put_of_the_same_is_no_change(mirror: Mirror) -> None:
    draft = Draft(mirror)
    assert draft.put(Service("web", "10.0.0.100", 80)) == WEB
    assert draft.net_changes() == ()
    assert draft.generation == 1


def test_intent_is_stamped_with_one_generation(mirror: Mirror) -> None:
    draft = Draft(mirror)
    draft.put(replace(WEB, port=81))
    draft.put(container("c1"))
    changed = {c.kind: c.new for c in draft.net_changes()}
    assert {getattr(record, "generation", None) for record in changed.values()} == {2}
    assert set(changed) == {Global, Service, Container}


def test_controller_rows_do_not_touch_the_generation(mirror: Mirror) -> None:
    draft = Draft(mirror)
    draft.put(SlotTable("web", (1, 2)))
    assert [change.kind for change in draft.net_changes()] == [SlotTable]
    assert draft.generation == 1


def test_changes_that_cancel_out_are_none(mirror: Mirror) -> None:
    draft = Draft(mirror)
    draft.put(container("c1"))
    draft.delete(Container, ("web", "c1"))
    draft.put(replace(WEB, port=81))
    draft.put(WEB)
    assert draft.net_changes() == ()


def test_delete_and_put_again_is_one_modification_with_a_new_number(mirror: Mirror) -> None:
    draft = Draft(mirror)
    draft.delete(Service, "web")
    again = draft.put(Service("web", "10.0.0.100", 80))
    assert again.number == 2
    assert RowChange(WEB, again) in draft.net_changes()


def test_a_service_is_found_by_each_of_its_ports(mirror: Mirror) -> None:
    extra = (ExtraPort(443, 8443), ExtraPort(80, 8080, "udp"))
    wider = replace(WEB, extra_ports=extra)
    mirror.apply(RowChange(WEB, wider))
    for front in ((80, "tcp"), (443, "tcp"), (80, "udp")):
        assert mirror.service_at(WEB.vip, *front) == wider
    assert mirror.service_at(WEB.vip, 443, "udp") is None
    mirror.apply(RowChange(wider, WEB))
    assert mirror.service_at(WEB.vip, 443, "tcp") is None
    assert mirror.service_at(WEB.vip, 80, "tcp") == WEB


def test_ipv6_rows_are_found_by_address(mirror: Mirror) -> None:
    web6 = Service("web6", "fd00::100", 80, number=2)
    c1 = replace(container("c1", 3, "web6"), address="fd00::1")
    for record in (web6, c1):
        mirror.apply(RowChange(None, record))
    assert mirror.service_at("fd00::100", 80, "tcp") == web6
    assert mirror.services_at_vip("fd00::100") == (web6,)
    assert mirror.containers_at("fd00::1") == (c1,)


def test_two_services_may_have_containers_at_one_address(mirror: Mirror) -> None:
    mirror.apply(RowChange(None, Service("api", "10.0.0.200", 80, number=2)))
    first, second = container("c1", 5), container("c1", 6, "api")
    for record in (first, second):
        mirror.apply(RowChange(None, record))
    assert set(mirror.containers_at("10.0.1.1")) == {first, second}
    assert set(mirror.containers_on_iface("pod-c1")) == {first, second}


def about(name: str) -> tuple[Record, ...]:
    return (
        Report("web", name, percent=50),
        Health("web", name, True),
        Connections("web", name, 3, 1, DPID),
        Connections("web", name, 4, 1, PEER),
        Connections("web", name, 5, 1),
        Ejected("web", name, 1),
    )


def test_what_is_said_about_a_container_goes_with_it(mirror: Mirror) -> None:
    for record in (container("c1", 5), container("c2", 6), *about("c1"), *about("c2")):
        mirror.apply(RowChange(None, record))
    draft = Draft(mirror)
    draft.delete(Container, ("web", "c1"))
    assert {type(record) for record in about("c1")} == set(ABOUT_CONTAINER)
    for kind in ABOUT_CONTAINER:
        assert {record.container for record in draft.all(kind)} == {"c2"}
    assert {change.kind for change in draft.net_changes()} == {Global, Container, *ABOUT_CONTAINER}


def test_a_new_container_inherits_no_counts(mirror: Mirror) -> None:
    """A late count of the one that went before is deleted, whichever switch it came from."""
    for record in about("c1"):
        mirror.apply(RowChange(None, record))
    draft = Draft(mirror)
    draft.put(container("c1"))
    assert draft.connections_of("web", "c1") == ()


def test_connections_are_counted_by_switch(mirror: Mirror) -> None:
    counts = [record for record in about("c1") if isinstance(record, Connections)]
    for record in counts:
        mirror.apply(RowChange(None, record))
    mirror.apply(RowChange(None, Connections("web", "c2", 9, 1, DPID)))
    assert set(mirror.connections_of("web", "c1")) == set(counts)
    assert mirror.connections_of("api", "c1") == ()
    assert mirror.get(Connections, ("web", "c1", PEER)) == Connections("web", "c1", 4, 1, PEER)


def test_links_are_found_by_where_they_arrive(mirror: Mirror) -> None:
    there, back = Link(DPID, "p1", PEER, "p2"), Link(PEER, "p2", DPID, "p1")
    for record in (there, back):
        mirror.apply(RowChange(None, record))
    assert mirror.links_to(PEER, "p2") == (there,)
    assert mirror.links_to(DPID, "p1") == (back,)
    moved = replace(there, peer_port="p3")
    mirror.apply(RowChange(there, moved))
    assert mirror.links_to(PEER, "p2") == ()
    assert mirror.links_to(PEER, "p3") == (moved,)
    mirror.apply(RowChange(moved, None))
    assert mirror.links_to(PEER, "p3") == ()


def test_stations_are_found_by_every_address(mirror: Mirror) -> None:
    host = Host(MAC, DPID, "p1", frozenset({"10.0.0.7", "fe80::7"}))
    port = Port(DPID, "p2", 2, PORT_MAC, attached_mac=MAC)
    for record in (host, port, container("c1", 5), container("c2", 6)):
        mirror.apply(RowChange(None, record))
    assert mirror.hosts_at("10.0.0.7") == mirror.hosts_at("fe80::7") == (host,)
    assert mirror.hosts_on(DPID, "p1") == (host,)
    assert mirror.ports_with_mac(MAC) == (port,)
    assert mirror.ports_with_mac(PORT_MAC) == ()
    assert {each.id for each in mirror.containers_with_mac(MAC)} == {"c1", "c2"}
    moved = replace(host, port="p3", addresses=frozenset({"fe80::7", "10.0.0.8"}))
    mirror.apply(RowChange(host, moved))
    assert mirror.hosts_at("10.0.0.7") == mirror.hosts_on(DPID, "p1") == ()
    assert mirror.hosts_at("10.0.0.8") == mirror.hosts_at("fe80::7") == (moved,)


def test_local_slots_are_a_services(mirror: Mirror) -> None:
    here, there = LocalSlots("web", DPID, (1, 2)), LocalSlots("web", PEER)
    for record in (here, there, LocalSlots("api", DPID)):
        mirror.apply(RowChange(None, record))
    assert set(mirror.local_slots_of("web")) == {here, there}


def test_a_database_is_founded_once() -> None:
    mirror = Mirror()
    draft = Draft(mirror)
    draft.found()
    founded = draft.need(Global, ())
    assert len(founded.database) == 8
    draft.found()
    assert draft.net_changes() == (RowChange(None, founded),)


def test_a_database_of_before_gets_a_name_and_keeps_its_counts() -> None:
    old = Global(generation=5, next_number=9)
    draft = Draft(mirror_of(old))
    draft.found()
    (change,) = draft.net_changes()
    assert isinstance(change.new, Global)
    assert change.new == replace(old, database=change.new.database)
    assert change.new.database != ""


def test_a_database_may_succeed_others() -> None:
    known = Global(database="00000001", predecessors=frozenset({"00000002"}))
    draft = Draft(mirror_of(known))
    draft.succeed("00000003")
    both = replace(known, predecessors=frozenset({"00000002", "00000003"}))
    assert draft.net_changes() == (RowChange(known, both),)
    draft.succeed("00000002")
    assert draft.net_changes() == (RowChange(known, both),)
    assert draft.generation == 0
    with pytest.raises(FieldError, match="eight hex digits"):
        draft.succeed("web")


def test_a_demand_goes_with_its_service(mirror: Mirror) -> None:
    mirror.apply(RowChange(None, Demand("web", 1)))
    draft = Draft(mirror)
    draft.delete(Service, "web")
    assert draft.all(Demand) == ()


def test_what_is_said_about_a_container_does_not_touch_the_generation(mirror: Mirror) -> None:
    mirror.apply(RowChange(None, container("c1", 5)))
    draft = Draft(mirror)
    for record in (*about("c1"), Demand("web", 1)):
        draft.put(record)
    assert Global not in {change.kind for change in draft.net_changes()}
    assert draft.generation == 1


def test_rolling_back_leaves_nothing_behind(mirror: Mirror) -> None:
    draft = Draft(mirror)
    draft.put(container("c1"))
    mark = draft.mark
    draft.put(container("c2"))
    draft.delete(Container, ("web", "c1"))
    draft.roll_back(mark)
    assert [c.id for c in mirror.containers_of("web")] == ["c1"]
    draft.roll_back(0)
    assert mirror.containers_of("web") == ()
    assert mirror.get(Global, ()) == Global(generation=1, next_number=2)


def test_refused_puts(mirror: Mirror) -> None:
    draft = Draft(mirror)
    with pytest.raises(NotFound, match="service api"):
        draft.put(container("c1", service="api"))
    with pytest.raises(NotFound, match="container"):
        draft.delete(Container, ("web", "c1"))
    with pytest.raises(TypeError, match="Global"):
        draft.put(Global())
    assert draft.net_changes() == ()
