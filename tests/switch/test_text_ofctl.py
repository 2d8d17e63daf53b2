"""The ovs dialect and a real ovs-ofctl: it takes what we write, and we read what it prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from openflow.parse import parse_flow, parse_group, parse_meter
from openflow.text import flow_text, group_text, meter_text
from openflow.values import Bucket, Flow, Group, Meter, Output
from tests.needs import need_ovs
from tests.ovs import PrivateOvs
from tests.strategies import GROUP_NUMBERS, METER_NUMBERS, flows, groups, meters

BRIDGE = "br0"
# Few examples of many values, and no shrinking, because every example costs calls of ovs-ofctl.
BATCHES = settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def switch() -> Iterator[PrivateOvs]:
    need_ovs()
    with PrivateOvs() as ovs:
        ovs.add_bridge(BRIDGE, dpid=1, ports=("p1", "p2"))
        for number in GROUP_NUMBERS:
            group = Group(number, "select", (Bucket((Output(1),)),))
            ovs.ofctl("add-group", BRIDGE, group_text(group, "ovs"))
        for number in METER_NUMBERS:
            ovs.ofctl("add-meter", BRIDGE, meter_text(Meter(number, 1000, 1000), "ovs"))
        yield ovs


def given_to(ovs: PrivateOvs, lines: list[str]) -> str:
    """A file with the lines, gone with the switch."""
    file: Path = ovs.directory / "given.txt"
    file.write_text("".join(f"{line}\n" for line in lines))
    return str(file)


@BATCHES
@given(some=st.lists(flows(), min_size=25, max_size=40))
def test_flows(switch: PrivateOvs, some: list[Flow]) -> None:
    wanted = {flow.key: flow for flow in some}
    switch.ofctl("del-flows", BRIDGE)
    file = given_to(switch, [flow_text(flow, "ovs") for flow in wanted.values()])
    switch.ofctl("add-flows", BRIDGE, file)
    for statistics in ("--stats", "--no-stats"):
        dump = switch.ofctl("dump-flows", statistics, BRIDGE).splitlines()
        read = {parse_flow(line) for line in dump if "actions=" in line}
        assert (read - set(wanted.values()), set(wanted.values()) - read) == (set(), set())


@BATCHES
@given(some=st.lists(groups(), min_size=15, max_size=25, unique_by=lambda group: group.group_id))
def test_groups(switch: PrivateOvs, some: list[Group]) -> None:
    wanted = {group.group_id: group for group in some if group.group_id not in GROUP_NUMBERS}
    file = given_to(switch, [group_text(group, "ovs") for group in wanted.values()])
    switch.ofctl("add-groups", BRIDGE, file)
    dump = switch.ofctl("dump-groups", BRIDGE).splitlines()
    read = [parse_group(line) for line in dump if "group_id=" in line]
    for group_id in wanted:
        switch.ofctl("del-groups", BRIDGE, f"group_id={group_id}")
    assert {group.group_id: group for group in read if group.group_id in wanted} == wanted


@settings(BATCHES, max_examples=20)
@given(meter=meters())
def test_meters(switch: PrivateOvs, meter: Meter) -> None:
    if meter.meter_id in METER_NUMBERS:
        return
    switch.ofctl("add-meter", BRIDGE, meter_text(meter, "ovs"))
    dump = switch.ofctl("dump-meters", BRIDGE)
    switch.ofctl("del-meter", BRIDGE, f"meter={meter.meter_id}")
    _heading, _, body = dump.partition("\n")
    assert meter in [parse_meter(part) for part in body.split("\n\n") if part]
