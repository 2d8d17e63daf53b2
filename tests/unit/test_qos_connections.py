"""Which policy a connection is of, and which rows of counts are written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.qos import Policy, PolicyConnections
from nib.records import Record
from nib.topology import Switch
from qos.connections import due_rows, governing, idle_rows, limited_containers
from qos.gates import is_closed

HERE, THERE = f"{1:016x}", f"{2:016x}"
ZONES = {HERE: 5, THERE: 6}
SWITCHES = tuple(Switch(dpid, zone) for dpid, zone in ZONES.items())
MAC = "02:00:00:00:00:01"
SHOP = Service("shop", "10.0.0.101", 80, number=1)
WEB = Service("web", "10.0.0.100", 80, number=2)
AT_SHOP = Container("shop", "s", "10.0.0.1", 8080, MAC, iface_id="s", number=7)
AT_WEB = Container("web", "w", "10.0.0.2", 8080, MAC, iface_id="w", number=8)
PAIR = Policy("pair", "shop", "web", max_connections=100, number=1)
ANYONE = Policy("anyone", None, "web", max_connections=100, number=2)
OUTWARD = Policy("outward", "shop", None, number=3)
CLIENT, STRANGER = AT_SHOP.address, "10.0.0.250"


def holding(*records: Record) -> Mirror:
    view = Mirror()
    for record in (*SWITCHES, SHOP, WEB, AT_SHOP, AT_WEB, *records):
        view.apply(RowChange(None, record))
    return view


def due(counts: dict[tuple[int, int, str], int], *records: Record, exact: bool = False) -> set[str]:
    rows = due_rows(counts, ZONES, holding(*records), exact=exact)
    return {f"{row.policy} {ZONES[row.switch]} {row.open}" for row in rows}


@pytest.mark.parametrize(
    ("policies", "client", "name"),
    [
        ((PAIR, ANYONE, OUTWARD), CLIENT, "pair"),
        ((ANYONE, OUTWARD), CLIENT, "anyone"),
        ((OUTWARD,), CLIENT, "outward"),
        ((PAIR, ANYONE, OUTWARD), STRANGER, "anyone"),
        ((PAIR, OUTWARD), STRANGER, None),
        ((), CLIENT, None),
    ],
)
def test_the_pair_s_policy_else_the_destination_s_else_the_source_s(
    policies: tuple[Policy, ...], client: str, name: str | None
) -> None:
    found = governing(client, "web", holding(*policies))
    assert (found and found.name) == name


def test_each_connection_counts_for_one_policy_in_the_switch_it_came_in_at() -> None:
    counts = {(5, 8, CLIENT): 100, (5, 8, STRANGER): 60, (6, 8, STRANGER): 40, (6, 7, CLIENT): 9}
    assert due(counts, PAIR, ANYONE) == {"pair 5 100", "anyone 5 60", "anyone 6 40"}


def test_a_policy_without_a_limit_takes_connections_from_one_with() -> None:
    unlimited = replace(PAIR, max_connections=None)
    assert due({(5, 8, CLIENT): 100}, unlimited, ANYONE) == set()


def test_other_zones_and_containers_that_are_gone_count_for_nobody() -> None:
    assert due({(7, 8, CLIENT): 100, (0x8005, 8, CLIENT): 100, (5, 99, CLIENT): 100}, PAIR) == set()


@pytest.mark.parametrize(
    ("known", "count", "is_due"),
    [
        (0, 25, False),  # a quarter of what is left, with two switches
        (0, 26, True),
        (80, 85, False),
        (80, 86, True),
        (97, 98, True),  # exact near the limit
        (99, 99, False),
        (99, 100, True),
        (100, 99, True),
        (300, 260, False),  # far above it
        (300, 100, True),
        (300, 99, True),
    ],
)
def test_a_row_as_exact_as_its_gate_needs(known: int, count: int, is_due: bool) -> None:
    row = PolicyConnections("pair", HERE, known)
    assert due({(5, 8, CLIENT): count}, PAIR, row) == ({f"pair 5 {count}"} if is_due else set())


def test_exact_rows_where_that_is_asked_for() -> None:
    row = PolicyConnections("pair", THERE, 1)
    assert due({(5, 8, CLIENT): 2}, PAIR, row, exact=True) == {"pair 5 2", "pair 6 0"}
    assert due({(5, 8, CLIENT): 2}, PAIR, replace(row, switch=HERE, open=2), exact=True) == set()


@given(st.lists(st.tuples(*[st.integers(0, 250)] * 2), max_size=30), st.integers(1, 200))
def test_the_gate_is_as_if_every_row_were_exact(counts: list[tuple[int, int]], most: int) -> None:
    """However the connections of two switches change, one agent each."""
    policy = replace(PAIR, max_connections=most)
    view = holding(policy)
    for here, there in counts:
        held = {(5, 8, CLIENT): here, (6, 8, CLIENT): there}
        for dpid in (*ZONES, *ZONES):  # the second time each knows what the other wrote
            for row in due_rows(held, {dpid: ZONES[dpid]}, view, exact=False):
                view.apply(RowChange(view.get(PolicyConnections, row.key), row))
        assert is_closed(policy, view) is (here + there >= most)


def test_containers_of_stateful_services_that_a_policy_limits() -> None:
    assert limited_containers(holding(PAIR, OUTWARD)) == {8}
    assert limited_containers(holding(OUTWARD)) == frozenset()
    stateless = RowChange(WEB, replace(WEB, mode="stateless"))
    view = holding(PAIR)
    view.apply(stateless)
    assert limited_containers(view) == frozenset()


def test_rows_of_policies_without_a_limit_are_idle() -> None:
    rows = [PolicyConnections(name, HERE, 1) for name in ("pair", "outward")]
    view = holding(PAIR, OUTWARD, *rows)
    assert idle_rows(ZONES, view) == [rows[1]]
    assert idle_rows({THERE: 6}, view) == []
