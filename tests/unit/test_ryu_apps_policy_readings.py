"""What Prometheus is told of policies, by their names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any, Final

import pytest

from nib.database import Nib
from nib.mirror import RowChange
from nib.qos import Policy
from openflow import tables
from openflow.cookies import Cookie, Kind
from openflow.fields import ETH_IP
from qos.pipeline import bit_meter
from ryu_apps.framework import parser
from ryu_apps.policy_readings import PolicyReadings
from tests.nib_strategies import HERE, THERE

GOLD: Final = Policy("gold", None, "web", number=1)


@pytest.fixture
def nib() -> Iterator[Nib]:
    """A replica without a database."""
    with closing(Nib("unix:/nowhere", "test")) as replica:
        put(replica, None, GOLD)
        yield replica


def put(nib: Nib, old: Policy | None, new: Policy | None) -> None:
    with nib.view() as view:
        view.apply(RowChange(old, new))


def flow(packets: int, table: tables.Table = tables.POLICE, kind: Kind = Kind.POLICY) -> Any:
    return parser.OFPFlowStats(
        table_id=table.number,
        priority=80,
        cookie=Cookie(kind, GOLD.number, epoch=7).value,
        hard_timeout=0,
        idle_timeout=0,
        flags=0,
        packet_count=packets,
        byte_count=100 * packets,
        match=parser.OFPMatch(eth_type=ETH_IP),
        instructions=[parser.OFPInstructionGotoTable(tables.MARK.number)],
    )


def meter(offered: int, dropped: int, policy: Policy = GOLD) -> Any:
    bands = [parser.OFPMeterBandStats(dropped, 100 * dropped)]
    return parser.OFPMeterStats(
        meter_id=bit_meter(policy.number),
        packet_in_count=offered,
        byte_in_count=100 * offered,
        band_stats=bands,
    )


def shown(readings: PolicyReadings, what: str) -> dict[tuple[str, str], float]:
    return {
        (sample.labels["policy"], sample.labels["switch"]): sample.value
        for metric in readings.collect()
        if metric.name == f"prewire_policy_{what}"
        for sample in metric.samples
    }


def test_figures_are_by_policy_and_switch(nib: Nib) -> None:
    readings = PolicyReadings(nib)
    readings.read(HERE, [flow(10)], [meter(10, 4)])
    readings.read(THERE, [flow(3)], [])
    assert shown(readings, "offered_packets") == {("gold", HERE): 10, ("gold", THERE): 3}
    assert shown(readings, "passed_packets") == {("gold", HERE): 6, ("gold", THERE): 3}
    assert shown(readings, "dropped_bytes") == {("gold", HERE): 400, ("gold", THERE): 0}


def test_a_packet_counts_once_though_it_passes_two_tables(nib: Nib) -> None:
    readings = PolicyReadings(nib)
    others = [flow(9, tables.PACE), flow(9, kind=Kind.CLASS), flow(9, tables.FORWARD)]
    readings.read(HERE, [flow(10), *others], [])
    assert shown(readings, "offered_packets") == {("gold", HERE): 10}


def test_a_policy_with_the_number_of_one_that_is_gone_begins_at_zero(nib: Nib) -> None:
    readings = PolicyReadings(nib)
    readings.read(HERE, [flow(10)], [meter(10, 4)])
    put(nib, GOLD, None)
    readings.last_of(HERE, [meter(12, 4)])
    readings.read(HERE, [flow(12)], [])  # it is still in the switch
    assert shown(readings, "offered_packets") == {}
    put(nib, None, replace(GOLD, name="silver"))
    readings.read(HERE, [flow(2)], [meter(2, 1)])
    assert shown(readings, "offered_packets") == {("silver", HERE): 2}
    assert shown(readings, "dropped_packets") == {("silver", HERE): 1}


def test_it_begins_at_zero_also_where_the_switch_sees_no_difference(nib: Nib) -> None:
    readings = PolicyReadings(nib)
    readings.read(HERE, [flow(10)], [meter(10, 4)])
    put(nib, GOLD, None)
    put(nib, None, replace(GOLD, name="silver"))
    assert shown(readings, "offered_packets") == {("silver", HERE): 0}
    readings.read(HERE, [flow(12)], [meter(12, 5)])
    assert shown(readings, "offered_packets") == {("silver", HERE): 2}
    assert shown(readings, "dropped_packets") == {("silver", HERE): 1}


def test_the_last_reading_of_a_meter_belongs_to_its_policy(nib: Nib) -> None:
    readings = PolicyReadings(nib)
    readings.last_of(HERE, [meter(10, 4)])
    readings.read(HERE, [flow(15)], [meter(5, 1)])
    assert shown(readings, "passed_packets") == {("gold", HERE): 10}
    assert shown(readings, "dropped_packets") == {("gold", HERE): 5}
