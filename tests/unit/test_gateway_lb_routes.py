"""What REST answers of services and containers, from rows at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway_lb.answers import (
    container_list,
    container_out,
    service_out,
    slots_out,
)
from gateway_lb.models import ContainerIn, ServiceIn
from nib.errors import FieldError
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Connections, Demand, Ejected, Health, Report
from nib.policy import Canary, Ejection, ExtraPort, HealthCheck
from nib.records import Global, LocalSlots, Record, SlotTable
from nib.topology import Port, Switch

S1 = "00000000000000a1"
S2 = "00000000000000a2"
SECOND = Switch(S2, 2, connected=True, applied=9)
AGENT = Port(S2, "pwh", 9, "02:70:00:00:00:01", f"prewire-health-{S2}", up=True)
NOW = 1_000_000
WEB = Service("web", "10.0.0.100", 80, number=1, generation=1)
C1 = Container(
    "web", "c1", "10.0.0.11", 8080, "02:00:00:00:00:11", iface_id="c1", number=2, generation=2
)
C2 = replace(C1, id="c2", address="10.0.0.12", mac="02:00:00:00:00:12", iface_id="c2", number=3)
DRAINING = replace(C1, state="draining", drain_until_ms=NOW + 30_000, since_ms=NOW - 10_000)
EVERYTHING = Service(
    "all",
    "10.0.0.101",
    80,
    extra_ports=(ExtraPort(443, 8443), ExtraPort(53, 53, "udp")),
    policy="source_affinity",
    affinity_seconds=600,
    on_empty="hold",
    max_connections=1000,
    slow_start_seconds=30,
    panic_percent=20,
    locality="prefer",
    health=HealthCheck("http", 8081, "/ready", 200, 299, interval_ms=300, rise=1, fall=2),
    ejection=Ejection(30, 7, 2000, 5000, 25),
    canary=Canary("v2", 50, 5, 1000),
)


def view(*rows: Record) -> Mirror:
    """These rows, and a switch with the ports of c1 and c2 that has applied everything."""
    mirror = Mirror()
    ports = (
        Port(S1, each.id, number, each.mac, each.id, each.mac)
        for number, each in enumerate((C1, C2), 1)
    )
    given: dict[Any, Record] = {(type(row), row.key): row for row in (*ports, *rows)}
    for row in (Global(generation=9), Switch(S1, 1, connected=True, applied=9), *given.values()):
        mirror.apply(RowChange(None, row))
    return mirror


def test_a_service_with_everything_is_read_and_told_alike() -> None:
    told = service_out(EVERYTHING, view(EVERYTHING), NOW).model_dump(exclude_unset=True)
    body = {name: told[name] for name in ServiceIn.model_fields}
    for name in ("started_ms", "present_percent"):
        del body["canary"][name]
    assert ServiceIn.model_validate(body).record("all") == EVERYTHING


def test_a_plain_service_has_the_records_defaults() -> None:
    given = ServiceIn.model_validate({"vip": "10.0.0.100", "port": 80}).record("web")
    assert given == Service("web", "10.0.0.100", 80)
    health = ServiceIn.model_validate(
        {"vip": "10.0.0.100", "port": 80, "health": {}, "ejection": {}}
    )
    assert health.record("web").health == HealthCheck()
    assert health.record("web").ejection == Ejection()


def test_a_plain_container_has_the_records_defaults() -> None:
    given = ContainerIn.model_validate({"address": "10.0.0.11", "port": 80}).registration(
        "web", "c1"
    )
    record = Container("web", "c1", "10.0.0.11", 80, C1.mac, iface_id="c1")
    for name in ("weight", "version", "max_inflight", "max_connections", "lease_seconds"):
        assert getattr(given, name) == getattr(record, name)


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"health": {"kind": "tcp", "port": 70000}}, "health.port"),
        ({"health": {"interval_ms": 1}}, "health.interval_ms"),
        ({"protocol": "udp", "health": {}}, "health.port"),
        ({"ejection": {"failure_percent": 0}}, "ejection.failure_percent"),
        ({"canary": {"version": "V 2", "percent": 5}}, "canary.version"),
        ({"canary": {"version": "v2", "percent": 101}}, "canary.percent"),
        ({"extra_ports": [{"port": 0, "target": 1}]}, "extra_ports.port"),
        ({"extra_ports": [{"port": 80, "target": 1}]}, "extra_ports"),
        ({"affinity_seconds": 5}, "affinity_seconds"),
        ({"mode": "stateless", "max_connections": 5}, "max_connections"),
    ],
)
def test_the_field_at_fault_is_named_as_it_was_given(part: dict[str, Any], field: str) -> None:
    body = ServiceIn.model_validate({"vip": "10.0.0.100", "port": 80, **part})
    with pytest.raises(FieldError) as caught:
        body.record("web")
    assert caught.value.field == field


def test_a_service_tells_how_its_containers_stand() -> None:
    web = replace(WEB, canary=Canary("v2", 50, 10, 1000, NOW - 1500))
    gone = Health("web", "c1", up=False, reason="refused")
    checked = replace(web, health=HealthCheck())
    rows = (checked, C1, C2, gone, Health("web", "c2", up=True), Demand("web", NOW - 5, 3))
    told = service_out(checked, view(*rows), NOW)
    assert (told.ready, told.draining, told.states) == (1, 0, {"ready": 1, "down": 1})
    assert told.canary is not None
    assert (told.canary.started_ms, told.canary.present_percent) == (NOW - 1500, 20)
    assert told.demand is not None
    assert (told.demand.at_ms, told.demand.packets) == (NOW - 5, 3)


def test_a_container_tells_how_it_stands() -> None:
    web = replace(WEB, health=HealthCheck(), ejection=Ejection())
    rows = (
        web, C1, C2, SlotTable("web", (2,) * 16 + (3,) * 48), Report("web", "c1", 50, 8, "", 3),
        Connections("web", "c1", 5, NOW), Health("web", "c1", up=True),
        Ejected("web", "c2", NOW + 500, reason="9 of 10 failed"),
        Health("web", "c2", up=False, reason="timeout"),
    )  # fmt: skip
    first, second = container_list("web", view(*rows), NOW).items
    assert (first.state, first.slots, first.slots_in_all, first.share) == ("ready", 16, 64, 0.25)
    assert (first.inflight, first.connections, first.healthy) == (3, 5, True)
    assert first.report is not None
    assert (first.report.percent, first.report.max_inflight) == (50, 8)
    assert (second.state, second.healthy, second.health_reason) == ("down", False, "timeout")
    assert "timeout" in second.reason
    assert second.ejected_until_ms == NOW + 500
    assert (second.report, second.inflight, second.connections) == (None, None, None)
    assert container_out(C1, view(*rows), NOW) == first


def counted(connections: int, at_ms: int, switch: str = S1) -> Connections:
    return Connections("web", "c1", connections, at_ms, switch)


@pytest.mark.parametrize(
    ("rows", "safe"),
    [
        ((counted(0, NOW),), True),
        ((counted(1, NOW),), False),
        ((counted(0, NOW - 20_000),), False),  # before it drained
        ((), None),  # nobody counts
        ((counted(0, NOW), counted(0, NOW, S2), SECOND), True),
        ((counted(0, NOW), counted(1, NOW, S2), SECOND), False),
        ((counted(0, NOW), counted(0, NOW - 20_000, S2), SECOND), False),
        ((counted(0, NOW), SECOND, AGENT), False),  # that one has not counted yet
        ((counted(0, NOW), SECOND), True),  # nobody counts there
        ((counted(0, NOW), counted(0, NOW, S2), replace(SECOND, applied=1)), False),
        ((counted(0, NOW), LocalSlots("web", S1, (3, 2) * 32)), False),
        ((counted(0, NOW), SlotTable("web", (2,) * 64)), False),
        ((counted(0, NOW), Switch(S1, 1, connected=True, applied=1)), False),
        ((replace(DRAINING, drain_until_ms=NOW - 1),), True),
    ],
)
def test_safe_to_stop(rows: tuple[Record, ...], safe: bool | None) -> None:
    mirror = view(WEB, DRAINING, *rows)
    told = container_out(mirror.need(Container, C1.key), mirror, NOW)
    assert told.safe_to_stop is safe
    assert told.state == "draining"


def test_progress_of_draining() -> None:
    rows = (WEB, DRAINING, SECOND, counted(1, NOW), counted(3, NOW, S2))
    told = container_out(DRAINING, view(*rows), NOW)
    assert (told.drain_until_ms, told.seconds_left) == (NOW + 30_000, 30.0)
    assert (told.connections, told.safe_to_stop) == (4, False)
    ready = container_out(C1, view(WEB, C1, counted(0, NOW)), NOW)
    assert (ready.seconds_left, ready.safe_to_stop) == (None, False)


def test_slots_by_container() -> None:
    table = SlotTable("web", (2, 3, 2, 2) * 16)
    told = slots_out(WEB, view(WEB, C1, C2, table))
    assert told.slots == ["c1", "c2", "c1", "c1"] * 16
    assert [(each.id, each.slots, each.share) for each in told.containers] == [
        ("c1", 48, 0.75),
        ("c2", 16, 0.25),
    ]


def test_slots_of_a_container_that_is_gone_and_of_nobody() -> None:
    told = slots_out(WEB, view(WEB, C1, SlotTable("web", (2, 9))))
    assert told.slots == ["c1", ""]
    empty = slots_out(WEB, view(WEB, C1))
    assert (empty.slots, empty.slots_in_all, empty.containers[0].share) == ([], 0, 0.0)


def test_slots_of_clients_of_each_switch() -> None:
    rows = (
        replace(WEB, locality="prefer"), C1, C2, SECOND, SlotTable("web", (2, 3) * 32),
        LocalSlots("web", S2, (3,) * 64), LocalSlots("web", S1, (2, 2, 2, 3) * 16),
    )  # fmt: skip
    here, there = slots_out(WEB, view(*rows)).local_slots
    assert (here.switch, here.slots_in_all, there.switch) == (S1, 64, S2)
    assert [(each.id, each.slots, each.share) for each in here.containers] == [
        ("c1", 48, 0.75),
        ("c2", 16, 0.25),
    ]
    assert [(each.id, each.share) for each in there.containers] == [("c2", 1.0)]
    assert slots_out(WEB, view(WEB, C1)).local_slots == []
