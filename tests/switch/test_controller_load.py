"""What is heard of containers, and what time does, reaches a real switch; without REST."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from statistics import median

import pytest

from gateway_lb.lifecycle import draining
from nib.draft import Draft
from nib.intent import Container
from nib.observed import Connections, Demand, Ejected, Report
from nib.policy import Ejection
from ryu_apps.ticks import now_ms
from tests.needs import need_ovs
from tests.switch.controlled import CONTAINERS, VIP, Controlled, controlled
from tests.waiting import until

EJECTION = Ejection(50, 4, window_ms=600, eject_ms=1500)


@pytest.fixture(scope="module")
def running() -> Iterator[Controlled]:
    need_ovs()
    with controlled() as here:
        yield here


@pytest.fixture
def site(running: Controlled) -> Iterator[Controlled]:
    yield running
    running.clear()


def reported(row: Report) -> Callable[[Draft], object]:
    return lambda draft: draft.put(row)


def holds_slots(shares: dict[str, int]) -> bool:
    return "c2" in shares


def holds_none(shares: dict[str, int]) -> bool:
    return "c2" not in shares


def test_reports_move_slots_within_a_tick(site: Controlled) -> None:
    site.serve(*CONTAINERS)
    site.await_shares(c2=22, c3=21, c4=21)
    taken = []
    for percent in (0, 100) * 5:
        began = time.monotonic()
        site.put(Report("web", "c2", percent=percent))
        until(site.shares, holds_slots if percent else holds_none, "c2 has slots or not")
        taken.append(time.monotonic() - began)
    assert median(taken) < 0.5, f"seconds with a tick of 0.05: {taken}"


def test_a_storm_of_reports_is_few_messages_to_the_switch(site: Controlled) -> None:
    site.serve(*CONTAINERS)
    site.await_shares(c2=22, c3=21, c4=21)
    before = site.metric("prewire_switch_rule_messages_total")
    ticks = site.metric("prewire_programming_seconds_count", stage="tick")
    began = time.monotonic()
    for percent in itertools.islice(itertools.cycle((10, 90)), 2000):
        site.nib.write(reported(Report("web", "c2", percent)))
    site.put(Report("web", "c2", percent=0))
    site.await_shares(c3=32, c4=32)
    passed = time.monotonic() - began
    ticks = site.metric("prewire_programming_seconds_count", stage="tick") - ticks
    assert ticks <= passed / 0.05 + 1
    assert site.metric("prewire_switch_rule_messages_total") - before <= ticks


def test_a_count_that_changes_no_slot_sends_nothing(site: Controlled) -> None:
    site.serve(*CONTAINERS)
    site.await_shares(c2=22, c3=21, c4=21)
    before = site.metric("prewire_switch_rule_messages_total")
    ticks = site.metric("prewire_programming_seconds_count", stage="tick")
    site.put(Connections("web", "c2", 5, now_ms()), Report("web", "c3", inflight=3))
    until(
        lambda: site.metric("prewire_programming_seconds_count", stage="tick"),
        lambda seen: seen > ticks,
        "they were dealt with",
    )
    assert site.metric("prewire_switch_rule_messages_total") == before


def test_a_lease_that_is_not_renewed_drains_and_is_counted(site: Controlled) -> None:
    site.serve("c2")
    site.register("c3", lease_seconds=1)
    site.await_shares(c2=32, c3=32)
    site.await_shares(c2=64)
    late = site.container("c3")
    assert late is not None
    assert late.state == "draining"
    assert site.metric("prewire_lease_expirations_total", service="web") == 1


def test_deadlines_survive_the_controller(site: Controlled) -> None:
    site.serve("c2", "c4")
    site.register("c3", lease_seconds=1)
    site.await_shares(c2=22, c3=21, c4=21)
    site.process.kill()
    ready = site.container("c4")
    assert ready is not None
    site.put(draining(ready, now_ms(), 0.5))
    site.restart_controller()
    site.await_shares(c2=64)
    until(lambda: site.container("c4"), lambda row: row is None, "c4 is gone")


def test_no_lease_expires_because_the_database_was_away(site: Controlled) -> None:
    """Nobody could renew it; it has its whole time again."""
    site.serve("c2")
    site.register("c3", lease_seconds=1)
    site.await_shares(c2=32, c3=32)
    leased = site.container("c3")
    assert leased is not None
    assert leased.lease_until_ms is not None
    over_ms = leased.lease_until_ms + 1500  # controllers look every second
    site.database.stop()
    try:
        until(now_ms, lambda now: now > over_ms, "the lease is over")
    finally:
        site.database.start()
    returned_ms = now_ms()
    site.await_shares(c2=64, timeout_s=30)
    late = site.container("c3")
    assert late is not None
    assert late.since_ms >= returned_ms + 1000


def test_slots_of_clients_with_affinity_stay_for_their_time(site: Controlled) -> None:
    """What is moved is moved in time: the slot that a client came by last of all."""
    site.serve("c2", "c3", policy="source_affinity", affinity_seconds=3)
    site.await_shares(c2=32, c3=32)
    clients = [f"10.9.0.{number}" for number in range(1, 9)]
    for port, client in enumerate(clients, 1000):
        site.connect(port, client=client)
    chosen = site.chosen()
    assert len(chosen) == len(clients)
    name = "prewire_service_group_packets_total"
    until(lambda: site.metric(name, service="web"), lambda seen: seen >= 8, "counted")
    busy = chosen[1000]
    before = site.slots()
    polled = time.monotonic() + 1.1
    until(time.monotonic, lambda now: now >= polled, "the slots' counters are read")
    site.put(Report("web", busy, percent=2))
    until(site.slots, lambda seen: seen != before, "slots move")
    for port, client in enumerate(clients, 2000):
        site.connect(port, client=client)
    again = site.chosen()
    for port in range(1000, 1008):
        assert again[port + 1000] == chosen[port], "clients stay where they were"
    other = "c2" if busy == "c3" else "c3"
    until(
        site.shares,
        lambda seen: seen.get(busy, 0) <= 3 * sum(seen.values()) // 64 < seen[other],
        "and are let go",
    )


def load(site: Controlled, answers: dict[str, str]) -> Callable[[], dict[str, int]]:
    """Connections that containers answer so, or not at all; returns the shares then."""
    ports = itertools.count(10_000)

    def look() -> dict[str, int]:
        begun = list(itertools.islice(ports, 12))
        site.connect(*begun)
        chosen = until(site.chosen, set(begun).issubset, "all connections are tracked")
        for container, flags in answers.items():
            own = [port for port in begun if chosen[port] == container]
            if own:
                site.answer(container, flags, *own)
        return site.shares()

    return look


def test_a_container_that_resets_connections_is_left_out_for_a_while(site: Controlled) -> None:
    site.serve(*CONTAINERS, ejection=EJECTION)
    site.await_shares(c2=22, c3=21, c4=21)
    shares_under_load = load(site, {"c2": "syn|ack", "c3": "rst|ack", "c4": "syn|ack"})
    until(shares_under_load, lambda seen: seen == {"c2": 32, "c4": 32}, "c3 is left out")
    with site.nib.view() as view:
        row = view.need(Ejected, ("web", "c3"))
    assert "failed" in row.reason
    assert row.times == 1
    assert site.metric("prewire_ejections_total", service="web") == 1
    assert site.metric("prewire_container_state", container="c3", state="ejected") == 1
    until(
        lambda: site.metric("prewire_container_resets_total", container="c3"),
        lambda seen: seen >= 4,
        "its resets are counted",
    )
    assert site.metric("prewire_container_resets_total", container="c2") == 0
    assert site.metric("prewire_container_answered_connections_total", container="c2") > 0
    site.await_shares(c2=22, c3=21, c4=21)


def test_a_container_that_does_not_answer_is_left_out(site: Controlled) -> None:
    site.serve(*CONTAINERS, ejection=EJECTION)
    site.await_shares(c2=22, c3=21, c4=21)
    shares_under_load = load(site, {"c2": "syn|ack", "c3": "syn|ack"})
    until(shares_under_load, lambda seen: seen == {"c2": 32, "c3": 32}, "c4 is left out")


def test_the_page_of_metrics(site: Controlled) -> None:
    site.serve()
    site.put(Demand("web", now_ms(), 5))
    for name in CONTAINERS:
        site.register(name)
    site.await_shares(c2=22, c3=21, c4=21)
    site.put(
        Report("web", "c2", percent=0, inflight=3),
        Connections("web", "c3", 7, now_ms()),
    )
    site.await_shares(c3=32, c4=32)
    page = site.metrics()
    for line in (
        'prewire_container_state{container="c2",service="web",state="idle"} 1.0',
        'prewire_container_state{container="c2",service="web",state="ready"} 0.0',
        'prewire_container_inflight{container="c2",service="web"} 3.0',
        'prewire_container_inflight{container="c3",service="web"} 7.0',
        'prewire_container_connections{container="c3",service="web"} 7.0',
        'prewire_container_weight{container="c2",service="web"} 0.0',
        'prewire_container_slots{container="c4",service="web"} 32.0',
        'prewire_service_containers{service="web",state="ready"} 2.0',
        'prewire_service_panic{service="web"} 0.0',
        'prewire_service_demand_packets_total{service="web"} 5.0',
    ):
        assert line in page.splitlines(), page
    assert site.metric("prewire_service_slot_moves_total", service="web") > 0
    assert len(page.splitlines()) < 500
    assert VIP not in page
    assert shutil.which("promtool"), "apt-get install prometheus"
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_series_of_a_service_end_with_it(site: Controlled) -> None:
    site.serve(*CONTAINERS)
    site.put(Report("web", "c2", percent=0))
    site.await_shares(c3=32, c4=32)
    assert 'service="web"' in site.metrics()
    site.clear()
    until(site.metrics, lambda page: 'service="web"' not in page, "nothing is left of it")


def test_every_row_that_is_said_of_a_container_ends_with_it(site: Controlled) -> None:
    site.serve("c2", ejection=EJECTION)
    site.put(Ejected("web", "c2", now_ms() + 60_000))
    site.write(lambda draft: draft.delete(Container, ("web", "c2")))
    with site.nib.view() as view:
        assert not view.all(Ejected)
