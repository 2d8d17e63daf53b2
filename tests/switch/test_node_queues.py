"""QoS rows in a real Open vSwitch database: written, updated in place, removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from prewire.host.ovs import OpenVSwitch, OvsFailed
from prewire.host.queues import COLUMNS, Known, QosColumns, changes, known
from tests.ovs import PrivateOvs

ONE = QosColumns("linux-htb", {"max-rate": "1000000"}, {0: {"min-rate": "1000"}, 3: {}})
TWO = QosColumns("linux-htb", {"max-rate": "2000000"}, {0: {"min-rate": "1"}, 4: {"burst": "5"}})


@pytest.fixture
def ovs(private_ovs: PrivateOvs) -> OpenVSwitch:
    private_ovs.add_bridge("br0", dpid=7, ports=("p1", "p2", "p3"))
    private_ovs.vsctl(
        *("set", "Port", "p3", "qos=@q", "--", "--id=@q", "create", "QoS", "type=linux-sfq"),
        *("external_ids:owner=else", "queues:0=@z", "--", "--id=@z", "create", "Queue", "dscp=9"),
    )
    return OpenVSwitch(private_ovs.database)


def settled(ovs: OpenVSwitch, wanted: Mapping[str, QosColumns]) -> Known:
    ovs.transact(changes(wanted, frozenset(), known(ovs.tables(COLUMNS))))
    after = known(ovs.tables(COLUMNS))
    assert changes(wanted, frozenset(), after) == [], "nothing is left to do"
    return after


def columns_of(port: str, found: Known) -> QosColumns | None:
    row = found.qos.get(found.ports[port].qos)
    if row is None:
        return None
    queues = {number: found.queues[uuid].other_config for number, uuid in row.queues.items()}
    return replace(row.columns, queues=queues)


def test_rows_follow_what_is_wanted(ovs: OpenVSwitch) -> None:
    first = settled(ovs, {"p1": ONE, "p2": ONE})
    assert first.ports["p1"].dpid == f"{7:016x}"
    assert [columns_of(port, first) for port in ("p1", "p2")] == [ONE, ONE]
    assert first.ports["p1"].qos != first.ports["p2"].qos
    second = settled(ovs, {"p1": TWO, "p2": ONE})
    assert [columns_of(port, second) for port in ("p1", "p2")] == [TWO, ONE]
    assert second.ports == first.ports, "in place"
    assert (len(second.qos), len(second.queues)) == (3, 5)
    third = settled(ovs, {"p2": replace(TWO, type="linux-sfq")})
    assert columns_of("p1", third) is None
    assert (len(third.qos), len(third.queues)) == (2, 3)
    last = settled(ovs, {})
    assert (len(last.qos), len(last.queues)) == (1, 1), "the foreign ones"
    assert columns_of("p3", last) == QosColumns("linux-sfq", {}, {0: {}})


def test_rows_without_a_port_are_removed(ovs: OpenVSwitch) -> None:
    settled(ovs, {"p1": ONE})
    ovs.transact([("del-port", "p1")])
    found = settled(ovs, {})
    assert (len(found.qos), len(found.queues)) == (1, 1)


def test_a_port_that_is_kept_is_not_touched(ovs: OpenVSwitch) -> None:
    found = settled(ovs, {"p1": ONE})
    assert changes({}, frozenset({"p1"}), found) == []


def test_all_or_nothing(ovs: OpenVSwitch) -> None:
    with pytest.raises(OvsFailed, match="p9"):
        ovs.transact([("clear", "Port", "p3", "qos"), ("clear", "Port", "p9", "qos")])
    assert columns_of("p3", known(ovs.tables(COLUMNS))) is not None
