"""Which rates a policy has at what time: its own, a plan's, an override's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nib.plans import PolicyRate, RatePlan
from nib.prewarm import Override
from nib.qos import Policy
from qos.in_force import in_force, next_change_ms, planned, why_planned, with_rates

M = 1_000_000
POLICY = Policy("p", "buy", "sql", "interactive", 10 * M, 50 * M)
PLAN = RatePlan("p", 1000, 2000, "forecast", 80 * M)
OVERRIDE = Override("policy", "p", 1500, max_bps=20 * M)


@pytest.mark.parametrize(
    ("now_ms", "most"), [(999, None), (1000, 80 * M), (1999, 80 * M), (2000, None)]
)
def test_a_plan_holds_from_its_first_millisecond_to_before_its_last(
    now_ms: int, most: int | None
) -> None:
    found = in_force(POLICY, PLAN, None, now_ms)
    assert found == (None if most is None else PolicyRate("p", "plan", 2000, most))


def test_an_override_wins_until_it_is_over() -> None:
    assert in_force(POLICY, PLAN, OVERRIDE, 1499) == PolicyRate("p", "override", 1500, 20 * M)
    assert in_force(POLICY, PLAN, OVERRIDE, 1500) == PolicyRate("p", "plan", 2000, 80 * M)
    assert in_force(POLICY, None, OVERRIDE, 1500) is None


def test_an_override_to_the_policys_own_rates_wins_too() -> None:
    assert in_force(POLICY, PLAN, replace(OVERRIDE, max_bps=50 * M), 1200) is None


@pytest.mark.parametrize(
    ("now_ms", "next_ms"), [(0, 1000), (1000, 1500), (1500, 2000), (2000, None)]
)
def test_the_next_time_that_matters(now_ms: int, next_ms: int | None) -> None:
    assert next_change_ms(PLAN, OVERRIDE, now_ms) == next_ms


PLANNED = {
    "a limit": ((80 * M, None), (80 * M, 10 * M), ""),
    "a guarantee": ((None, 30 * M), (50 * M, 30 * M), ""),
    "both": ((80 * M, 60 * M), (80 * M, 60 * M), ""),
    "a lower guarantee": ((None, 2 * M), (50 * M, 2 * M), ""),
    "a guarantee above its own limit": ((None, 70 * M), (50 * M, 50 * M), "its limit is 50M"),
    "a limit below its own guarantee": ((5 * M, None), (10 * M, 10 * M), "10M are guaranteed"),
    "a limit below the guarantee": ((20 * M, 30 * M), (30 * M, 30 * M), "30M are guaranteed"),
    "nothing": ((None, None), (50 * M, 10 * M), ""),
}


@pytest.mark.parametrize(("asked", "found", "why"), PLANNED.values(), ids=PLANNED)
def test_a_planned_limit_is_never_below_the_guarantee(
    asked: tuple[int | None, int | None], found: tuple[int | None, int | None], why: str
) -> None:
    assert planned(POLICY, *asked) == found
    assert why in why_planned(POLICY, *asked)
    assert bool(why) == bool(why_planned(POLICY, *asked))


@pytest.mark.parametrize(
    "policy",
    [Policy("p", "buy", None, "interactive"), Policy("p", "buy", "sql", "default")],
    ids=["to anyone", "of the default class"],
)
def test_what_cannot_be_guaranteed_anything_is_planned_no_guarantee(policy: Policy) -> None:
    assert planned(policy, 80 * M, 30 * M) == (80 * M, None)
    assert "guaranteed nothing" in why_planned(policy, 80 * M, 30 * M)
    override = Override("policy", "p", 1500, guaranteed_bps=30 * M)
    assert in_force(policy, None, override, 1000) is None


OVERRIDDEN = {
    "a limit below its own guarantee": ((5 * M, None), (5 * M, 5 * M)),
    "a guarantee above its own limit": ((None, 70 * M), (70 * M, 70 * M)),
    "both": ((5 * M, 2 * M), (5 * M, 2 * M)),
}


@pytest.mark.parametrize(("said", "found"), OVERRIDDEN.values(), ids=OVERRIDDEN)
def test_what_an_operator_says_wins_over_the_policys_other_rate(
    said: tuple[int | None, int | None], found: tuple[int | None, int | None]
) -> None:
    rate = in_force(POLICY, PLAN, Override("policy", "p", 1500, None, *said), 1000)
    assert rate is not None
    changed = with_rates(POLICY, rate)
    assert (changed.max_bps, changed.guaranteed_bps) == found


def test_rates_that_were_decided_before_the_policy_changed_contradict_nothing() -> None:
    rate = PolicyRate("p", "plan", 2000, guaranteed_bps=40 * M)
    changed = with_rates(replace(POLICY, max_bps=30 * M), rate)
    assert (changed.max_bps, changed.guaranteed_bps) == (30 * M, 30 * M)
