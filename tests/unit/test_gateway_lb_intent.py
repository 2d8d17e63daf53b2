"""Registering services and containers: what is refused, with field and remedy, and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway_lb.intent import (
    Registration,
    delete_service,
    drain_container,
    put_container,
    put_service,
    renew_container,
)
from gateway_lb.slots import MAX_CONTAINERS
from nib.draft import Draft
from nib.errors import Conflict, FieldError, NotFound
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.policy import Canary, Ejection, ExtraPort, HealthCheck
from nib.records import Global, Record, SlotTable
from nib.stored import Stored
from nib.topology import Port, Switch

S1, S2, S3 = "00000000000000a1", "00000000000000a2", "00000000000000a3"
MAC, OTHER_MAC = "02:00:00:00:00:11", "02:00:00:00:00:12"
WEB = Service("web", "10.0.0.100", 80)
API = Service("api", "10.0.0.100", 81)
POD = Port(S1, "veth1", 1, "02:00:00:00:01:01", iface_id="pod-1", attached_mac=MAC)
ROWS: tuple[Record, ...] = (
    Global(),
    Switch(S1, 1, "br0"),
    Switch(S2, 2, "twin"),
    Switch(S3, 3, "twin"),
    POD,
    Port(S1, "veth2", 2, "02:00:00:00:01:02", iface_id="pod-2"),
    Port(S2, "veth9", 9, "02:00:00:00:01:09"),
)
AT_POD = Registration("web", "c1", "10.0.1.1", 8080, iface_id="pod-1")
AT_PORT = Registration("web", "c1", "10.0.1.1", 8080, MAC, switch=S1, switch_port="veth1")


@pytest.fixture
def draft() -> Draft:
    mirror = Mirror()
    for row in ROWS:
        mirror.apply(RowChange(None, row))
    draft = Draft(mirror)
    put_service(WEB)(draft)
    put_service(API)(draft)
    return draft


def refused(draft: Draft, change: Callable[[Draft], object]) -> FieldError | Conflict:
    """The error of a change that leaves nothing behind."""
    before = draft.mark
    with pytest.raises((FieldError, Conflict)) as caught:
        change(draft)
    assert draft.mark == before, "half written"
    error = caught.value
    assert isinstance(error, FieldError | Conflict)
    assert error.remedy
    assert error.remedy in str(error)
    return error


# ------------------------------------------------------------------------------------- services


def test_a_service_is_created_then_replaced(draft: Draft) -> None:
    dns = Service("dns", "10.0.0.53", 53, "udp")
    created = put_service(dns)(draft)
    assert created == Stored(draft.need(Service, "dns"), created=True)
    replaced = put_service(replace(dns, port=5353))(draft)
    assert not replaced.created
    assert replaced.record.port == 5353
    assert replaced.record.number == created.record.number


def test_putting_the_same_service_again_changes_nothing(draft: Draft) -> None:
    before = draft.mark
    assert put_service(WEB)(draft) == Stored(draft.need(Service, "web"), created=False)
    assert draft.mark == before


def test_two_services_share_a_vip_but_not_a_port_of_one_protocol(draft: Draft) -> None:
    put_service(Service("web-udp", WEB.vip, WEB.port, "udp"))(draft)
    error = refused(draft, put_service(Service("copy", WEB.vip, WEB.port)))
    assert error.field == "vip"
    assert "service web" in error.message


def test_a_service_that_moves_to_anothers_vip_and_port_is_refused(draft: Draft) -> None:
    assert refused(draft, put_service(replace(API, port=80))).field == "vip"
    assert draft.need(Service, "api").port == 81


def test_a_vip_is_no_containers_address(draft: Draft) -> None:
    put_container(AT_POD)(draft)
    error = refused(draft, put_service(Service("dns", AT_POD.address, 53)))
    assert error.field == "vip"
    assert "web/c1" in error.message


def test_a_service_moves_to_a_protocol_in_which_its_containers_answer_for_another(
    draft: Draft,
) -> None:
    """An endpoint may stand behind several services, unless one of them is stateless."""
    put_service(Service("dns", "10.0.0.53", 53, "udp"))(draft)
    put_container(AT_POD)(draft)
    put_container(replace(AT_POD, service="dns"))(draft)
    error = refused(draft, put_service(Service("dns", "10.0.0.53", 53, mode="stateless")))
    assert (error.field, "service dns" in error.message) == ("extra_ports", True)
    assert not put_service(Service("dns", "10.0.0.53", 53, "tcp"))(draft).created


def test_a_service_goes_with_its_containers(draft: Draft) -> None:
    put_container(AT_POD)(draft)
    put_container(replace(AT_POD, service="api", port=9090))(draft)
    assert delete_service("web")(draft).name == "web"
    assert [service.name for service in draft.all(Service)] == ["api"]
    assert [container.service for container in draft.all(Container)] == ["api"]


def test_what_is_not_there_cannot_be_deleted(draft: Draft) -> None:
    before = draft.mark
    with pytest.raises(NotFound):
        delete_service("nope")(draft)
    with pytest.raises(NotFound):
        drain_container(("web", "nope"), 0, 60)(draft)
    with pytest.raises(NotFound):
        put_container(replace(AT_POD, service="nope"))(draft)
    assert draft.mark == before


# ----------------------------------------------------------------------------------- containers


def test_a_container_is_placed_by_its_interface(draft: Draft) -> None:
    container = put_container(AT_POD)(draft).record
    assert (container.iface_id, container.mac, container.switch) == ("pod-1", MAC, None)


@pytest.mark.parametrize("switch", [S1, S1.upper(), f"0x{S1}", "br0"])
@pytest.mark.parametrize("port", ["veth1", "1"])
def test_a_container_is_placed_by_switch_and_port(draft: Draft, switch: str, port: str) -> None:
    placed = replace(AT_PORT, mac=None, switch=switch, switch_port=port)
    container = put_container(placed)(draft).record
    assert (container.switch, container.switch_port, container.mac) == (S1, port, MAC)


def test_a_mac_that_is_given_counts_more_than_the_ports(draft: Draft) -> None:
    assert put_container(replace(AT_POD, mac=OTHER_MAC))(draft).record.mac == OTHER_MAC


def test_registering_again_ends_draining_and_keeps_the_number(draft: Draft) -> None:
    first = put_container(AT_POD)(draft)
    drain_container(("web", "c1"), 1000, 60)(draft)
    again = put_container(AT_POD)(draft)
    assert (first.created, again.created) == (True, False)
    assert (again.record.state, again.record.drain_until_ms) == ("ready", None)
    assert again.record.number == first.record.number


def test_one_pod_serves_several_services(draft: Draft) -> None:
    put_container(AT_POD)(draft)
    put_container(replace(AT_POD, service="api", port=9090))(draft)
    assert len(draft.containers_at(AT_POD.address)) == 2


@pytest.mark.parametrize(
    ("changes", "field", "named"),
    [
        ({"iface_id": "pod-x"}, "iface_id", "pod-x"),
        ({"iface_id": None, "switch": "br7", "switch_port": "veth1"}, "switch", "br0 (00"),
        ({"iface_id": None, "switch": "twin", "switch_port": "veth9"}, "switch", S3),
        (
            {"iface_id": None, "switch": "br0", "switch_port": "veth7"},
            "switch_port",
            "veth1, veth2",
        ),
        ({"iface_id": None, "switch": "br0", "switch_port": "01"}, "switch_port", "veth1"),
        ({"iface_id": None, "switch": "br0", "switch_port": "²"}, "switch_port", "veth1"),
        ({"iface_id": "pod-2"}, "mac", "attached-mac"),
        ({"mac": "01:00:00:00:00:01"}, "mac", "unicast"),
        ({"address": "10.0.0.300"}, "address", "10.0.0.300"),
        ({"address": "224.0.0.1"}, "address", "multicast"),
        ({"port": 0}, "port", "1 to 65535"),
        ({"id": "C 1"}, "id", "lower case"),
        ({"address": WEB.vip}, "address", "VIP of service"),
    ],
)
def test_a_registration_is_refused(
    draft: Draft, changes: dict[str, object], field: str, named: str
) -> None:
    given = replace(AT_POD, **changes)  # type: ignore[arg-type]
    error = refused(draft, put_container(given))
    assert error.field == field
    assert named in str(error)


@pytest.mark.parametrize("mac", [None, MAC])
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"iface_id": None}, "switch"),
        ({"iface_id": None, "switch": "br0"}, "switch_port"),
        ({"iface_id": None, "switch_port": "veth1"}, "switch"),
        ({"switch": "br0", "switch_port": "veth1"}, "iface_id"),
    ],
)
def test_a_place_that_is_not_said_is_what_the_error_names(
    draft: Draft, changes: dict[str, str | None], field: str, mac: str | None
) -> None:
    """Not the MAC address, which nobody could look up then."""
    given = replace(AT_POD, mac=mac, **changes)  # type: ignore[arg-type]
    assert refused(draft, put_container(given)).field == field


def test_a_switch_that_nobody_knows_when_none_has_connected() -> None:
    mirror = Mirror()
    for row in (Global(), replace(WEB, number=1)):
        mirror.apply(RowChange(None, row))
    error = refused(Draft(mirror), put_container(AT_PORT))
    assert (error.field, "set-controller" in error.remedy) == ("switch", True)


def test_an_address_belongs_to_one_interface(draft: Draft) -> None:
    put_container(AT_POD)(draft)
    elsewhere = Registration("api", "c9", AT_POD.address, 9090, OTHER_MAC, iface_id="pod-2")
    error = refused(draft, put_container(elsewhere))
    assert error.field == "address"
    assert "web/c1" in error.message


def test_an_address_and_port_are_one_container_of_a_service(draft: Draft) -> None:
    put_container(AT_POD)(draft)
    error = refused(draft, put_container(replace(AT_POD, id="c2")))
    assert error.field == "port"
    assert "web/c1" in error.message


def test_an_address_and_port_stand_behind_several_services_and_ports(draft: Draft) -> None:
    put_container(AT_POD)(draft)
    assert put_container(replace(AT_POD, service="api"))(draft).created
    put_service(Service("dns", "10.0.0.53", 53, "udp"))(draft)
    assert put_container(replace(AT_POD, service="dns"))(draft).created
    both = replace(WEB, extra_ports=(ExtraPort(443, AT_POD.port), ExtraPort(53, 53, "udp")))
    assert not put_service(both)(draft).created


def test_there_are_no_more_containers_than_slots(draft: Draft) -> None:
    for number in range(MAX_CONTAINERS):
        put_container(replace(AT_POD, id=f"c{number}", port=1000 + number))(draft)
    error = refused(draft, put_container(replace(AT_POD, id="more", port=9999)))
    assert (error.field, str(MAX_CONTAINERS) in error.message) == ("id", True)
    assert not put_container(replace(AT_POD, id="c0", port=9999))(draft).created


# --------------------------------------------------------------------------------- contradictions

STATELESS = replace(WEB, mode="stateless")


def test_a_stateless_services_endpoint_stands_behind_nothing_else(draft: Draft) -> None:
    put_service(STATELESS)(draft)
    put_container(AT_POD)(draft)
    error = refused(draft, put_container(replace(AT_POD, service="api")))
    assert (error.field, "stateless service web" in error.message) == ("port", True)
    twice = replace(STATELESS, extra_ports=(ExtraPort(443, AT_POD.port),))
    error = refused(draft, put_service(twice))
    assert (error.field, "stateless service web" in error.message) == ("extra_ports", True)
    put_service(replace(STATELESS, extra_ports=(ExtraPort(443, 9443),)))(draft)
    error = refused(draft, put_container(replace(AT_POD, service="api", port=9443)))
    assert error.field == "port"
    error = refused(draft, put_container(replace(AT_POD, port=9443)))
    assert "two ports" in error.message


def test_containers_of_a_service_do_not_share_the_target_of_a_further_port(draft: Draft) -> None:
    put_service(replace(WEB, extra_ports=(ExtraPort(443, 9443),)))(draft)
    put_container(AT_POD)(draft)
    error = refused(draft, put_container(replace(AT_POD, id="c2", port=8081)))
    assert (error.field, "9443" in error.message) == ("port", True)


def test_a_further_port_that_another_service_has(draft: Draft) -> None:
    error = refused(draft, put_service(replace(WEB, extra_ports=(ExtraPort(81, 81),))))
    assert (error.field, "service api" in error.message) == ("extra_ports", True)


def test_a_container_has_the_family_of_its_services_vip(draft: Draft) -> None:
    error = refused(draft, put_container(replace(AT_POD, address="fd00::11")))
    assert (error.field, "IPv4" in error.remedy) == ("address", True)
    put_service(Service("web6", "fd00::100", 80))(draft)
    error = refused(draft, put_container(replace(AT_POD, service="web6")))
    assert (error.field, "IPv6" in error.remedy) == ("address", True)
    put_container(replace(AT_POD, service="web6", address="fd00::11"))(draft)
    error = refused(draft, put_service(Service("web6", "10.0.0.6", 80)))
    assert (error.field, "fd00::11" in error.message) == ("vip", True)


@pytest.mark.parametrize("changes", [{"mode": "stateless"}, {"protocol": "udp"}])
def test_connections_that_nobody_counts_are_not_capped(
    draft: Draft, changes: dict[str, str]
) -> None:
    capped = replace(AT_POD, max_connections=5)
    put_container(capped)(draft)
    error = refused(draft, put_service(replace(WEB, **changes)))  # type: ignore[arg-type]
    assert error.field in changes
    put_container(AT_POD)(draft)
    put_service(replace(WEB, **changes))(draft)  # type: ignore[arg-type]
    assert refused(draft, put_container(capped)).field == "max_connections"


@pytest.mark.parametrize(
    ("check", "field"),
    [
        (HealthCheck("tcp", path="/ready"), "health.path"),
        (HealthCheck("grpc", path="/ready"), "health.path"),
        (HealthCheck("tcp", status_to=299), "health.status_to"),
        (HealthCheck("http", grpc_service="shop"), "health.grpc_service"),
    ],
)
def test_what_a_check_does_not_look_at_is_not_given(
    draft: Draft, check: HealthCheck, field: str
) -> None:
    assert refused(draft, put_service(replace(WEB, health=check))).field == field


def test_failed_connections_of_a_stateless_service_are_not_known(draft: Draft) -> None:
    assert refused(draft, put_service(replace(STATELESS, ejection=Ejection()))).field == "ejection"


def test_locality_keeps_no_client_with_its_container(draft: Draft) -> None:
    near = replace(WEB, policy="source_affinity", locality="prefer")
    error = refused(draft, put_service(replace(near, affinity_seconds=60)))
    assert (error.field, "locality" in error.remedy) == ("affinity_seconds", True)
    assert put_service(near)(draft).record.locality == "prefer"


def test_a_service_names_the_switches_that_clients_enter_by(draft: Draft) -> None:
    """By bridge or datapath id, which may be yet to come; they are kept as datapath ids."""
    later = "00000000000000ff"
    stored = put_service(replace(WEB, switches=("br0", later, S1)))(draft).record
    assert stored.switches == (S1, later)
    assert put_service(stored)(draft) == Stored(stored, created=False)
    error = refused(draft, put_service(replace(WEB, switches=("br0", "s9"))))
    assert (error.field, "'s9'" in error.message) == ("switches", True)


# ------------------------------------------------------------------------------- canaries, leases

CANARY = Canary("v2", 50, 5)


def test_a_canary_starts_when_it_is_new_or_changed(draft: Draft) -> None:
    def put(canary: Canary | None, now_ms: int) -> int | None:
        stored = put_service(replace(WEB, canary=canary), now_ms)(draft).record
        return stored.canary.started_ms if stored.canary else None

    assert put(CANARY, 1_000) == 1_000
    before = draft.mark
    assert put(CANARY, 2_000) == 1_000
    assert draft.mark == before, "nothing changed"
    assert put(replace(CANARY, percent=80), 3_000) == 3_000
    assert put(replace(CANARY, percent=80, version="v3"), 4_000) == 4_000
    assert put(None, 5_000) is None
    assert put(CANARY, 6_000) == 6_000


def test_a_canary_of_a_version_that_no_container_has(draft: Draft) -> None:
    put_container(replace(AT_POD, version="v1"))(draft)
    assert put_service(replace(WEB, canary=CANARY), 1_000)(draft).record.canary


LEASED = replace(AT_POD, lease_seconds=10)


def test_a_lease_ends_its_time_after_registration_and_renewal(draft: Draft) -> None:
    assert put_container(LEASED, 1_000)(draft).record.lease_until_ms == 11_000
    before = draft.mark
    put_container(LEASED, 2_000)(draft)
    renew_container(("web", "c1"), 2_000)(draft)
    assert draft.mark == before, "early renewals write nothing"
    assert renew_container(("web", "c1"), 9_000)(draft).lease_until_ms == 19_000
    assert put_container(LEASED, 17_000)(draft).record.lease_until_ms == 27_000
    assert draft.need(Container, ("web", "c1")).since_ms == 1_000


def test_a_lease_that_cannot_be_renewed(draft: Draft) -> None:
    with pytest.raises(NotFound):
        renew_container(("web", "c1"), 0)(draft)
    with pytest.raises(NotFound):
        renew_container(("nope", "c1"), 0)(draft)
    put_container(AT_POD, 0)(draft)
    assert refused(draft, renew_container(("web", "c1"), 0)).field == "lease_seconds"
    put_container(LEASED, 0)(draft)
    drain_container(("web", "c1"), 0, 60)(draft)
    assert refused(draft, renew_container(("web", "c1"), 0)).field == "state"


# ------------------------------------------------------------------------------------- draining


def test_draining_ends_at_its_time(draft: Draft) -> None:
    put_container(AT_POD)(draft)
    container = drain_container(("web", "c1"), 1_000, 2.5)(draft)
    assert container == draft.need(Container, ("web", "c1"))
    assert (container.state, container.drain_until_ms) == ("draining", 3_500)


def test_no_time_to_drain_deletes_at_once(draft: Draft) -> None:
    put_container(AT_POD)(draft)
    assert drain_container(("web", "c1"), 1_000, 0)(draft) is None
    assert draft.get(Container, ("web", "c1")) is None


def test_slot_tables_are_not_intents_business(draft: Draft) -> None:
    draft.put(SlotTable("web", (1,)))
    delete_service("web")(draft)
    assert draft.get(SlotTable, "web") == SlotTable("web", (1,))
