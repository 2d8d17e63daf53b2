"""Merging raises, never lowers, save by override; and says nothing that is over."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nib.plans import ContainerPlan, RatePlan
from nib.prewarm import Override, Schedule
from predictor.planning.merge import Rates, merge_containers, merge_rates
from predictor.planning.schedules import Occurrence
from tests.nib_strategies import examples

_NAMES = st.sampled_from(["a", "b"])
_TIMES = st.integers(0, 100)
_RATES = st.one_of(st.none(), st.integers(10**6, 10**9))
_NOW = 50


@st.composite
def _container_plans(draw: st.DrawFn) -> ContainerPlan:
    start = draw(_TIMES)
    amount = draw(st.integers(0, 50))
    return ContainerPlan(draw(_NAMES), amount, start, start + draw(_TIMES), "forecast")


@st.composite
def _rate_plans(draw: st.DrawFn) -> RatePlan:
    start, guaranteed, limit = draw(_TIMES), draw(_RATES), draw(_RATES)
    if limit is not None and guaranteed is not None:
        guaranteed, limit = sorted((guaranteed, limit))
    end = start + draw(_TIMES)
    return RatePlan(draw(_NAMES), start, end, "forecast", limit, guaranteed)


def _amounts(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    if kind == "service":
        return {"containers": draw(st.integers(0, 50))}
    low, high = sorted((draw(st.integers(10**6, 10**9)), draw(st.integers(10**6, 10**9))))
    return {"max_bps": high, "guaranteed_bps": draw(st.sampled_from([None, low]))}


@st.composite
def _occurrences(draw: st.DrawFn) -> Occurrence:
    kind = draw(st.sampled_from(["service", "policy"]))
    names: dict[str, Any] = {kind: draw(_NAMES)}
    schedule = Schedule("s", "* * * * *", 60, **names, **_amounts(draw, kind))
    start = draw(_TIMES)
    return Occurrence(schedule, start, start + draw(_TIMES))


@st.composite
def _overrides(draw: st.DrawFn) -> Override:
    kind = draw(st.sampled_from(["service", "policy"]))
    return Override(kind, draw(_NAMES), draw(_TIMES), **_amounts(draw, kind))


_OCCURRENCES = st.lists(_occurrences(), max_size=4)
_OVERRIDES = st.lists(_overrides(), max_size=3, unique_by=lambda each: each.key)
_OWN = st.dictionaries(_NAMES, st.tuples(_RATES, st.none()))


@given(
    st.lists(_container_plans(), max_size=2, unique_by=lambda plan: plan.service),
    _OCCURRENCES,
    _OVERRIDES,
)
@examples(0.5)
def test_containers_are_the_override_or_the_most_of_plan_and_schedules(
    plans: list[ContainerPlan], occurrences: list[Occurrence], overrides: list[Override]
) -> None:
    found = merge_containers(plans, occurrences, overrides, _NOW, _NOW + 20)
    for service in ("a", "b"):
        given_ = [
            each.containers or 0
            for each in overrides
            if (each.kind, each.name) == ("service", service) and each.until_ms > _NOW
        ]
        wanted = [
            plan.containers for plan in plans if plan.service == service and plan.until_ms > _NOW
        ] + [
            each.schedule.containers or 0
            for each in occurrences
            if each.schedule.service == service and each.until_ms > _NOW
        ]
        expected = given_ or wanted
        assert (service in found) == bool(expected)
        if expected:
            assert found[service].containers == max(expected)
            assert found[service].until_ms > _NOW


@given(st.lists(_rate_plans(), max_size=2, unique_by=lambda plan: plan.policy), _OCCURRENCES, _OWN)
@examples(0.5)
def test_rates_never_fall_by_a_schedule_and_guarantees_fit_limits(
    plans: list[RatePlan], occurrences: list[Occurrence], own: dict[str, Rates]
) -> None:
    alone = merge_rates(plans, [], _NOW, _NOW + 20, own=own)
    raised = merge_rates(plans, occurrences, _NOW, _NOW + 20, own=own)
    for policy, plan in alone.items():
        more = raised[policy]
        assert (more.max_bps or 0) >= (plan.max_bps or 0)
        assert (more.guaranteed_bps or 0) >= (plan.guaranteed_bps or 0)
    for plan in raised.values():
        assert plan.until_ms > _NOW
        if plan.max_bps is not None and plan.guaranteed_bps is not None:
            assert plan.guaranteed_bps <= plan.max_bps
