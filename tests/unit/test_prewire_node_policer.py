"""Queues as a DPDK port's policers: rates in bytes, nothing promised twice, always a queue 0."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prewire.host.policer import BURST_MS, policer_rows
from qos.queues import PortQueues, QueuePlan

M = 1_000_000


def plan(rate_bps: int, *shares: tuple[int, int, int]) -> PortQueues:
    """shares: of each queue (number, sure of, at most)."""
    queues = (QueuePlan(n, f"c{n}", n, sure, most, 4, 12_000) for n, sure, most in shares)
    return PortQueues(rate_bps, tuple(queues))


@st.composite
def plans(draw: st.DrawFn) -> PortQueues:
    """Any port whose queues are together sure of at most its rate."""
    numbers = sorted(draw(st.sets(st.integers(0, 15), min_size=1)))
    rate = draw(st.integers(1_000 * len(numbers), 400_000_000_000))
    shares = []
    for number in numbers:
        sure = draw(st.integers(1, rate // len(numbers)))
        shares.append((number, sure, draw(st.integers(sure, rate))))
    return plan(rate, *shares)


def test_rates_are_bytes_a_second_without_the_ethernet_header() -> None:
    rows = policer_rows(plan(100 * M, (0, 20 * M, 100 * M), (1, 5 * M, 50 * M)))
    assert rows.type == "trtcm-policer"
    # 1,500 of a frame's 1,514 bytes count: 20 Mb/s are 2,476,882 bytes a second
    assert rows.queues[0]["cir"] == "2476882"
    assert rows.queues[0]["eir"] == str(80 * M * 1500 // (1514 * 8))
    assert rows.queues[1]["cir"] == str(5 * M * 1500 // (1514 * 8))
    assert rows.queues[1]["eir"] == str(45 * M * 1500 // (1514 * 8))
    assert rows.other_config["cir"] == str(25 * M * 1500 // (1514 * 8))
    assert rows.other_config["eir"] == str(75 * M * 1500 // (1514 * 8))


def test_bursts_are_what_the_rate_brings_in_half_a_second() -> None:
    rows = policer_rows(plan(100 * M, (0, 20 * M, 100 * M)))
    assert BURST_MS == 500
    assert rows.queues[0]["cbs"] == "1238441"
    assert rows.queues[0]["ebs"] == str(int(rows.queues[0]["eir"]) // 2)


def test_a_small_rate_has_a_burst_of_several_frames_and_no_rate_none() -> None:
    rows = policer_rows(plan(10_000, (0, 10_000, 10_000)))
    assert rows.queues[0] == {"cir": "1238", "cbs": "15000", "eir": "0", "ebs": "0"}


def test_packets_of_no_class_have_a_queue() -> None:
    rows = policer_rows(plan(100 * M, (3, 20 * M, 100 * M)))
    assert rows.queues[0]["cir"] == "0"
    assert rows.queues[0]["eir"] == str(100 * M * 1500 // (1514 * 8))


@given(plans())
def test_all_that_classes_are_sure_of_passes_the_port_and_no_more_than_its_rate(
    given_plan: PortQueues,
) -> None:
    rows = policer_rows(given_plan)
    port = {name: int(value) for name, value in rows.other_config.items()}
    queues = [{name: int(value) for name, value in each.items()} for each in rows.queues.values()]
    assert sum(each["cir"] for each in queues) <= port["cir"]
    assert port["cir"] + port["eir"] <= given_plan.rate_bps // 8
    for each in (port, *queues):
        # Open vSwitch refuses a rate without a burst
        assert not each["cir"] or each["cbs"] >= 1514
        assert not each["eir"] or each["ebs"] >= 1514
