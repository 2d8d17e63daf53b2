"""What records accept and refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nib.errors import Conflict, FieldError, NibUnavailable, NotFound, SchemaMismatch
from nib.intent import Container, Service
from nib.observed import Connections, Demand, Ejected, Health, Report
from nib.policy import (
    Canary,
    Ejection,
    ExtraPort,
    HealthCheck,
    policy_text,
    read_extra_ports,
    read_policy,
)
from nib.records import Audit, Global, Leader, LocalSlots, SlotTable
from nib.topology import MAX_HOST_ADDRESSES, Host, Link, Port, Switch

DPID = "00000000000000a1"
MAC = "0a:00:00:00:00:01"
PEER = "00000000000000b2"


def service(**changes: Any) -> Service:
    values: dict[str, Any] = {"name": "web", "vip": "10.0.0.100", "port": 80}
    return Service(**values | changes)


def container(**changes: Any) -> Container:
    place = {"switch": DPID, "switch_port": "s1-eth1"}
    values: dict[str, Any] = {
        "service": "web",
        "id": "c1",
        "address": "10.0.0.1",
        "port": 8080,
        "mac": MAC,
    }
    return Container(**values | place | changes)


def refused_field(make: Any, **changes: Any) -> FieldError:
    with pytest.raises(FieldError) as caught:
        make(**changes)
    return caught.value


def test_keys() -> None:
    assert service().key == "web"
    assert container().key == ("web", "c1")
    assert Switch(DPID, 1).key == DPID
    assert Port(DPID, "s1-eth1", 1, MAC).key == (DPID, "s1-eth1")
    assert SlotTable("web").key == "web"
    assert Audit(DPID).key == DPID
    for about in (Report("web", "c1"), Health("web", "c1", True), Ejected("web", "c1", 0)):
        assert about.key == ("web", "c1")
    assert Connections("web", "c1", 0, 0, DPID).key == ("web", "c1", DPID)
    assert Demand("web", 0).key == "web"
    assert LocalSlots("web", DPID).key == ("web", DPID)
    assert Link(DPID, "s1-eth1", PEER, "s2-eth1").key == (DPID, "s1-eth1")
    assert Host(MAC, DPID, "s1-eth1").key == MAC
    assert Global().key == Leader(1, "c1").key == ()


def test_error_text_joins_field_message_and_remedy() -> None:
    error = FieldError("port", "70000 is out of range", "give 1 to 65535")
    assert str(error) == "port: 70000 is out of range; give 1 to 65535"
    assert (error.field, error.message, error.remedy) == (
        "port",
        "70000 is out of range",
        "give 1 to 65535",
    )


@pytest.mark.parametrize("name", ["a", "web-1", "a.b_c", "9", "a" * 63])
def test_names_accepted(name: str) -> None:
    assert service(name=name).name == name


@pytest.mark.parametrize("name", ["", "-a", "a-", "Web", "a b", "a" * 64, "web\n", "ä", 5, None])
def test_names_refused(name: object) -> None:
    assert refused_field(service, name=name).field == "name"
    assert refused_field(container, id=name).field == "id"


@pytest.mark.parametrize(
    "vip",
    [
        "224.0.0.1", "127.0.0.1", "0.0.0.0", "255.255.255.255", "240.0.0.1",
        "10.0.0", "10.0.0.256", "10.0.0.01", " 10.0.0.1", "", 7, None,
    ],
)  # fmt: skip
def test_addresses_refused(vip: object) -> None:
    assert refused_field(service, vip=vip).field == "vip"
    assert refused_field(container, address=vip).field == "address"


@pytest.mark.parametrize("address", ["fd00::1", "2001:db8::a:0:1", "fd00:0:0:1::"])
def test_ipv6_addresses_accepted(address: str) -> None:
    assert service(vip=address).vip == container(address=address).address == address


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("FD00::1", "fd00::1"),
        ("fd00:0:0:0:0:0:0:1", "fd00::1"),
        ("fd00::0:1", "fd00::1"),
        ("fd00::01", "fd00::1"),
    ],
)
def test_ipv6_addresses_have_one_form(address: str, canonical: str) -> None:
    error = refused_field(service, vip=address)
    assert (error.field, canonical in error.remedy) == ("vip", True)


@pytest.mark.parametrize(
    "address", ["::", "::1", "ff02::1", "fe80::1", "fe80::1%eth0", "::ffff:10.0.0.1", "fd00::1/64"]
)
def test_ipv6_addresses_refused(address: str) -> None:
    assert refused_field(service, vip=address).field == "vip"
    assert refused_field(container, address=address).field == "address"


@pytest.mark.parametrize("port", [0, 65536, -1, True, 80.0, "80", None])
def test_ports_refused(port: object) -> None:
    assert refused_field(service, port=port).field == "port"
    assert refused_field(container, port=port).field == "port"


def test_bool_is_no_integer_anywhere() -> None:
    assert refused_field(service, number=True).field == "number"
    assert refused_field(container, drain_until_ms=False).field == "drain_until_ms"
    assert refused_field(Switch, dpid=DPID, ct_zone=True).field == "ct_zone"
    assert refused_field(Switch, dpid=DPID, ct_zone=1, connected=1).field == "connected"


@pytest.mark.parametrize("protocol", ["TCP", "sctp", "", None, ["tcp"]])
def test_protocols_refused(protocol: object) -> None:
    assert refused_field(service, protocol=protocol).field == "protocol"


@pytest.mark.parametrize(
    "mac",
    ["00:00:00:00:00:00", "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "0A:00:00:00:00:01",
     "0a-00-00-00-00-01", "0a:00:00:00:00", "", None],
)  # fmt: skip
def test_macs_refused(mac: object) -> None:
    assert refused_field(container, mac=mac).field == "mac"


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ({"switch": None, "switch_port": None}, "switch"),
        ({"switch": None}, "switch"),
        ({"switch_port": None}, "switch_port"),
        ({"iface_id": "pod-1"}, "iface_id"),
        ({"iface_id": "pod-1", "switch": None}, "iface_id"),
        ({"iface_id": "pod-1", "switch_port": None}, "iface_id"),
        ({"switch": "a1"}, "switch"),
        ({"switch": "00000000000000A1"}, "switch"),
        ({"switch_port": ""}, "switch_port"),
        ({"switch": None, "switch_port": None, "iface_id": ""}, "iface_id"),
    ],
)
def test_a_container_is_in_one_place(place: dict[str, Any], field: str) -> None:
    assert refused_field(container, **place).field == field


def test_a_container_may_be_found_by_interface() -> None:
    assert container(switch=None, switch_port=None, iface_id="pod-1").iface_id == "pod-1"


def test_other_fields_refused() -> None:
    assert refused_field(container, state="dying").field == "state"
    assert refused_field(container, number=2**32).field == "number"
    assert refused_field(Global, next_number=0).field == "next_number"
    assert refused_field(SlotTable, service="web", slots=[1]).field == "slots"
    assert refused_field(SlotTable, service="web", slots=(1, 0)).field == "slots"
    assert refused_field(LocalSlots, service="web", switch="s1").field == "switch"
    assert refused_field(LocalSlots, service="web", switch=DPID, slots=(0,)).field == "slots"
    assert refused_field(Leader, epoch=-1, controller="c").field == "epoch"
    assert refused_field(Leader, epoch=1, controller="c", beat=-1).field == "beat"
    counts = {"service": "web", "container": "c1", "open": 1, "at_ms": 1}
    assert refused_field(Connections, **counts, switch="s1").field == "switch"
    assert refused_field(Audit, switch=DPID, lines=["a"]).field == "lines"
    many = frozenset(str(number) for number in range(201))
    assert refused_field(Audit, switch=DPID, lines=many).field == "lines"
    assert refused_field(Port, switch=DPID, name="a\nb", number=1, mac=MAC).field == "name"


@pytest.mark.parametrize("database", ["1234567", "123456789", "1234567G", "ABCDEF00", 7, None])
def test_databases_refused(database: object) -> None:
    assert refused_field(Global, predecessors=frozenset({database})).field == "predecessors"
    if database is not None:
        assert refused_field(Global, database=database).field == "database"


def test_predecessors_are_a_bounded_set() -> None:
    names = frozenset(f"{number:08x}" for number in range(101))
    assert refused_field(Global, predecessors=names).field == "predecessors"
    assert refused_field(Global, predecessors=("00000001",)).field == "predecessors"


@pytest.mark.parametrize(
    "address", ["10.0.0.7", "169.254.0.1", "fe80::1", "fd00::1", "2001:db8::a:0:1"]
)
def test_a_host_has_any_unicast_address(address: str) -> None:
    assert Host(MAC, DPID, "s1-eth1", frozenset({address})).addresses == {address}


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "FE80::1", "fe80::01",
     "fe80::1%eth0", "10.0.0.07", "10.0.0.7/24", "", None],
)  # fmt: skip
def test_addresses_no_host_has(address: object) -> None:
    given = {"mac": MAC, "switch": DPID, "port": "s1-eth1", "addresses": frozenset({address})}
    assert refused_field(Host, **given).field == "addresses"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mac": "01:00:5e:00:00:01"}, "mac"),
        ({"switch": "s1"}, "switch"),
        ({"port": ""}, "port"),
        ({"addresses": ("10.0.0.7",)}, "addresses"),
        (
            {"addresses": frozenset(f"10.0.0.{n}" for n in range(1, MAX_HOST_ADDRESSES + 2))},
            "addresses",
        ),
    ],
)
def test_what_a_host_cannot_be(changes: dict[str, Any], field: str) -> None:
    given: dict[str, Any] = {"mac": MAC, "switch": DPID, "port": "s1-eth1"}
    assert refused_field(Host, **given | changes).field == field


@pytest.mark.parametrize("field", ["switch", "port", "peer", "peer_port"])
def test_a_link_needs_both_ends(field: str) -> None:
    ends = {"switch": DPID, "port": "s1-eth1", "peer": PEER, "peer_port": "s2-eth1"}
    assert refused_field(Link, **ends | {field: ""}).field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mode": "fast"}, "mode"),
        ({"locality": "always"}, "locality"),
        ({"policy": "round_robin"}, "policy"),
        ({"on_empty": "drop"}, "on_empty"),
        ({"affinity_seconds": 60}, "affinity_seconds"),
        ({"policy": "source_affinity", "affinity_seconds": 86_401}, "affinity_seconds"),
        ({"max_connections": 0}, "max_connections"),
        ({"max_connections": 9, "mode": "stateless"}, "max_connections"),
        ({"max_connections": 9, "protocol": "udp"}, "max_connections"),
        ({"ejection": Ejection(), "protocol": "udp"}, "ejection"),
        ({"health": HealthCheck(), "protocol": "udp"}, "health.port"),
        ({"slow_start_seconds": -1}, "slow_start_seconds"),
        ({"panic_percent": 101}, "panic_percent"),
        ({"panic_percent": True}, "panic_percent"),
        ({"extra_ports": (ExtraPort(80, 8080),)}, "extra_ports"),
        ({"extra_ports": (ExtraPort(81, 1), ExtraPort(81, 2))}, "extra_ports"),
        ({"extra_ports": tuple(ExtraPort(port, 1) for port in range(100, 116))}, "extra_ports"),
    ],
)
def test_what_a_service_cannot_be(changes: dict[str, Any], field: str) -> None:
    assert refused_field(service, **changes).field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"weight": -1}, "weight"),
        ({"weight": 257}, "weight"),
        ({"weight": 1.5}, "weight"),
        ({"version": "V 2"}, "version"),
        ({"version": ""}, "version"),
        ({"max_inflight": 0}, "max_inflight"),
        ({"max_connections": 1_000_001}, "max_connections"),
        ({"lease_seconds": 0}, "lease_seconds"),
        ({"lease_until_ms": -1}, "lease_until_ms"),
        ({"since_ms": None}, "since_ms"),
    ],
)
def test_what_a_container_cannot_be(changes: dict[str, Any], field: str) -> None:
    assert refused_field(container, **changes).field == field


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: ExtraPort(0, 80), "extra_ports.port"),
        (lambda: ExtraPort(80, 65_536), "extra_ports.target"),
        (lambda: ExtraPort(80, 80, "sctp"), "extra_ports.protocol"),
        (lambda: HealthCheck("icmp"), "health.kind"),
        (lambda: HealthCheck(port=0), "health.port"),
        (lambda: HealthCheck("http", path="health"), "health.path"),
        (lambda: HealthCheck("http", path="/a\nb"), "health.path"),
        (lambda: HealthCheck("http", status_from=99), "health.status_from"),
        (lambda: HealthCheck("http", status_from=300, status_to=299), "health.status_to"),
        (lambda: HealthCheck(interval_ms=49), "health.interval_ms"),
        (lambda: HealthCheck(timeout_ms=0), "health.timeout_ms"),
        (lambda: HealthCheck(rise=0), "health.rise"),
        (lambda: HealthCheck(fall=101), "health.fall"),
        (lambda: Ejection(failure_percent=0), "ejection.failure_percent"),
        (lambda: Ejection(min_connections=0), "ejection.min_connections"),
        (lambda: Ejection(window_ms=100), "ejection.window_ms"),
        (lambda: Ejection(eject_ms=99), "ejection.eject_ms"),
        (lambda: Ejection(max_ejected_percent=101), "ejection.max_ejected_percent"),
        (lambda: Canary("V2", 5), "canary.version"),
        (lambda: Canary("v2", 101), "canary.percent"),
        (lambda: Canary("v2", 5, step_percent=-1), "canary.step_percent"),
        (lambda: Canary("v2", 5, 1, step_ms=99), "canary.step_ms"),
        (lambda: Canary("v2", 5, started_ms=-1), "canary.started_ms"),
        (lambda: Report("web", "c1", percent=101), "percent"),
        (lambda: Report("web", "c1", word="maint"), "word"),
        (lambda: Report("web", "c1", max_inflight=0), "max_inflight"),
        (lambda: Report("web", "c1", inflight=-1), "inflight"),
        (lambda: Report("web", "C1"), "container"),
        (lambda: Health("Web", "c1", True), "service"),
        (lambda: Health("web", "c1", 1), "up"),  # type: ignore[arg-type]
        (lambda: Connections("web", "c1", -1, 0), "open"),
        (lambda: Ejected("web", "c1", 0, times=0), "times"),
        (lambda: Demand("web", 0, packets=0), "packets"),
        (lambda: Switch(DPID, 0x8000), "ct_zone"),
    ],
)
def test_policies_and_what_is_said_of_containers_are_checked(
    make: Callable[[], object], field: str
) -> None:
    assert refused_field(make).field == field


POLICIES: tuple[tuple[str, Any], ...] = (
    ("health", HealthCheck()),
    ("health", HealthCheck("http", 8081, '/a?b="ü"', 200, 204, rise=1, fall=1)),
    ("health", HealthCheck("grpc", grpc_service="a.b/C", interval_ms=300)),
    ("ejection", Ejection()),
    ("ejection", Ejection(20, 1, 200, 100, 100)),
    ("canary", Canary("v2", 0)),
    ("canary", Canary("v2", 30, 10, 60_000, 2**41)),
)


@pytest.mark.parametrize(("field", "policy"), POLICIES)
def test_a_policy_is_read_as_it_was_written(field: str, policy: Any) -> None:
    assert read_policy(field, type(policy), policy_text(policy)) == policy


def test_no_policy_is_no_text() -> None:
    assert policy_text(None) == policy_text(()) == ""
    assert read_policy("health", HealthCheck, "") is None
    assert read_extra_ports("") == ()
    ports = (ExtraPort(443, 8443), ExtraPort(53, 53, "udp"))
    assert read_extra_ports(policy_text(ports)) == ports


@pytest.mark.parametrize(
    "text", ["{", "[]", "5", '"tcp"', '{"kind":"icmp"}', '{"color":1}', '{"rise":"2"}', "null"]
)
def test_a_policy_that_nobody_wrote_is_refused(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        read_policy("health", HealthCheck, text)
    assert caught.value.field.split(".")[0] == "health"


@pytest.mark.parametrize("text", ["{", "{}", "5", "[5]", '[{"port":1}]', '[{"port":0,"target":1}]'])
def test_extra_ports_that_nobody_wrote_are_refused(text: str) -> None:
    with pytest.raises(FieldError) as caught:
        read_extra_ports(text)
    assert caught.value.field.split(".")[0] == "extra_ports"


def test_a_services_fronts_and_targets_begin_with_its_own_port() -> None:
    extra = (ExtraPort(443, 8443), ExtraPort(80, 53, "udp"))
    web = service(extra_ports=extra)
    vip = "10.0.0.100"
    assert web.fronts == ((vip, 80, "tcp"), (vip, 443, "tcp"), (vip, 80, "udp"))
    assert web.targets(container()) == ((80, "tcp", 8080), (443, "tcp", 8443), (80, "udp", 53))


def test_every_error_says_what_to_do_or_what_is_missing() -> None:
    assert Conflict("vip", "taken", "choose another").remedy == "choose another"
    assert str(NotFound("Service", "web")) == "there is no service web"
    assert "prewire db init" in str(SchemaMismatch("none", "1.0.0", "run `prewire db init`"))
    assert NibUnavailable("unix:x", "gone").why == "gone"
