"""The rules of each feature as an operator reads them, one file a feature."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import pytest

from gateway_lb.intent import put_container, put_service
from nib.mirror import RowChange
from nib.records import Service, Switch
from openflow.text import actions_text, rules_text
from openflow.values import Group, Rules
from ryu_apps.compile import BASE, Unit, unit_rules
from ryu_apps.dealing import next_slots
from tests.nib_strategies import (
    HERE,
    THERE,
    Database,
    Edit,
    address_of,
    drain,
    port_of_station,
    put_port,
    registration,
)

WEB = Edit(put_service, Service("web", "10.0.0.100", 80))
DNS = Edit(put_service, Service("dns", "10.0.0.53", 53, "udp"))
PORTS = [Edit(put_port, port_of_station(1)), Edit(put_port, port_of_station(2))]
ELSEWHERE = Edit(put_port, port_of_station(3, THERE))


def containers(service: str, *stations: int) -> list[Edit]:
    return [
        Edit(put_container, registration(service, f"c{station}", station)) for station in stations
    ]


FEATURES: dict[str, tuple[Unit, list[Edit]]] = {
    "base": (BASE, []),
    "vip": (Unit("vip", "10.0.0.100"), [WEB]),
    "host": (Unit("host", address_of(1)), [*PORTS, WEB, *containers("web", 1)]),
    "tcp_service_with_a_container_behind_another_switch": (
        Unit("service", "web"),
        [*PORTS, ELSEWHERE, WEB, *containers("web", 1, 2, 3)],
    ),
    "udp_service": (Unit("service", "dns"), [*PORTS, DNS, *containers("dns", 1, 2)]),
    "draining_container": (
        Unit("service", "web"),
        [*PORTS, WEB, *containers("web", 1, 2), Edit(drain, (("web", "c1"), 60.0))],
    ),
    "service_without_containers": (Unit("service", "web"), [WEB]),
}


@pytest.mark.parametrize("feature", FEATURES)
def test_rules(feature: str, golden: Callable[[str, str], None]) -> None:
    unit, edits = FEATURES[feature]
    database = Database()
    for edit in edits:
        assert database.write(edit), f"{edit} was refused"
    view = database.mirror
    for service in view.all(Service):
        view.apply(RowChange(None, next_slots(service.name, view)))
    golden(feature, shown(unit_rules(unit, view, view.need(Switch, HERE))))


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
