"""From demand to the lead time's quantile, and from that to containers."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import ArrayLike

from nib.plans import SOURCES
from nib.prewarm import Scaling
from predictor.models.lead import LeadModel
from predictor.models.lead_cycle import find_periods
from predictor.planning.capacity import Capacities, Capacity, Expected, Limits, known_until
from predictor.series.window import Floats, Window

START_MS = 1_700_000_000_000


def window(values: ArrayLike, names: tuple[str, ...] = ("web",), end_ms: int = START_MS) -> Window:
    return Window(names, 1.0, end_ms, np.atleast_2d(np.asarray(values, dtype=np.float64)))


def expected(now: float, lead: float, most: float = 100.0, known_ms: int = START_MS) -> Expected:
    return Expected(
        np.array([now]), np.array([lead]), np.array([most]), np.array([known_ms], dtype=np.int64)
    )


def planned(
    capacity: Capacity, at: Expected, scaling: Scaling, now_ms: int = START_MS
) -> Capacities:
    return capacity.step(("web",), at, Limits.of([scaling]), now_ms)


def surges(period: int, length: int, height: float, steps: int) -> Floats:
    return np.where(np.arange(steps) % period < length, height, 0.0)


def test_a_steady_poisson_load_has_room_for_its_noise_and_little_more() -> None:
    load = np.random.default_rng(1).poisson(50.0, 300)
    lead = LeadModel().step(window(load), 3.0, 0.99)
    assert 60 < lead.demand[0] < 85


def test_a_constant_load_needs_hardly_more_than_itself() -> None:
    lead = LeadModel().step(window(np.full(300, 10.0)), 3.0, 0.99)
    assert 10.0 <= lead.demand[0] < 12.5


def test_a_higher_quantile_never_asks_for_less() -> None:
    load = np.random.default_rng(1).poisson(20.0, 300)
    demands = [LeadModel().step(window(load), 3.0, q).demand[0] for q in (0.5, 0.9, 0.99, 0.999)]
    assert demands == sorted(demands)


def test_growth_is_followed_ahead_of_the_load() -> None:
    lead = LeadModel().step(window(np.arange(60) * 2.0), 5.0, 0.9)
    assert lead.demand[0] > 118.0 + 5.0


@pytest.mark.parametrize("period", [30, 47, 120])
def test_surges_are_expected_before_they_come_after_three_of_them(period: int) -> None:
    load = surges(period, 5, 8.0, 4 * period)
    model = LeadModel()
    before = model.step(window(load[: 3 * period - 3]), 3.0, 0.99, None)
    assert before.period_s[0] == pytest.approx(period)
    assert before.demand[0] >= 8.0


def test_between_surges_of_a_learned_period_less_is_expected() -> None:
    load = surges(120, 5, 8.0, 540)
    lead = LeadModel().step(window(load), 3.0, 0.9)
    assert lead.demand[0] < 8.0


def _every(period: int, *each: list[int]) -> Floats:
    """Surges, the first at once and one a period."""
    return np.concatenate([np.pad(np.array(one, float), (0, period - len(one))) for one in each])


def test_a_first_surge_that_piled_up_does_not_hide_that_those_after_it_are_alike() -> None:
    base = np.resize([0.1, 0.6, 0.9, 0.4, 0.8], 137)
    base[:16] = 0.1
    first, then = [3, 9, 11, 11, 17, 18, 9, 4], [3, 5, 5, 5, 6, 5, 4, 1]
    load = np.maximum(base, np.concatenate((np.zeros(17), _every(30, first, then, then, then))))
    lead = LeadModel().step(window(load[:-12]), 5.0, 0.99)
    assert lead.period_s[0] == pytest.approx(30, abs=1)
    assert lead.demand[0] < 3.0


def test_noise_has_no_period() -> None:
    noise = np.random.default_rng(2).poisson(5.0, (20, 900)).astype(np.float64)
    assert not find_periods(noise)[0].any()


def test_late_metrics_make_the_lead_longer() -> None:
    load = surges(60, 5, 8.0, 60 * 5 - 12)
    on_time = LeadModel().step(window(load), 3.0, 0.9, None, START_MS)
    late = LeadModel().step(window(load), 3.0, 0.9, None, START_MS + 10_000)
    assert on_time.demand[0] < 8.0 <= late.demand[0]


def test_a_service_keeps_what_was_learned_while_others_come_and_go() -> None:
    model = LeadModel()
    load = surges(60, 5, 8.0, 300 - 2)
    model.step(window(load), 3.0, 0.99)
    both = np.stack((np.zeros(load.size), load))
    lead = model.step(window(both, ("new", "web")), 3.0, 0.99)
    assert lead.period_s[1] == 60.0
    assert lead.demand[1] >= 8.0
    assert lead.demand[0] == 0.0


def test_containers_are_demand_over_what_one_takes() -> None:
    scaling = Scaling("web", concurrency=10, target_percent=70)
    plan = planned(Capacity(), expected(3.0, 30.0), scaling)
    assert plan.containers[0] == 5
    assert plan.source(0) == "forecast"


def test_a_container_that_takes_one_request_is_full_with_it() -> None:
    assert planned(Capacity(), expected(3.0, 3.0), Scaling("web")).containers[0] == 3


def test_the_load_of_now_is_the_floor_when_more_than_what_is_forecast() -> None:
    plan = planned(Capacity(), expected(9.0, 2.0), Scaling("web"))
    assert (plan.containers[0], plan.source(0)) == (9, "load")


def test_a_need_is_held_and_then_given_back() -> None:
    capacity, scaling, counts = Capacity(), Scaling("web", hold_seconds=20), []
    planned(capacity, expected(5.0, 5.0, known_ms=START_MS), scaling)
    for second in range(1, 30):
        now_ms = START_MS + second * 1000
        plan = planned(capacity, expected(0.0, 0.0, known_ms=now_ms), scaling, now_ms)
        counts.append(int(plan.containers[0]))
    assert counts[18] == 5
    assert counts[-1] == 0


def test_limits_win_and_say_so() -> None:
    scaling = Scaling("web", min_containers=2, max_containers=4)
    low = planned(Capacity(), expected(0.0, 0.0), scaling)
    high = planned(Capacity(), expected(9.0, 9.0), scaling)
    assert (low.containers[0], low.source(0)) == (2, "limit")
    assert (high.containers[0], high.source(0)) == (4, "limit")


def test_missing_metrics_keep_the_plan_and_make_it_stale() -> None:
    capacity, scaling = Capacity(), Scaling("web", hold_seconds=0)
    planned(capacity, expected(5.0, 5.0), scaling)
    soon = planned(capacity, expected(0.0, 0.0), scaling, START_MS + 2_000)
    later = planned(capacity, expected(0.0, 0.0), scaling, START_MS + 600_000)
    assert (soon.containers[0], bool(soon.stale[0])) == (5, False)
    assert (later.containers[0], bool(later.stale[0])) == (5, True)


def test_metrics_that_come_back_end_the_keeping() -> None:
    capacity, scaling = Capacity(), Scaling("web", hold_seconds=0)
    planned(capacity, expected(5.0, 5.0), scaling)
    planned(capacity, expected(0.0, 0.0), scaling, START_MS + 60_000)
    now_ms = START_MS + 61_000
    plan = planned(capacity, expected(0.0, 0.0, known_ms=now_ms), scaling, now_ms)
    assert (plan.containers[0], bool(plan.stale[0])) == (0, False)


def test_a_successor_keeps_what_its_predecessor_planned_until_metrics_come() -> None:
    capacity, scaling = Capacity(), Scaling("web")
    capacity.remember({"web": 7})
    plan = planned(capacity, expected(0.0, 0.0, known_ms=0), scaling)
    assert plan.containers[0] == 7


def test_a_likely_call_keeps_one_container_and_a_parent_brings_more() -> None:
    nothing = expected(0.0, 0.0)
    fields = (nothing.now, nothing.lead, nothing.most, nothing.known_ms)
    warm = planned(Capacity(), Expected(*fields, warm=np.array([True])), Scaling("web"))
    boosted = planned(Capacity(), Expected(*fields, boost=np.array([6.0])), Scaling("web"))
    assert (warm.containers[0], warm.source(0)) == (1, "keep-alive")
    assert (boosted.containers[0], boosted.source(0)) == (6, "dependency")
    assert "parent" in boosted.reason(0)


def test_every_reason_is_a_text_and_every_source_one_of_the_plan_s() -> None:
    plan = planned(Capacity(), expected(1.0, 2.0), Scaling("web"))
    for why in range(9):
        plan.why[0] = why
        plan.because[0] = 0 if plan.source(0) == "limit" else why
        assert plan.reason(0)
        assert plan.source(0) in SOURCES


def test_a_plan_at_its_limit_tells_what_asked_for_more() -> None:
    plan = planned(Capacity(), expected(1.0, 9.0), Scaling("web", max_containers=4))
    assert (plan.containers[0], plan.source(0)) == (4, "limit")
    assert plan.reason(0) == "at most 4 of 9: up to 9.0 within the lead time, 1 a container"


def test_the_last_known_step_is_where_metrics_end() -> None:
    values = np.array([[1.0, np.nan, np.nan], [1.0, 1.0, 1.0], [np.nan, np.nan, np.nan]])
    until = known_until(window(values, ("a", "b", "c")))
    assert until.tolist() == [START_MS - 2000, START_MS, 0]
