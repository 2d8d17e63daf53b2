"""The back-tests of keep-alive and of provisioned rates."""

from __future__ import annotations

import json

import numpy as np
import pytest

from predictor.replay.keepers import FixedKeepAlive, HybridHistogram, OurKeepAlive
from predictor.replay.long_tail import OURS, REFERENCE, TailPoint, run
from predictor.replay.rates import RateSetting, provisioned
from predictor.replay.rates import run as run_rates
from predictor.series.window import Floats, Window


def counts(values: Floats) -> Window:
    return Window(tuple(f"s{i}" for i in range(len(values))), 60.0, 0, values)


def periodic(services: int, steps: int, period: int) -> Floats:
    phases = np.arange(services)[:, None] * 7
    return np.asarray((np.arange(steps) + phases) % period == 0, np.float64)


def test_periodic_services_are_met_warm_at_a_fraction_of_the_waste() -> None:
    result = run(counts(periodic(20, 300, 15)), thresholds=(0.25,))
    points = {point.policy: point for point in result.points}
    ours = points[f"{OURS} 0.25"]
    assert points[REFERENCE].waste.value == 1.0
    assert points[REFERENCE].mean_cold.value == 1.0
    assert points["fixed 60 min"].mean_cold.value == 0.0
    assert ours.mean_cold.value < 0.05
    assert ours.waste.value < 0.5


def test_a_higher_threshold_trades_cold_steps_for_less_waste() -> None:
    calls = (np.random.default_rng(1).random((40, 240)) < 0.04).astype(np.float64)
    ours = [p for p in run(counts(calls), thresholds=(0.1, 0.5, 2.0)).points if p.threshold]
    assert [p.waste.value for p in ours] == sorted((p.waste.value for p in ours), reverse=True)
    assert [p.mean_cold.value for p in ours] == sorted(p.mean_cold.value for p in ours)
    assert all(_ordered(point) for point in ours)


def _ordered(point: TailPoint) -> bool:
    each = (point.p75_cold, point.mean_cold, point.waste)
    return all(figure.low <= figure.high for figure in each)


def test_idle_steps_are_counted_to_the_very_end() -> None:
    """Calls in two steps, 28 before the end: 10 idle steps by the fixed keep-alive of 10."""
    calls = np.zeros((1, 100))
    calls[0, 70:72] = 1
    points = {point.policy: point for point in run(counts(calls), thresholds=(1.0,)).points}
    assert points["fixed 60 min"].waste.value == pytest.approx(28 / 10)


def test_weights_say_how_many_services_one_stands_for() -> None:
    calls = np.stack([periodic(1, 240, 5)[0], periodic(1, 240, 40)[0]])
    equal = run(counts(calls), thresholds=(1.0,)).points[0]
    heavy = run(counts(calls), np.array([1.0, 9.0]), thresholds=(1.0,)).points[0]
    assert equal.mean_cold.value == pytest.approx(0.5)
    assert heavy.mean_cold.value == pytest.approx(0.9)


def test_a_back_test_without_calls_to_score_is_refused() -> None:
    with pytest.raises(ValueError, match="no service has a call"):
        run(counts(np.zeros((3, 50))))


def test_no_keeper_sees_the_step_that_it_scores() -> None:
    calls = np.random.default_rng(2).random((20, 150)) < 0.1
    other = calls.copy()
    other[:, 100:] = ~other[:, 100:]
    for made in (
        lambda: FixedKeepAlive(20, 10),
        lambda: HybridHistogram(20, 60),
        lambda: OurKeepAlive(tuple(map(str, range(20))), 60.0),
    ):
        courses = []
        for told in (calls, other):
            keeper = made()
            scores = []
            for step in range(101):
                scores.append(keeper.score())
                keeper.observe(told[:, step])
            courses.append(np.stack(scores))
        np.testing.assert_array_equal(courses[0], courses[1])


def test_the_hybrid_histogram_unloads_and_is_back_before_the_usual_gap() -> None:
    keeper = HybridHistogram(1, 240)
    course = []
    for step in range(30 * 8):
        course.append(keeper.score()[0])
        keeper.observe(np.array([step % 30 == 0]))
    last = course[-29:]
    assert [last[0], last[20], last[28]] == [0.0, 0.0, 1.0]


def bits(values: Floats) -> Window:
    return Window(tuple(f"p{i}" for i in range(len(values))), 300.0, 10**9, values)


def test_violations_worst_pair_and_idle_are_what_they_say() -> None:
    """Pair 0 doubles in every second step, pair 1 is constant; last x 1.5."""
    loads = np.full((2, 200), 2e6)
    loads[0, 1::2] = 4e6
    point = run_rates(bits(loads), settings=()).points[0]
    assert point.policy == "last x 1.5"
    assert point.violations.value == pytest.approx(0.25)
    assert point.worst.value == pytest.approx(0.5)
    assert point.idle.value == pytest.approx((4 * 0.5 + 1 * 1) / (3 + 2))


def test_a_result_is_json_and_has_every_policy() -> None:
    loads = np.random.default_rng(3).lognormal(16, 0.3, (4, 60))
    settings = (RateSetting(900), RateSetting(990, spread=1.0))
    result = json.loads(json.dumps(run_rates(bits(loads), settings=settings).as_json()))
    assert [p["policy"] for p in result["points"]][2:] == ["quantile .900", "quantile .990, even"]
    assert [p["ours"] for p in result["points"]] == [False, False, True, True]


def test_no_rate_sees_the_step_that_it_is_for() -> None:
    loads = np.random.default_rng(4).lognormal(16, 0.3, (5, 40))
    other = loads.copy()
    other[:, 30:] *= 5
    rates = [provisioned(bits(each), RateSetting()) for each in (loads, other)]
    np.testing.assert_array_equal(rates[0][:, 1:31], rates[1][:, 1:31])
    assert (rates[0][:, 31:] != rates[1][:, 31:]).any()


def test_a_back_test_without_load_to_score_is_refused() -> None:
    with pytest.raises(ValueError, match="no load"):
        run_rates(bits(np.zeros((2, 20))), settings=())
