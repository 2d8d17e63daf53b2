"""What Prometheus is told of readings of several switches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from nib.database import Nib
from nib.intent import Container, Service
from nib.mirror import RowChange
from nib.records import Record
from nib.topology import Port
from openflow import tables
from openflow.cookies import GROUP_IDS, Cookie, Kind
from openflow.fields import ETH_IP
from ryu_apps.counters import OWN_PRIORITY
from ryu_apps.framework import parser
from ryu_apps.readings import Readings
from tests.nib_strategies import HERE, THERE

WEB = Service("web", "10.0.0.100", 80, number=1)
C1 = Container("web", "c1", "10.0.1.1", 8080, "02:00:00:00:00:11", iface_id="pod-1", number=2)
P1 = Port(HERE, "p1", 1, "02:00:00:00:02:01", iface_id="pod-1")
P2 = Port(THERE, "p2", 2, "02:00:00:00:02:02")


@pytest.fixture
def nib() -> Iterator[Nib]:
    """A replica without a database: a container's switch is HERE, its clients' is THERE."""
    with closing(Nib("unix:/nowhere", "test")) as replica:
        put(replica, WEB, C1, P1, P2)
        yield replica


def put(nib: Nib, *rows: Record) -> None:
    with nib.view() as view:
        for row in rows:
            view.apply(RowChange(view.get(type(row), row.key), row))


def flow(table: tables.Table, priority: int, packets: int) -> Any:
    """A flow of the container, as flow statistics report it."""
    return parser.OFPFlowStats(
        table_id=table.number,
        priority=priority,
        cookie=Cookie(Kind.CONTAINER, C1.number, epoch=7).value,
        packet_count=packets,
        byte_count=100 * packets,
        match=parser.OFPMatch(eth_type=ETH_IP),
    )


def own(packets: int) -> list[Any]:
    return [flow(tables.CONNTRACK, OWN_PRIORITY, packets)]


def sent(readings: Readings) -> dict[str, float]:
    """The packets from the container and from its service."""
    return {
        sample.name: sample.value
        for metric in readings.collect()
        for sample in metric.samples
        if sample.name.endswith("_packets_total") and sample.labels.get("direction") == "from"
    }


def both(packets: int) -> dict[str, float]:
    return {f"prewire_{of}_packets_total": packets for of in ("container", "service")}


def test_packets_that_pass_two_switches_count_in_the_containers_own(nib: Nib) -> None:
    readings = Readings(nib)
    readings.flows(HERE, own(10))
    readings.flows(THERE, own(10))
    assert sent(readings) == both(10)
    readings.flows(THERE, own(12))
    readings.flows(HERE, own(12))
    assert sent(readings) == both(12)


def test_a_container_that_moves_counts_from_there_on_in_its_new_switch(nib: Nib) -> None:
    readings = Readings(nib)
    readings.flows(HERE, own(10))
    readings.flows(THERE, own(10))
    put(nib, replace(P1, iface_id=None), replace(P2, iface_id="pod-1"))
    readings.flows(THERE, own(15))
    readings.flows(HERE, own(15))
    assert sent(readings) == both(15)


def test_what_passes_one_switch_only_counts_in_any(nib: Nib) -> None:
    readings = Readings(nib)
    readings.flows(HERE, [flow(tables.ORIGIN, 100, 3)])
    readings.flows(THERE, [flow(tables.ORIGIN, 100, 4)])
    assert sent(readings) == both(7)


def test_a_container_nowhere_counts_in_every_switch(nib: Nib) -> None:
    """Rather twice than never."""
    put(nib, replace(P1, iface_id=None))
    readings = Readings(nib)
    readings.flows(HERE, own(10))
    readings.flows(THERE, own(10))
    assert sent(readings) == both(20)


def grouped(readings: Readings) -> list[float]:
    """Packets of groups, of each service and switch."""
    [metric] = [each for each in readings.collect() if each.name.endswith("_group_packets")]
    return [sample.value for sample in metric.samples]


def test_what_a_group_counted_for_a_service_that_is_gone_is_forgotten(nib: Nib) -> None:
    """Its number is not given again for long: every service that ever was would have stayed."""
    readings = Readings(nib)
    group = parser.OFPGroupStats(group_id=GROUP_IDS.start + WEB.number, packet_count=7)
    readings.groups(HERE, [group])
    assert grouped(readings) == [7]
    with nib.view() as view:
        view.apply(RowChange(WEB, None))
    assert grouped(readings) == []
    put(nib, WEB)
    assert grouped(readings) == []


def port_counters(number: int) -> Any:
    """A port's statistics: all of them zero."""
    return parser.OFPPortStats(number, *[0] * 12, duration_sec=0, duration_nsec=0)


def test_what_is_gone_is_forgotten_though_nobody_scrapes(nib: Nib) -> None:
    """Containers that come and go in their thousands: a controller without Prometheus forgets."""
    readings = Readings(nib)
    for number in range(3, 5003):
        gone = flow(tables.CONNTRACK, OWN_PRIORITY, 5)
        gone.cookie = Cookie(Kind.CONTAINER, number, epoch=7).value
        readings.flows(HERE, [*own(number), gone])
        readings.groups(
            HERE, [parser.OFPGroupStats(group_id=GROUP_IDS.start + number, packet_count=1)]
        )
        readings.ports(HERE, [port_counters(number)])
    assert max(readings.sizes) < 2000
    assert sent(readings) == both(5002)
