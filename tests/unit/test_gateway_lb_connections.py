"""Sums of what several switches counted."""

from __future__ import annotations

import pytest

from gateway_lb.connections import Count, count_of, open_connections
from gateway_lb.health import health_iface
from nib.mirror import Mirror, RowChange
from nib.observed import Connections
from nib.records import Record
from nib.topology import Port, Switch

ONE, TWO, THREE = (f"{number:016x}" for number in (1, 2, 3))
KEY = ("web", "c1")
MAC = "02:00:00:00:00:01"


def holding(*records: Record) -> Mirror:
    view = Mirror()
    for record in records:
        view.apply(RowChange(None, record))
    return view


def row(open_: int, at_ms: int, switch: str = "") -> Connections:
    return Connections(*KEY, open_, at_ms, switch)


def switch(dpid: str, *, connected: bool = True) -> Switch:
    return Switch(dpid, int(dpid, 16), connected=connected)


def agent(dpid: str, *, up: bool = True) -> Port:
    """The node agent's port in a switch."""
    return Port(dpid, "pwh", 9, MAC, iface_id=health_iface(dpid), up=up)


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ((), None),
        ((row(3, 50),), Count(3, 50)),  # of before there were several switches
        ((row(3, 50), row(1, 90, ONE)), Count(1, 90)),
        ((row(1, 90, ONE), row(2, 70, TWO), switch(TWO)), Count(3, 70)),
        ((row(1, 90, ONE), switch(TWO), switch(THREE)), Count(1, 90)),  # nobody counts there
        ((row(0, 90, ONE), switch(TWO), agent(TWO)), Count(0, 0)),  # and there not yet
        ((row(0, 90, ONE), switch(TWO), agent(TWO, up=False)), Count(0, 90)),
        ((row(0, 90, ONE), switch(TWO, connected=False), agent(TWO)), Count(0, 90)),
        ((row(0, 90, ONE), row(5, 10, TWO), switch(TWO, connected=False)), Count(5, 90)),
        ((Connections("web", "c2", 7, 90, ONE),), None),
    ],
)
def test_counts_of_all_switches_and_the_oldest_of_those_that_are_connected(
    rows: tuple[Record, ...], count: Count | None
) -> None:
    view = holding(switch(ONE), *rows)
    assert count_of(KEY, view) == count
    assert open_connections(KEY, view) == (count.open if count else None)


def test_counts_alone_have_the_age_of_the_oldest() -> None:
    """No switch is connected: whether any is behind its intent is another question."""
    assert count_of(KEY, holding(row(0, 90, ONE), row(0, 80, TWO))) == Count(0, 80)
