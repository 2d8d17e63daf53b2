from __future__ import annotations

from dataclasses import replace

import pytest

from nib.plans import MAX_REASON, ContainerPlan, RatePlan
from nib.prewarm import Override, Scaling, Schedule
from predictor.planning.merge import Rates, merge_containers, merge_rates
from predictor.planning.schedules import Occurrence

_NOW = 1_000_000
_UNTIL = _NOW + 10_000
_PLAN = ContainerPlan("web", 4, _NOW - 500, _NOW + 9500, "forecast", "p99 of 2.8", made_ms=_NOW)
_RATES = RatePlan("p", _NOW - 500, _NOW + 9500, "forecast", max_bps=50_000_000)
_MBIT = 1_000_000


def _times(containers: int, name: str = "s", until_ms: int = _NOW + 60_000) -> Occurrence:
    schedule = Schedule(name, "0 8 * * *", 600, service="web", containers=containers)
    return Occurrence(schedule, _NOW - 1000, until_ms)


def _rated(max_mbit: int | None = None, guaranteed_mbit: int | None = None) -> Occurrence:
    rates = [rate and rate * _MBIT for rate in (max_mbit, guaranteed_mbit)]
    schedule = Schedule(
        "s", "0 8 * * *", 600, policy="p", max_bps=rates[0], guaranteed_bps=rates[1]
    )
    return Occurrence(schedule, _NOW - 1000, _NOW + 60_000)


def _override(containers: int, until_ms: int = _NOW + 60_000, reason: str = "") -> Override:
    return Override("service", "web", until_ms, containers=containers, reason=reason)


def test_a_plan_alone_is_as_it_was() -> None:
    assert merge_containers([_PLAN], [], [], _NOW, _UNTIL) == {"web": _PLAN}
    stale = replace(_PLAN, stale=True)
    assert merge_containers([stale], [_times(2)], [], _NOW, _UNTIL) == {"web": stale}


def test_a_plan_that_is_over_no_longer_holds() -> None:
    assert merge_containers([_PLAN], [], [], _PLAN.until_ms, _UNTIL) == {}


def test_the_most_of_plan_and_overlapping_schedules_holds_with_its_source() -> None:
    found = merge_containers([_PLAN], [_times(6), _times(9, "big"), _times(7)], [], _NOW, _UNTIL)
    merged = found["web"]
    assert (merged.containers, merged.source) == (9, "schedule")
    assert "schedule big" in merged.reason
    assert merged.until_ms == _PLAN.until_ms
    assert merge_containers([_PLAN], [_times(4)], [], _NOW, _UNTIL) == {"web": _PLAN}


def test_what_a_schedule_gives_ends_with_it() -> None:
    ending = _times(9, until_ms=_NOW + 2000)
    assert merge_containers([_PLAN], [ending], [], _NOW, _UNTIL)["web"].until_ms == _NOW + 2000
    assert merge_containers([_PLAN], [ending], [], _NOW + 2000, _UNTIL) == {"web": _PLAN}


def test_a_schedule_needs_no_plan() -> None:
    merged = merge_containers([], [_times(9)], [], _NOW, _UNTIL)["web"]
    assert (merged.containers, merged.from_ms, merged.until_ms) == (9, _NOW, _UNTIL)


def test_a_schedule_ends_at_the_services_limit_and_an_override_does_not() -> None:
    limits = [Scaling("web", max_containers=5)]
    merged = merge_containers([_PLAN], [_times(9)], [], _NOW, _UNTIL, limits=limits)["web"]
    assert (merged.containers, merged.source) == (5, "limit")
    assert "max_containers 5" in merged.reason
    given = merge_containers([_PLAN], [], [_override(9)], _NOW, _UNTIL, limits=limits)["web"]
    assert given.containers == 9


@pytest.mark.parametrize("containers", [0, 2, 30])
def test_an_override_wins_whether_more_or_less(containers: int) -> None:
    override = _override(containers, reason="launch")
    merged = merge_containers([_PLAN], [_times(9)], [override], _NOW, _UNTIL)["web"]
    assert (merged.containers, merged.source) == (containers, "override")
    assert "launch" in merged.reason
    assert "else 9 by schedule" in merged.reason


def test_an_override_expires_by_itself() -> None:
    override = _override(30, until_ms=_NOW + 3000)
    assert merge_containers([_PLAN], [], [override], _NOW, _UNTIL)["web"].until_ms == _NOW + 3000
    assert merge_containers([_PLAN], [], [override], _NOW + 3000, _UNTIL) == {"web": _PLAN}
    assert merge_containers([], [], [override], _NOW + 3000, _UNTIL) == {}


def test_reasons_are_never_longer_than_a_row_allows() -> None:
    override = _override(1, until_ms=2**62, reason="r" * 255)
    long = replace(_PLAN, reason="x" * MAX_REASON)
    merged = merge_containers([long], [_times(9)], [override], _NOW, _UNTIL)["web"]
    assert len(merged.reason) <= MAX_REASON
    limits = [Scaling("web", max_containers=5)]
    merge_containers([long], [_times(9)], [], _NOW, _UNTIL, limits=limits)


@pytest.mark.parametrize(
    ("occurrence", "own", "expected"),
    [
        (_rated(80), (None, None), (80, None)),
        (_rated(20), (None, None), (50, None)),
        (_rated(80, 30), (None, None), (80, 30)),
        (_rated(None, 30), (100, None), (50, 30)),
        (_rated(None, 70), (100, None), (70, 70)),
        (_rated(None, 5), (100, 10), (50, None)),
    ],
)
def test_a_schedule_raises_planned_rates_and_never_lowers_them(
    occurrence: Occurrence, own: Rates, expected: tuple[int | None, int | None]
) -> None:
    mine = (own[0] and own[0] * _MBIT, own[1] and own[1] * _MBIT)
    merged = merge_rates([_RATES], [occurrence], _NOW, _UNTIL, own={"p": mine})["p"]
    found = (merged.max_bps, merged.guaranteed_bps)
    assert found == tuple(rate and rate * _MBIT for rate in expected)


def test_a_schedule_is_no_limit_for_a_policy_without_one() -> None:
    assert merge_rates([], [_rated(80)], _NOW, _UNTIL) == {}
    merged = merge_rates([], [_rated(80, 20)], _NOW, _UNTIL)["p"]
    assert (merged.max_bps, merged.guaranteed_bps) == (None, 20 * _MBIT)


def test_a_schedule_below_the_policys_own_rates_changes_nothing() -> None:
    own: dict[str, Rates] = {"p": (100 * _MBIT, 30 * _MBIT)}
    assert merge_rates([], [_rated(80, 20)], _NOW, _UNTIL, own=own) == {}
    merged = merge_rates([], [_rated(120, 20)], _NOW, _UNTIL, own=own)["p"]
    assert (merged.max_bps, merged.guaranteed_bps) == (120 * _MBIT, None)
