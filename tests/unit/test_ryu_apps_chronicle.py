"""What is told of rows that controllers, agents and predictors write."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nib.mirror import RowChange
from nib.observed import Ejected, Health, Report
from nib.plans import ContainerPlan, PolicyRate, PrewarmRequest
from nib.records import Record
from nib.topology import Link, Switch
from ryu_apps.chronicle import MOST_AT_ONCE, Told, shortened, told

S1 = Switch("0000000000000001", 1, "leaf1", connected=True)
DOWN = Health("web", "c1", up=False, reason="connection refused")
LINK = Link("0000000000000001", "p1", "0000000000000002", "p9")
PLAN = ContainerPlan("web", 2, 0, 10, "load", "2 in flight")
RATE = PolicyRate("limit", "plan", 10, max_bps=50_000_000)
REQUEST = PrewarmRequest("r1", "web", 4, 2, 0, 5, 9)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (None, S1, ("switch", "leaf1", "connected", "info")),
        (S1, replace(S1, connected=False), ("switch", "leaf1", "disconnected", "warning")),
        (S1, replace(S1, problem="refused a flow"), ("switch", "leaf1", "failed", "warning")),
        (replace(S1, problem="x"), S1, ("switch", "leaf1", "recovered", "info")),
        (S1, None, ("switch", "leaf1", "forgotten", "info")),
        (None, LINK, ("link", "0000000000000001/p1", "found", "info")),
        (LINK, None, ("link", "0000000000000001/p1", "lost", "warning")),
        (None, DOWN, ("health", "web/c1", "failed", "warning")),
        (DOWN, replace(DOWN, up=True, reason=""), ("health", "web/c1", "passed", "info")),
        (None, Ejected("web", "c1", 9, 1, "resets"), ("health", "web/c1", "ejected", "warning")),
        (PLAN, replace(PLAN, containers=4, source="forecast"), ("plan", "web", "planned", "info")),
        (PLAN, replace(PLAN, stale=True), ("plan", "web", "stale", "warning")),
        (None, RATE, ("rate", "limit", "changed", "info")),
        (RATE, None, ("rate", "limit", "changed", "info")),
        (None, REQUEST, ("prewarm", "web", "requested", "info")),
        (REQUEST, replace(REQUEST, state="expired"), ("prewarm", "web", "expired", "warning")),
    ],
)
def test_what_matters_is_told(
    old: Record | None, new: Record | None, expected: tuple[str, str, str, str]
) -> None:
    found = told(RowChange(old, new))
    assert found is not None
    assert (found.kind, found.name, found.action, found.severity) == expected
    event = found.event("controller one", 1_700_000_000_000)
    assert (event.kind, event.name, event.actor) == (*expected[:2], "controller one")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (S1, replace(S1, applied=7)),
        (None, Link(LINK.peer, LINK.peer_port, LINK.switch, LINK.port)),
        (DOWN, replace(DOWN, reason="timeout")),
        (PLAN, replace(PLAN, until_ms=20, reason="3 in flight")),
        (RATE, replace(RATE, until_ms=20)),
        (None, Report("web", "c1", inflight=3)),
    ],
)
def test_what_only_goes_on_is_not(old: Record | None, new: Record | None) -> None:
    assert told(RowChange(old, new)) is None


def test_a_plan_says_from_how_many_to_how_many_and_why() -> None:
    found = told(RowChange(PLAN, replace(PLAN, containers=4, source="forecast", reason="p95 7")))
    assert found is not None
    assert found.reason == "2 -> 4 containers, by forecast: p95 7"


def test_a_rate_is_told_as_people_write_it() -> None:
    found = told(RowChange(RATE, replace(RATE, max_bps=None, guaranteed_bps=1_500_000)))
    assert found is not None
    assert found.reason == "at most 50M -> guaranteed 1.5M, by plan"


def test_of_a_flood_the_warnings_stay() -> None:
    flood = [Told("plan", f"s{n}", "planned") for n in range(500)]
    warning = Told("link", "a/b", "lost", severity="warning")
    kept = shortened([*flood, warning])
    assert len(kept) == MOST_AT_ONCE
    assert kept[0] is warning
    assert kept[-1].reason == "and 401 more such events"
