"""Whatever demand looks like, plans are finite, bounded, and not made of missing data."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nib.prewarm import Scaling
from predictor.models.lead import LeadModel
from predictor.planning.capacity import (
    MOST_OVER_OBSERVED,
    Capacity,
    Expected,
    Limits,
    known_until,
)
from predictor.replay.statistics import ratio_interval
from predictor.series.window import Floats, Window

NOW_MS = 1_700_000_000_000
SAMPLES = st.one_of(
    st.floats(0, 500),
    st.sampled_from([0.0, 1.0, float("nan"), float("inf"), -1.0, 1e12, 1e-300]),
)
ROWS = st.lists(SAMPLES, max_size=90)
QUANTILES = st.floats(0.5, 0.999)


def window(row: list[float], copies: int = 1, end_ms: int = NOW_MS) -> Window:
    values: Floats = np.array([row] * copies, dtype=np.float64).reshape(copies, len(row))
    return Window(tuple(f"s{i}" for i in range(copies)), 1.0, end_ms, values)


@given(ROWS, QUANTILES, st.one_of(st.floats(0, 300), st.just(float("nan"))))
def test_any_demand_has_a_finite_forecast(row: list[float], quantile: float, lead_s: float) -> None:
    lead = LeadModel().step(window(row, 2), lead_s, quantile)
    assert np.isfinite(lead.demand).all()
    assert (lead.demand >= 0).all()
    assert lead.demand[0] == lead.demand[1]


@given(ROWS, QUANTILES, st.floats(0, 1e18), st.floats(0, 1e18), st.integers(1, 50))
def test_a_plan_is_bounded_by_a_multiple_of_what_was_observed(
    row: list[float], quantile: float, minute: float, boost: float, concurrency: int
) -> None:
    seen = window(row)
    lead = LeadModel().step(seen, 3.0, quantile)
    scaling = Scaling("s0", concurrency=concurrency, target_percent=100, max_containers=10_000)
    expected = Expected(
        lead.now, lead.demand, lead.most, known_until(seen), np.array([minute]), np.array([boost])
    )
    plan = Capacity().step(seen.names, expected, Limits.of([scaling]), NOW_MS)
    good = [sample for sample in row if np.isfinite(sample) and sample >= 0]
    most = max(good, default=0.0)
    bound = max(1.0, np.ceil(MOST_OVER_OBSERVED * most / concurrency))
    assert 0 <= plan.containers[0] <= min(bound, 10_000)


@given(st.floats(1, 500), st.integers(1, 3600), QUANTILES)
def test_missing_data_never_lowers_a_plan(load: float, seconds: int, quantile: float) -> None:
    model, capacity, limits = LeadModel(), Capacity(), Limits.of([Scaling("s0")])
    row = [load] * 60
    plans = []
    for missing in (0, seconds):
        end_ms = NOW_MS + missing * 1000
        seen = window(([*row] + [float("nan")] * missing)[-120:], end_ms=end_ms)
        lead = model.step(seen, 3.0, quantile)
        expected = Expected(lead.now, lead.demand, lead.most, known_until(seen))
        plans.append(capacity.step(seen.names, expected, limits, end_ms))
    before, after = plans
    assert after.containers[0] >= before.containers[0] >= 1
    assert bool(after.stale[0]) == (seconds >= 15)


@given(ROWS, st.integers(1, 30))
def test_a_forecast_does_not_depend_on_what_comes_later(row: list[float], later: int) -> None:
    whole = window([*row, *([77.0] * later)])
    at_once = LeadModel().step(window(row, end_ms=NOW_MS - later * 1000), 3.0, 0.9)
    of_whole = LeadModel().step(whole.before(later), 3.0, 0.9)
    assert at_once.demand[0] == of_whole.demand[0]


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 100)), min_size=1, max_size=30),
    st.integers(0, 9),
)
def test_an_interval_is_in_order(pairs: list[tuple[int, int]], seed: int) -> None:
    above, below = np.array(pairs, dtype=np.float64).T
    interval = ratio_interval(above, below, np.random.default_rng(seed), draws=200)
    assert 0 <= interval.low <= interval.high
    assert above.min() / below.max() <= interval.value <= above.max() / below.min() + 1e-9
