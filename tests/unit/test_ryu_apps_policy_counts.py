"""Totals of policies from readings of flows and meters, whatever starts again at zero."""

from __future__ import annotations

from openflow import tables
from openflow.values import FlowKey, match
from qos.pipeline import bit_meter
from ryu_apps.policy_counts import FlowCount, MeterCount, PolicyCount, PolicyCounts

BITS = bit_meter(1)
PACE = BITS + 1
KEY: FlowKey = (tables.POLICE.number, 80, match(reg9=1))
GATE: FlowKey = (tables.POLICE.number, 85, match(reg9=1, tcp_flags=(2, 0x12)))


def flow(packets: int, policy: int = 1) -> FlowCount:
    return FlowCount(policy, KEY, True, (packets, 100 * packets))


def gate(packets: int) -> FlowCount:
    return FlowCount(1, GATE, False, (packets, 100 * packets))


def meter(offered: int, dropped: int, number: int = BITS) -> MeterCount:
    return MeterCount(number, (offered, 100 * offered), (dropped, 100 * dropped))


def check(counts: PolicyCounts, passed: int, dropped: int) -> None:
    count = counts.counts()[1]
    assert count == PolicyCount((passed, 100 * passed), (dropped, 100 * dropped))
    assert count.offered == (passed + dropped, 100 * (passed + dropped))


def test_a_policy_without_limits_passes_all() -> None:
    counts = PolicyCounts()
    counts.read([flow(5)], [])
    check(counts, 5, 0)
    counts.read([flow(7)], [])
    check(counts, 7, 0)


def test_two_meters_drop_one_after_the_other() -> None:
    counts = PolicyCounts()
    counts.read([flow(0)], [meter(0, 0), meter(0, 0, PACE)])
    counts.read([flow(100)], [meter(100, 20), meter(80, 30, PACE)])
    check(counts, 50, 50)


def test_a_last_reading_counts_and_the_next_is_from_zero() -> None:
    counts = PolicyCounts()
    counts.read([flow(10)], [meter(10, 4)])
    counts.last_of([meter(20, 9)])
    counts.read([flow(50)], [meter(30, 10)])  # above the last one, and yet from zero
    check(counts, 31, 19)


def test_only_the_meter_that_starts_again_counts_from_zero() -> None:
    counts = PolicyCounts()
    counts.read([flow(10)], [meter(10, 4), meter(6, 2, PACE)])
    counts.last_of([meter(10, 4)])
    counts.read([flow(20)], [meter(10, 4), meter(12, 3, PACE)])
    check(counts, 9, 11)


def test_what_passed_never_falls_though_flows_are_told_late() -> None:
    counts = PolicyCounts()
    counts.read([flow(10)], [meter(10, 0)])
    check(counts, 10, 0)
    counts.read([flow(10)], [meter(50, 40)])  # meters are told at once
    check(counts, 10, 40)
    counts.read([flow(50)], [meter(50, 40)])
    check(counts, 10, 40)


def test_after_a_restart_of_the_switch_all_counts_go_on() -> None:
    counts = PolicyCounts()
    counts.read([flow(100)], [meter(100, 40)])
    counts.read([], [])  # it is back, and holds nothing yet
    check(counts, 60, 40)
    counts.read([flow(200)], [meter(200, 50)])  # more than before
    check(counts, 210, 90)


def test_after_a_restart_that_nobody_saw_a_lower_count_is_from_zero() -> None:
    counts = PolicyCounts()
    counts.read([flow(100)], [meter(100, 40)])
    counts.read([flow(30)], [meter(30, 10)])
    check(counts, 80, 50)


def test_a_limit_that_goes_takes_no_count_along() -> None:
    counts = PolicyCounts()
    counts.read([flow(100)], [meter(100, 40)])
    counts.last_of([meter(110, 45)])
    counts.read([flow(150)], [])
    check(counts, 105, 45)
    counts.read([flow(160)], [meter(10, 10)])
    check(counts, 105, 55)


def test_a_later_controller_does_not_take_for_passed_what_was_dropped_before() -> None:
    """A meter has been changed since: what it dropped before is not known."""
    counts = PolicyCounts()
    counts.read([flow(1000)], [meter(30, 10)])
    check(counts, 20, 10)
    counts.read([flow(1100)], [meter(130, 60)])
    check(counts, 70, 60)


def test_connections_that_a_closed_gate_refuses_are_dropped() -> None:
    counts = PolicyCounts()
    counts.read([flow(10)], [meter(10, 2)])
    counts.read([flow(10), gate(3)], [meter(10, 2)])
    check(counts, 8, 5)
    counts.read([flow(20)], [meter(20, 2)])  # the gate is open again
    check(counts, 18, 5)


def test_meters_that_are_no_policys_are_not_counted() -> None:
    counts = PolicyCounts()
    counts.read([flow(10)], [meter(10, 2), meter(99, 99, number=1), meter(99, 99, BITS - 4000)])
    check(counts, 8, 2)


def test_policies_are_apart() -> None:
    counts = PolicyCounts()
    counts.read([flow(10), flow(7, policy=2)], [meter(10, 2)])
    check(counts, 8, 2)
    assert counts.counts()[2] == PolicyCount((7, 700), (0, 0))


def test_another_policy_of_the_same_number_begins_at_zero_though_counters_go_on() -> None:
    counts = PolicyCounts()
    counts.read([flow(10), flow(7, policy=2)], [meter(10, 2)])
    counts.begin({1})
    check(counts, 0, 0)
    counts.read([flow(30), flow(8, policy=2)], [meter(30, 7)])
    check(counts, 15, 5)
    assert counts.counts()[2] == PolicyCount((8, 800), (0, 0))


def test_flows_that_are_gone_are_counted_on_and_forgotten() -> None:
    """A policy's flows change with the addresses of its two ends: each match is another flow."""
    counts = PolicyCounts()
    for number in range(100):
        key = (tables.POLICE.number, 80, match(reg9=1, tcp_dst=1 + number))
        counts.read([FlowCount(1, key, True, (5, 500)), gate(number)], [])
    check(counts, 500, 99)
    assert counts.flows == 2
    counts.read([], [])
    counts.read([flow(3), gate(1)], [])
    check(counts, 503, 100)


def test_another_policy_of_the_same_number_has_nothing_of_flows_that_are_gone() -> None:
    counts = PolicyCounts()
    counts.read([flow(10)], [])
    counts.read([], [])
    counts.begin({1})
    counts.read([flow(4)], [])
    check(counts, 4, 0)
