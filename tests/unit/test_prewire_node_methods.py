"""How queues are enforced, by the kind of port, and what stands in the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prewire.host.methods import decide, has_foreign_root, leaf_packets
from prewire.host.queues import Known, OvsPort, QosColumns, QosRow
from prewire.host.tc import Root
from qos.queues import PortQueues, QueuePlan

PLAN = PortQueues(
    100_000_000,
    (
        QueuePlan(0, "default", 0, 20_000_000, 100_000_000, 2, 400_000),
        QueuePlan(3, "realtime", 46, 10_000_000, 50_000_000, 0, 200_000),
    ),
)
PORT = OvsPort(f"{1:016x}", "eth1", "netdev", ("",), 7, "")
OURS = QosRow(QosColumns("linux-htb", {}, {}), {}, is_ours=True)
HTB = Root("htb", 0x1_0000)
NOTHING_SET = {7: Root("noqueue", 0)}


def known(port: OvsPort, row: QosRow | None = None) -> Known:
    return Known({port.name: port}, {port.qos: row} if row else {}, {})


@pytest.mark.parametrize(
    ("datapath", "kind", "method", "type_"),
    [
        ("netdev", "", "dscp + linux-htb", "linux-htb"),
        ("netdev", "system", "dscp + linux-htb", "linux-htb"),
        ("system", "", "set_queue + linux-htb", "linux-htb"),
        ("", "", "set_queue + linux-htb", "linux-htb"),
        ("netdev", "dpdk", "trtcm-policer", "trtcm-policer"),
        ("netdev", "dpdkvhostuserclient", "trtcm-policer", "trtcm-policer"),
    ],
)
def test_the_method_follows_from_datapath_and_kind(
    datapath: str, kind: str, method: str, type_: str
) -> None:
    port = replace(PORT, datapath=datapath, kinds=(kind,))
    found = decide(port, PLAN, known(port), NOTHING_SET)
    assert (found.method, found.problem) == (method, "")
    assert found.columns is not None
    assert found.columns.type == type_
    assert found.columns.queues.keys() == {0, 3}
    assert found.marks == ({46: 3} if method.startswith("dscp") else {})


@pytest.mark.parametrize(
    ("port", "remedy"),
    [
        (replace(PORT, kinds=("internal",)), "veth"),
        (replace(PORT, kinds=("tap",)), "veth"),
        (replace(PORT, kinds=("vxlan",)), "device of the kernel"),
        (replace(PORT, kinds=("", ""), index=0), "port with one"),
        (replace(PORT, index=8), "network namespace"),
    ],
)
def test_a_port_without_a_method_says_what_to_do(port: OvsPort, remedy: str) -> None:
    found = decide(port, PLAN, known(port), NOTHING_SET)
    assert found.method == "none"
    assert found.columns is None
    assert remedy in found.problem


def test_what_others_set_is_not_ours_to_change() -> None:
    theirs = replace(PORT, qos="q")
    row = replace(OURS, is_ours=False)
    found = decide(theirs, PLAN, known(theirs, row), {7: HTB})
    assert (found.method, found.columns) == ("none", None)
    assert "ovs-vsctl clear Port eth1 qos" in found.problem
    for root in (HTB, Root("tbf", 0x5_0000)):
        assert has_foreign_root(PORT, known(PORT), {7: root}), "no QoS of ours is behind it"
    found = decide(PORT, PLAN, known(PORT), {7: Root("tbf", 0x5_0000)})
    assert (found.method, found.columns) == ("none", None)
    assert "tbf 5:" in found.problem
    assert "tc qdisc del dev eth1 root" in found.problem


def test_open_vswitch_s_own_root_is_no_obstacle() -> None:
    port = replace(PORT, qos="q")
    assert decide(port, PLAN, known(port, OURS), {7: HTB}).problem == ""
    assert decide(port, PLAN, known(port, OURS), {7: Root("htb", 0x5_0000)}).problem


def test_leaf_queues_hold_fifty_milliseconds_of_their_class_as_far_as_there_is_room() -> None:
    assert leaf_packets(PLAN, 16 << 20) == {0: 412, 3: 206}
    assert leaf_packets(PLAN, 212_992) == {0: 23, 3: 23}
    slow = replace(PLAN, queues=tuple(replace(each, max_bps=100_000) for each in PLAN.queues))
    assert leaf_packets(slow, 16 << 20) == {0: 16, 3: 16}
