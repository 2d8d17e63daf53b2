"""Queues of ports: which ports have some, and that what they are sure of can be had."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nib.mirror import Mirror, RowChange
from nib.qos import Policy, QosClass
from nib.topology import Port
from openflow.values import LOCAL
from qos.classes import PRESETS
from qos.provision import LinkState, Provision
from qos.queues import PortQueues, link_queues, port_queues

PORT = Port(f"{1:016x}", "eth1", 1, "02:00:00:00:00:01", up=True)
POLICY = Policy("any", destination="web")

RATES = st.integers(1_000, 4_000_000_000_000)


def view_of(*rows: Policy) -> Mirror:
    view = Mirror()
    for row in rows:
        view.apply(RowChange(None, row))
    return view


def link(rate_bps: int, stated: bool = True, **guaranteed: int) -> LinkState:
    return LinkState(PORT.key, rate_bps, stated, guaranteed)


def queues(found: LinkState, *rows: Policy, port: Port = PORT) -> PortQueues | None:
    return port_queues(view_of(*rows), Provision({}, {found.key: found}), port)


def test_a_stated_rate_gives_every_class_a_queue() -> None:
    found = queues(link(100_000_000), POLICY)
    assert found is not None
    assert found.rate_bps == 100_000_000
    assert [
        (each.queue, each.name, each.dscp, each.min_bps, each.max_bps, each.priority)
        for each in found.queues
    ] == [
        (0, "default", 0, 20_000_000, 100_000_000, 2),
        (1, "bulk", 1, 5_000_000, 100_000_000, 3),
        (2, "interactive", 18, 20_000_000, 100_000_000, 1),
        (3, "realtime", 46, 10_000_000, 50_000_000, 0),
    ]


def test_a_guarantee_is_what_its_class_is_sure_of() -> None:
    found = queues(link(100_000_000, stated=False, realtime=40_000_000), POLICY)
    assert found is not None
    assert found.queues[3].min_bps >= 40_000_000
    assert sum(each.min_bps for each in found.queues) <= 100_000_000


@pytest.mark.parametrize(
    ("found", "rows", "port"),
    [
        (link(100_000_000), (), PORT),
        (link(100_000_000, stated=False), (POLICY,), PORT),
        (link(0, stated=False, realtime=1_000_000), (POLICY,), PORT),
        (link(100_000_000), (POLICY,), replace(PORT, name="eth2")),
        (link(100_000_000), (POLICY,), replace(PORT, number=LOCAL)),
    ],
    ids=["no policy", "nothing guaranteed", "rate unknown", "another port", "the bridge itself"],
)
def test_no_queues(found: LinkState, rows: tuple[Policy, ...], port: Port) -> None:
    assert queues(found, *rows, port=port) is None


@st.composite
def _links(draw: st.DrawFn) -> LinkState:
    """Any classes and guarantees, also more than the link can carry."""
    classes = dict(PRESETS)
    for number in range(draw(st.integers(0, 4))):
        least, most = sorted(draw(st.tuples(st.integers(1, 100), st.integers(1, 100))))
        name = f"own{number}"
        classes[name] = QosClass(name, 50 + number, 8 + number, 1, least, most)
    rate = draw(RATES)
    sums = st.dictionaries(
        st.sampled_from(sorted(classes)), st.integers(1_000, 2 * rate), max_size=3
    )
    return LinkState(PORT.key, rate, draw(st.booleans()), draw(sums), classes)


@given(_links())
def test_what_queues_are_sure_of_fits_the_rate(found: LinkState) -> None:
    plan = link_queues(view_of(POLICY), found, PORT)
    if plan is None:
        assert not found.stated
        assert not found.guaranteed
        return
    assert sum(each.min_bps for each in plan.queues) <= plan.rate_bps
    assert plan.queues[0].queue == 0
    assert [each.queue for each in plan.queues] == sorted(
        each.queue for each in found.classes.values()
    )
    for each in plan.queues:
        assert 1 <= each.min_bps <= each.max_bps <= plan.rate_bps
        assert each.burst_bits >= 10 * 1514 * 8
        for value in (each.min_bps, each.max_bps, each.burst_bits):
            assert isinstance(value, int), "Open vSwitch ignores 1.0"


@given(_links())
def test_a_guarantee_that_fits_is_kept(found: LinkState) -> None:
    plan = link_queues(view_of(POLICY), found, PORT)
    is_short = any(found.spare(name) < 0 for name in found.classes)
    if plan is None or is_short or found.free_bps < 12_112 * len(found.classes):
        return
    for each in plan.queues:
        assert each.min_bps >= found.minimum(each.name)
