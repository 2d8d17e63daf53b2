"""What Prometheus is told of how policies and links stand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

import pytest

from nib.database import Nib
from nib.intent import Container, Service
from nib.mirror import RowChange
from nib.plans import PolicyRate
from nib.qos import LinkRate, Policy, PolicyConnections, PolicyShare
from nib.records import Record
from nib.topology import Port, Switch
from ryu_apps.bandwidth_states import BandwidthStates, LinkUse
from ryu_apps.framework import parser
from tests.nib_strategies import HERE, THERE

WEB: Final = Service("web", "10.0.0.100", 80, number=1)
C1: Final = Container("web", "c1", "10.0.1.1", 8080, "02:00:00:00:00:11", iface_id="pod", number=2)
P1: Final = Port(HERE, "p1", 1, "02:00:00:00:02:01", iface_id="pod", up=True)
P2: Final = Port(HERE, "p2", 2, "02:00:00:00:02:02", up=True)
GOLD: Final = Policy("gold", None, "web", "realtime", guaranteed_bps=3_000_000, number=1)
# What port statistics have besides.
_OTHERS: Final = (
    *("rx_packets", "tx_packets", "rx_bytes", "rx_dropped", "tx_dropped", "rx_errors"),
    *("tx_errors", "rx_frame_err", "rx_over_err", "rx_crc_err", "collisions"),
)


@pytest.fixture
def nib() -> Iterator[Nib]:
    """A replica without a database."""
    with closing(Nib("unix:/nowhere", "test")) as replica:
        put(replica, Switch(HERE, 1, connected=True), WEB, C1, P1, P2)
        yield replica


def put(nib: Nib, *rows: Record) -> None:
    with nib.view() as view:
        for row in rows:
            view.apply(RowChange(view.get(type(row), row.key), row))


def shown(states: BandwidthStates, name: str) -> dict[tuple[str, ...], float]:
    """Values of a metric by its labels' values."""
    return {
        tuple(sample.labels.values()): sample.value
        for metric in states.collect()
        if metric.name == f"prewire_{name}"
        for sample in metric.samples
    }


def port(number: int, sent: int, at_s: float) -> Any:
    """What a switch tells of a port that is there for so many seconds."""
    whole, part = divmod(int(at_s * 1e9), 10**9)
    none = dict.fromkeys(_OTHERS, 0)
    return parser.OFPPortStats(
        port_no=number, tx_bytes=sent, duration_sec=whole, duration_nsec=part, **none
    )


def test_the_state_of_a_policy_and_what_is_free_of_its_link(nib: Nib) -> None:
    put(nib, LinkRate(HERE, "p1", 10_000_000), GOLD)
    states = BandwidthStates(nib)
    assert shown(states, "policy_state") == {
        ("gold", "active"): 1,
        ("gold", "waiting"): 0,
        ("gold", "short"): 0,
    }
    assert shown(states, "link_rate_bps") == {(HERE, "p1"): 10_000_000}
    assert shown(states, "link_guaranteed_bps") == {(HERE, "p1"): 3_000_000}
    # 30 % is guaranteed, and 45 % are other classes' minima
    assert shown(states, "link_free_bps") == {(HERE, "p1"): 2_500_000}


def test_the_rates_of_a_policy_are_those_in_force(nib: Nib) -> None:
    put(nib, LinkRate(HERE, "p1", 10_000_000), GOLD)
    states = BandwidthStates(nib)
    assert shown(states, "policy_max_bps") == {}
    assert shown(states, "policy_guaranteed_bps") == {("gold",): 3_000_000}
    put(nib, PolicyRate("gold", "plan", 1, 5_000_000, 4_000_000))
    assert shown(states, "policy_max_bps") == {("gold",): 5_000_000}
    assert shown(states, "policy_guaranteed_bps") == {("gold",): 4_000_000}
    assert shown(states, "link_guaranteed_bps") == {(HERE, "p1"): 4_000_000}


def test_a_link_of_unknown_rate_has_no_rate_to_show(nib: Nib) -> None:
    put(nib, Policy("web", None, "web", number=1))
    states = BandwidthStates(nib)
    assert shown(states, "link_guaranteed_bps") == {(HERE, "p1"): 0}
    assert shown(states, "link_rate_bps") == {}
    assert shown(states, "link_free_bps") == {}


def test_a_policy_without_containers_waits(nib: Nib) -> None:
    put(nib, Service("buy", "10.0.0.101", 80, number=2), Policy("buy", None, "buy", number=1))
    assert shown(BandwidthStates(nib), "policy_state")["buy", "waiting"] == 1


def test_limits_by_switch_and_connections(nib: Nib) -> None:
    put(nib, Policy("some", None, "web", max_bps=10_000, max_connections=9, number=1))
    put(nib, Policy("paced", "web", max_pps=10, number=2))
    put(nib, PolicyShare("some", HERE, 4_000), PolicyShare("some", THERE, 6_000))
    put(nib, PolicyShare("paced", HERE, None, 10))
    put(nib, PolicyConnections("some", HERE, 2), PolicyConnections("some", THERE, 3))
    states = BandwidthStates(nib)
    assert shown(states, "policy_limit_bps") == {("some", HERE): 4_000, ("some", THERE): 6_000}
    assert shown(states, "policy_connections") == {("some",): 5}


def test_what_is_used_is_shown_of_links_only(nib: Nib) -> None:
    put(nib, GOLD)
    states = BandwidthStates(nib)
    states.ports(HERE, [port(1, 1_000, 10), port(2, 1_000, 10)])
    assert shown(states, "link_used_bps") == {}
    states.ports(HERE, [port(1, 6_000, 12), port(2, 9_000, 12)])
    assert shown(states, "link_used_bps") == {(HERE, "p1"): 20_000}


def test_the_use_of_a_link_by_the_switchs_own_time() -> None:
    use = LinkUse()
    use.read(HERE, [port(1, 1_000, 10)])
    use.read(HERE, [port(1, 2_000, 10.5)])
    assert use.bps(HERE, 1) == 16_000
    use.read(HERE, [port(1, 2_000, 10.5)])  # the same once more
    use.read(HERE, [port(1, 2_001, 10.51)])  # too soon to say anything
    assert use.bps(HERE, 1) == 16_000
    use.read(HERE, [port(1, 2_000, 15.5)])
    assert use.bps(HERE, 1) == 0
    use.read(HERE, [port(1, 500, 0.1)])  # it is another port now
    assert use.bps(HERE, 1) is None
    use.read(HERE, [port(1, 1_500, 1.1)])
    assert use.bps(HERE, 1) == 8_000
    assert use.bps(THERE, 1) is None
    assert use.bps(HERE, None) is None
