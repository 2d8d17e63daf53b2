"""The rules of each feature as an operator reads them, one file a feature."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway_lb.health import health_iface
from gateway_lb.intent import put_container, put_service
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.policy import Ejection, ExtraPort
from nib.qos import Policy, PolicyConnections, PolicyShare
from nib.records import Record
from nib.topology import Host, Link, Port, Switch
from openflow.text import actions_text, rules_text
from openflow.values import Group, Rules, merged
from ryu_apps.compile import unit_rules
from ryu_apps.dealing import next_slots
from ryu_apps.units import BASE, CLASSES, PORTS, ROUTES, Unit, container_unit
from tests.nib_strategies import (
    HERE,
    THERE,
    TRUNKS,
    Database,
    Edit,
    address_of,
    drain,
    link_of,
    port_of_station,
    put_port,
    registration,
    trunk_port,
)

WEB = Edit(put_service, Service("web", "10.0.0.100", 80))
DNS = Edit(put_service, Service("dns", "10.0.0.53", 53, "udp"))
PLACES = [Edit(put_port, port_of_station(1)), Edit(put_port, port_of_station(2))]
ELSEWHERE = Edit(put_port, port_of_station(3, THERE))


def containers(service: str, *stations: int) -> list[Edit]:
    return [
        Edit(put_container, registration(service, f"c{station}", station)) for station in stations
    ]


FEATURES: dict[str, tuple[Unit, list[Edit]]] = {
    "base": (BASE, []),
    "vip": (Unit("vip", "10.0.0.100"), [WEB]),
    "host": (Unit("host", address_of(1)), [*PLACES, WEB, *containers("web", 1)]),
    "tcp_service_with_a_container_behind_another_switch": (
        Unit("service", "web"),
        [*PLACES, ELSEWHERE, WEB, *containers("web", 1, 2, 3)],
    ),
    "udp_service": (Unit("service", "dns"), [*PLACES, DNS, *containers("dns", 1, 2)]),
    "draining_container": (
        Unit("service", "web"),
        [*PLACES, WEB, *containers("web", 1, 2), Edit(drain, (("web", "c1"), 60.0))],
    ),
    "service_without_containers": (Unit("service", "web"), [WEB]),
}

# The same for what rows say, without edits: a service, and what it takes to see one of its sides.
SERVICE = Service("web", "10.0.0.100", 80, number=1)
SERVICE6 = replace(SERVICE, vip="fd00::100")
C1 = Container("web", "c1", "10.0.1.1", 8080, "02:00:00:00:01:01", iface_id="pod-1", number=2)
C1_6 = replace(C1, address="fd01::1")
TWIN = Service("api", "10.0.0.101", 80, number=3)
TWIN_C1 = replace(C1, service="api", number=4)
TO_WEB = Policy("to-web", None, "web", "interactive", max_bps=50_000_000, number=1)
FROM_WEB = Policy("from-web", "web", None, "bulk", max_bps=1_000_000, burst_ms=2000, number=2)
BETWEEN = Policy("between", "web", "api", "realtime", max_connections=10, number=3)
HEALTH = Port(HERE, "health", 70, "02:00:00:00:00:70", health_iface(HERE), "02:70:77:00:00:02")

FABRIC: list[Record] = [
    *(trunk_port(switch, name) for switch in (HERE, THERE) for name in TRUNKS),
    *(link_of(switch, name) for switch in (HERE, THERE) for name in TRUNKS),
    Switch(THERE, 2, "s2", connected=True),
]
HOST = Host("02:00:00:00:02:01", THERE, "v8", frozenset({"10.0.2.1", "fd00::2"}))
HOST_PORT = Port(THERE, "v8", 8, "02:00:00:00:02:08", up=True)
HEARD = Host("02:00:00:00:02:01", HERE, "v1", frozenset({"10.0.2.1", "fd00::2", "fe80::2"}))

# Five switches in a ring: s1 is beside s2 and s5.
_RING = [f"{number:016x}" for number in range(1, 6)]
RING: list[Record] = []
for _left, _right in zip(_RING, _RING[1:] + _RING[:1], strict=True):
    for _here, _name, _there, _other in ((_left, "r", _right, "l"), (_right, "l", _left, "r")):
        _number = 1 if _name == "l" else 2
        _zone = int(_here, 16)
        RING += [
            Switch(_here, _zone, f"s{_zone}", connected=True),
            Port(_here, _name, _number, f"02:00:00:00:0{_zone}:0{_number}", up=True),
            Link(_here, _name, _there, _other),
        ]

ROWS: dict[str, tuple[Unit, list[Record]]] = {
    "vip_ipv6": (Unit("vip", SERVICE6.vip), [SERVICE6]),
    "vip_with_a_health_port": (Unit("vip", SERVICE.vip), [SERVICE, HEALTH]),
    "host_ipv6": (Unit("host", C1_6.address), [SERVICE6, C1_6]),
    "host_whose_port_is_shared": (Unit("host", C1.address), [SERVICE, C1, TWIN, TWIN_C1]),
    "host_of_a_stateless_service": (
        Unit("host", C1.address),
        [replace(SERVICE, mode="stateless"), C1],
    ),
    "ports_between_switches": (PORTS, [*FABRIC, SERVICE, HEALTH]),
    "routes_several": (ROUTES, FABRIC),
    "routes_one_and_its_detour": (ROUTES, RING),
    "station_here": (Unit("station", C1.mac), [SERVICE, C1]),
    "station_elsewhere": (Unit("station", HOST.mac), [*FABRIC, HOST_PORT, HOST]),
    "station_heard_here": (Unit("station", HEARD.mac), [HEARD]),
    "service_ipv6": (Unit("service", "web"), [SERVICE6, C1_6]),
    "service_of_several_ports": (
        Unit("service", "web"),
        [
            replace(SERVICE, extra_ports=(ExtraPort(443, 8443), ExtraPort(53, 5353, "udp"))),
            C1,
        ],
    ),
    "service_whose_container_port_is_shared": (
        Unit("service", "web"),
        [SERVICE, C1, TWIN, TWIN_C1],
    ),
    "service_without_conntrack": (Unit("service", "web"), [replace(SERVICE, mode="stateless"), C1]),
    "service_with_source_affinity": (
        Unit("service", "web"),
        [replace(SERVICE, policy="source_affinity"), C1],
    ),
    "service_with_a_cap": (Unit("service", "web"), [replace(SERVICE, max_connections=10), C1]),
    "classes": (CLASSES, [TO_WEB]),
    "member": (Unit("member", C1.address), [SERVICE, C1, TO_WEB]),
    "member_that_services_share": (
        Unit("member", C1.address),
        [SERVICE, C1, TWIN, replace(TWIN_C1, port=8081), TO_WEB],
    ),
    "member_ipv6": (Unit("member", C1_6.address), [SERVICE6, C1_6, TO_WEB]),
    "policy_without_limits": (Unit("policy", "to-web"), [SERVICE, TO_WEB]),
    "policy_that_limits_bits_and_packets": (
        Unit("policy", "to-web"),
        [SERVICE, TO_WEB, PolicyShare("to-web", HERE, 20_000_000, 5_000)],
    ),
    "policy_of_a_pair_that_has_all_its_connections": (
        Unit("policy", "between"),
        [SERVICE, TWIN, BETWEEN, PolicyConnections("between", HERE, 10)],
    ),
    "policy_of_a_source": (
        Unit("policy", "from-web"),
        [SERVICE, FROM_WEB, PolicyShare("from-web", HERE, 1_000_000)],
    ),
    "policy_of_a_service_that_is_not_there": (Unit("policy", "between"), [SERVICE, BETWEEN]),
    "service_with_ejection": (Unit("service", "web"), [replace(SERVICE, ejection=Ejection()), C1]),
}


@pytest.mark.parametrize("feature", FEATURES)
def test_rules(feature: str, golden: Callable[[str, str], None]) -> None:
    unit, edits = FEATURES[feature]
    database = Database()
    for edit in edits:
        assert database.write(edit), f"{edit} was refused"
    view = database.mirror
    for service in view.all(Service):
        view.apply(RowChange(None, next_slots(service.name, view, 0)))
    golden(feature, shown(of_unit(unit, view)))


@pytest.mark.parametrize("feature", ROWS)
def test_rules_of_rows(feature: str, golden: Callable[[str, str], None]) -> None:
    unit, rows = ROWS[feature]
    view = Database().mirror
    for row in (port_of_station(1), *rows):
        view.apply(RowChange(None, row))
    for service in view.all(Service):
        view.apply(RowChange(None, next_slots(service.name, view, 0)))
    golden(feature, shown(of_unit(unit, view)))


def of_unit(unit: Unit, view: Mirror) -> Rules:
    """A unit's rules; a service's with those of its containers."""
    units = [unit]
    if unit.kind == "service":
        numbered = sorted(view.containers_of(unit.name), key=lambda each: each.number)
        units += map(container_unit, numbered)
    return merged(unit_rules(each, view, view.need(Switch, HERE)) for each in units)


def shown(rules: Rules) -> str:
    """As `rules_text` has it, but slots of a group that lead to one container in one line."""
    groups = "".join(group_shown(group) for group in rules.groups)
    return groups + rules_text(Rules(rules.flows, (), rules.meters))


def group_shown(group: Group) -> str:
    slots = defaultdict(list)
    for slot, bucket in enumerate(group.buckets):
        slots[actions_text(bucket.actions)].append(str(slot))
    head = f"group_id={group.group_id:#x},type={group.kind} # {group.origin}\n"
    return head + "".join(f"  slots {','.join(of)}: {text}\n" for text, of in slots.items())
