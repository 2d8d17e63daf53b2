"""The rows of a leaf-spine fabric with services, as controllers and operators would have written
them: the same for the same seed.

Must not know: processes, the browser.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from gateway_lb.slots import slot_table
from nib.intent import Container, Service
from nib.observed import Demand, Ejected, Health, Report
from nib.plans import Predictor, Shard, shard_of
from nib.policy import HealthCheck
from nib.prewarm import DependencyRule, Override, Scaling, Schedule
from nib.qos import LinkRate, Policy, PolicyShare
from nib.records import Leader, SlotTable
from nib.topology import Link, Port, Switch
from tests.page import demand

LEAVES: Final = 6
SPINES: Final = 2
POLICIES: Final = 36
_GIGABIT: Final = 1_000_000_000
_UPLINK_BPS: Final = 10 * _GIGABIT


@dataclass(frozen=True, slots=True)
class Place:
    """A container's port."""

    switch: str
    port: str
    number: int
    mac: str


def leaf(number: int) -> str:
    """The datapath id of a leaf, from 1 on."""
    return f"{0xA0 + number:016x}"


def spine(number: int) -> str:
    """The datapath id of a spine, from 1 on."""
    return f"{0xB0 + number:016x}"


def links() -> Iterator[tuple[str, str, str, str]]:
    """(leaf, its port, spine, its port) of every link."""
    for low in range(1, LEAVES + 1):
        for high in range(1, SPINES + 1):
            yield leaf(low), f"up{high}", spine(high), f"down{low}"


def network() -> Iterator[Any]:
    """Switches, their ports to each other, and the links; one of these is seen in one direction."""
    for number in range(1, LEAVES + 1):
        yield Switch(leaf(number), number, f"leaf{number}", connected=True, applied=0)
        yield Port(leaf(number), "client", 900, f"02:00:00:0e:00:{number:02x}", up=True)
    for number in range(1, SPINES + 1):
        yield Switch(spine(number), 20 + number, f"spine{number}", connected=True, applied=0)
    for place, (low, up, high, down) in enumerate(links()):
        mac = f"02:00:00:0f:{place:02x}"
        yield Port(low, up, 800 + int(up[2:]), f"{mac}:01", up=True, speed_bps=_UPLINK_BPS)
        yield Port(high, down, int(down[4:]), f"{mac}:02", up=True, speed_bps=_UPLINK_BPS)
        yield Link(low, up, high, down)
        if (low, high) != (leaf(6), spine(2)):
            yield Link(high, down, low, up)
    yield Leader(epoch=4, controller="node1:4021")


def services(count: int, at_s: float) -> Iterator[Any]:
    """Services, their scaling and containers with ports; slots come once numbers are known."""
    for index, name in enumerate(demand.names(count)):
        udp = index % 37 == 36
        yield Service(
            name,
            f"10.{100 + index // 250}.{index // 200}.{index % 200 + 1}",
            53 if udp else (443 if index % 4 == 0 else 80),
            protocol="udp" if udp else "tcp",
            policy="least_inflight" if index % 3 == 0 else "weighted",
            slow_start_seconds=30 if index % 5 == 0 else 0,
            health=None if udp else HealthCheck(kind="http", path="/ready"),
        )
        yield Scaling(name, concurrency=demand.CONCURRENCY, min_containers=1, cold_start_ms=2_500)
        if index == count - 1:
            yield Demand(name, int(at_s * 1000) - 4_000, 37)
            continue  # nobody has started a container of the last one
        needed = demand.containers_for(float(demand.inflight(name, at_s)) * 1.1)
        for number in range(1, needed + 1):
            yield from _container(index, name, number, at_s)


def _container(index: int, name: str, number: int, at_s: float) -> Iterator[Any]:
    """A container with its port, check and report; a few are out of order."""
    drawn = random.Random(f"{name}/{number}")
    place = (index * 7 + number) % LEAVES + 1
    mac = f"02:00:{index >> 8:02x}:{index & 255:02x}:00:{number:02x}"
    iface = f"{name}-{number}"
    lost = index == 4 and number == 2
    if not lost:
        port_number = 1 + index % 200 + 200 * (number % 4)
        yield Port(
            leaf(place),
            f"v{index:x}.{number}",
            1000 + port_number + index * 40 + number,
            f"02:01:{index >> 8:02x}:{index & 255:02x}:00:{number:02x}",
            iface_id=iface,
            attached_mac=mac,
            up=True,
            speed_bps=10 * _GIGABIT,
        )
    draining = drawn.random() < 0.02
    now_ms = int(at_s * 1000)
    yield Container(
        name,
        f"{name}-{number}",
        f"10.{200 + index // 250}.{index % 250}.{number}",
        8080,
        mac,
        iface_id=iface,
        state="draining" if draining else "ready",
        drain_until_ms=now_ms + 900_000 if draining else None,
        version="v2" if number % 5 == 0 else "v1",
        max_inflight=demand.CONCURRENCY * 2,
    )
    failed = index in (2, 51) and number == 1
    if index % 37 != 36:
        reason = "GET /ready: answered 503" if failed else ""
        yield Health(name, f"{name}-{number}", up=not failed, reason=reason)
    if index == 7 and number == 1:
        yield Ejected(name, f"{name}-1", now_ms + 600_000, 2, "9 of 12 connections were reset")
    yield Report(name, f"{name}-{number}", inflight=drawn.randrange(demand.CONCURRENCY))


def slots(containers: list[Container]) -> Iterator[SlotTable]:
    """Slot tables for containers that have their numbers."""
    by_service: dict[str, dict[int, int]] = {}
    for each in containers:
        if each.state == "ready":
            by_service.setdefault(each.service, {})[each.number] = 1
    for name, weights in by_service.items():
        yield SlotTable(name, slot_table((), weights))


def policies(count: int) -> Iterator[Any]:
    """Policies between services, some with guarantees, and shares of their limits."""
    names = demand.names(count)
    classes = ("interactive", "bulk", "default", "interactive")
    for number in range(min(POLICIES, count // 2)):
        source, destination = names[number], names[(number * 3 + 20) % count]
        if source == destination:
            continue
        name = f"{source}-to-{destination}"
        has = number % 3 != 2
        limit = (400 + 200 * (number % 7)) * 1_000_000
        yield Policy(
            name,
            source=source if number % 6 else None,
            destination=destination,
            qos_class=classes[number % 4],
            guaranteed_bps=100_000_000 * (1 + number % 4) if has else None,
            max_bps=limit,
        )
        for place in (1, 2, 3):
            yield PolicyShare(name, leaf((number + place) % LEAVES + 1), limit // 3)
    for low, up, high, down in links():
        yield LinkRate(low, up, _UPLINK_BPS)
        yield LinkRate(high, down, _UPLINK_BPS)


def prediction(count: int, at_s: float, address: str) -> Iterator[Any]:
    """A predictor that minds all, an operator's words, and what depends on what."""
    names = demand.names(count)
    yield Predictor("node1:4022", address, since_ms=int(at_s * 1000) - 7_200_000)
    yield from (Shard(shard, "node1:4022") for shard in sorted({shard_of(n) for n in names} | {0}))
    yield Schedule("monday-sale", "0 8 * * mon", 7200, service=names[0], containers=15)
    yield Schedule("nightly", "0 2 * * *", 5400, service=names[9 % count], containers=4)
    yield Override("service", names[3], int(at_s * 1000) + 1_500_000, 9, reason="press release")
    yield DependencyRule(names[3], names[9 % count], "pin", 400)  # orders, stock
    yield DependencyRule(names[12 % count], names[1], "ban")
