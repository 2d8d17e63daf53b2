"""The mirror's lookups, and a draft's rules on top of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nib.draft import Draft
from nib.errors import NotFound
from nib.fields import MAX_NUMBER
from nib.mirror import Mirror, RowChange
from nib.observed import Connections, Demand, Ejected, Health, Report
from nib.policy import ExtraPort
from nib.records import ABOUT_CONTAINER, Container, Global, Port, Record, Service, SlotTable, Switch

MAC = "0a:00:00:00:00:01"
WEB = Service("web", "10.0.0.100", 80, number=1, generation=1)
DPID = "00000000000000a1"


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
        Connections("web", name, 3, 1),
        Ejected("web", name, 1),
    )


def test_what_is_said_about_a_container_goes_with_it(mirror: Mirror) -> None:
    for record in (container("c1", 5), container("c2", 6), *about("c1"), *about("c2")):
        mirror.apply(RowChange(None, record))
    draft = Draft(mirror)
    draft.delete(Container, ("web", "c1"))
    assert {type(record) for record in about("c1")} == set(ABOUT_CONTAINER)
    for kind in ABOUT_CONTAINER:
        assert [record.key for record in draft.all(kind)] == [("web", "c2")]
    assert {change.kind for change in draft.net_changes()} == {Global, Container, *ABOUT_CONTAINER}


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
