"""What records accept and refuse."""

from __future__ import annotations

from typing import Any

import pytest

from nib.errors import Conflict, FieldError, NibUnavailable, NotFound, SchemaMismatch
from nib.records import Audit, Container, Global, Leader, Port, Service, SlotTable, Switch

DPID = "00000000000000a1"
MAC = "0a:00:00:00:00:01"


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


@pytest.mark.parametrize("vip", ["fd00::1", "::1", "::ffff:10.0.0.1"])
def test_ipv6_is_refused_by_name(vip: str) -> None:
    assert "only IPv4 is supported by this version" in refused_field(service, vip=vip).message


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
    assert refused_field(Leader, epoch=-1, controller="c").field == "epoch"
    assert refused_field(Audit, switch=DPID, lines=["a"]).field == "lines"
    many = frozenset(str(number) for number in range(201))
    assert refused_field(Audit, switch=DPID, lines=many).field == "lines"
    assert refused_field(Port, switch=DPID, name="a\nb", number=1, mac=MAC).field == "name"


def test_every_error_says_what_to_do_or_what_is_missing() -> None:
    assert Conflict("vip", "taken", "choose another").remedy == "choose another"
    assert str(NotFound("Service", "web")) == "there is no service web"
    assert "prewire db init" in str(SchemaMismatch("none", "1.0.0", "run `prewire db init`"))
    assert NibUnavailable("unix:x", "gone").why == "gone"
