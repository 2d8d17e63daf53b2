"""The forecaster: mixing, calibration, guards, names that come and go."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from predictor.models.calibration import Calibration
from predictor.models.contract import QUANTILES
from predictor.models.experts import experts
from predictor.models.forecaster import NOBODY, Forecast, Forecaster
from predictor.models.pool import Pool
from predictor.series.window import Floats, Window

_MINUTE_MS = 60_000
_TOP = QUANTILES.index(0.95)
_MIDDLE = QUANTILES.index(0.5)


class _Says:
    """A model that always says the same."""

    def __init__(self, name: str, value: float) -> None:
        self.name = name
        self._value = value

    def forecast(
        self, window: Window, horizons: Sequence[int], quantiles: Sequence[float]
    ) -> Floats:
        return np.full((len(window.names), len(horizons), len(quantiles)), self._value)


def _window(values: Floats, end: int, names: tuple[str, ...] = ()) -> Window:
    """The first `end` steps; the last one ended `end` minutes after 1970."""
    called = names or tuple(f"service-{row}" for row in range(len(values)))
    return Window(called, 60.0, end * _MINUTE_MS, values[:, :end])


def _walk(forecaster: Forecaster, values: Floats, first: int, last: int) -> list[Forecast]:
    return [forecaster.step(_window(values, end)) for end in range(first, last + 1)]


def _loads(series: int, steps: int, seed: int = 0) -> Floats:
    random = np.random.default_rng(seed)
    surges = np.where(np.arange(steps) % 10 == 0, 5.0, 1.0)
    return random.poisson(8.0 * surges, (series, steps)).astype(np.float64)


def test_a_new_service_has_a_forecast_from_its_first_minute() -> None:
    forecaster = Forecaster()
    made = forecaster.step(_window(np.array([[6.0]]), 1))
    assert 6 <= made.quantile(0.95)[0, 0] <= 12
    assert made.chosen[0] in {each.name for each in experts()}


def test_without_any_sample_the_forecast_is_zero_and_nobodys() -> None:
    made = Forecaster().step(_window(np.full((1, 5), np.nan), 5))
    assert made.chosen == (NOBODY,)
    assert made.values.max() == 0


def test_no_service_is_no_error() -> None:
    assert Forecaster().step(_window(np.empty((0, 5)), 5)).values.shape == (0, 10, 5)


def test_the_model_that_is_right_is_chosen() -> None:
    forecaster = Forecaster(models=(_Says("low", 2.0), _Says("right", 20.0)))
    made = _walk(forecaster, np.full((3, 40), 20.0), 5, 40)[-1]
    assert made.chosen == ("right",) * 3
    assert made.values[:, :, _MIDDLE] == pytest.approx(np.full((3, 10), 20.0), rel=0.01)


def test_a_new_series_is_mixed_as_the_others_are_on_the_average() -> None:
    forecaster = Forecaster(models=(_Says("low", 2.0), _Says("right", 20.0)))
    _walk(forecaster, np.full((3, 40), 20.0), 5, 40)
    values = np.full((4, 41), 20.0)
    values[3, :40] = np.nan
    assert forecaster.step(_window(values, 41)).values[3, 0, _MIDDLE] > 15


def test_quantiles_are_exceeded_as_often_as_they_say() -> None:
    values = _loads(60, 230)
    forecaster = Forecaster()
    made = _walk(forecaster, values, 170, 220)
    came = np.array([values[:, end : end + 10] for end in range(170, 221)])
    told = np.array([each.quantile(0.95) for each in made])
    assert abs((came <= told).mean() - 0.95) < 0.02
    assert abs(forecaster.outcomes.coverage[0.95] - 0.95) < 0.03
    assert 0 < forecaster.outcomes.wape < 0.5


def test_a_model_that_is_far_too_low_is_lifted_by_calibration() -> None:
    values = np.random.default_rng(1).uniform(10, 20, (5, 120))
    made = _walk(Forecaster(models=(_Says("low", 1.0),)), values, 10, 120)
    assert (made[-1].quantile(0.95) > 15).all()


def test_no_forecast_is_above_twice_what_was_ever_seen() -> None:
    made = _walk(Forecaster(models=(_Says("mad", 1e9),)), np.full((2, 30), 3.0), 1, 30)
    assert max(each.values.max() for each in made) == 6.0


def test_what_comes_later_changes_no_earlier_forecast() -> None:
    values = _loads(4, 160)
    other = values.copy()
    other[:, 130:] = 900.0
    pair = [_walk(Forecaster(), each, 115, 135) for each in (values, other)]
    for step in range(16):
        assert np.array_equal(pair[0][step].values, pair[1][step].values)
    assert not np.array_equal(pair[0][16].values, pair[1][16].values)


def test_rows_are_matched_by_name() -> None:
    values = _loads(3, 150)
    straight, mixed = Forecaster(), Forecaster()
    order = [2, 0, 1]
    for end in range(100, 121):
        made = straight.step(_window(values, end))
        turned = [0, 1, 2] if end % 2 else order
        names = tuple(f"service-{row}" for row in turned)
        same = mixed.step(_window(values[turned], end, names))
        assert np.allclose(made.values[turned], same.values, rtol=1e-6)


def test_a_service_that_went_leaves_nothing_behind() -> None:
    values = _loads(2, 130)
    forecaster = Forecaster()
    _walk(forecaster, values, 100, 120)
    forecaster.step(_window(values[:1], 121))
    assert forecaster.calibration.offset.shape[0] == 1
    assert {len(rows) for rows in forecaster.pool.total.values()} == {1}
    made = forecaster.step(_window(values, 122))
    assert np.isfinite(made.values).all()


def test_steps_that_were_missed_are_learned_from_later() -> None:
    values = _loads(3, 150)
    forecaster = Forecaster()
    forecaster.step(_window(values, 100))
    forecaster.step(_window(values, 105))
    assert forecaster.outcomes.count == pytest.approx(15, rel=0.1)


def test_the_same_window_again_teaches_nothing() -> None:
    values = _loads(3, 150)
    forecaster = Forecaster()
    first = forecaster.step(_window(values, 100))
    again = forecaster.step(_window(values, 100))
    assert np.array_equal(first.values, again.values)
    assert forecaster.outcomes.count == 0


def test_a_clock_that_went_back_is_no_error() -> None:
    values = _loads(2, 150)
    forecaster = Forecaster()
    _walk(forecaster, values, 100, 120)
    made = forecaster.step(_window(values, 60))
    assert np.isfinite(made.values).all()
    _walk(forecaster, values, 61, 75)
    assert len(forecaster.told) <= 10


def test_unknown_loads_teach_nothing() -> None:
    values = _loads(2, 150)
    values[0, 110:] = np.nan
    forecaster = Forecaster()
    _walk(forecaster, values, 100, 111)
    offset = forecaster.calibration.offset[0].copy()
    made = _walk(forecaster, values, 112, 125)[-1]
    assert np.array_equal(forecaster.calibration.offset[0], offset)
    assert np.isfinite(made.values).all()


def test_a_model_that_is_adopted_replaces_the_one_of_its_name() -> None:
    forecaster = Forecaster(models=(_Says("one", 1.0), _Says("two", 1.0)))
    forecaster.adopt(_Says("two", 5.0))
    forecaster.adopt(_Says("three", 5.0))
    assert [each.name for each in forecaster.models] == ["one", "two", "three"]
    assert np.isfinite(forecaster.step(_window(_loads(2, 20), 20)).values).all()


def test_an_unknown_quantile_is_refused_by_name() -> None:
    made = Forecaster().step(_window(_loads(1, 20), 20))
    with pytest.raises(ValueError, match=r"0\.75"):
        made.quantile(0.75)


def test_weights_of_a_pool_add_up_to_one() -> None:
    pool = Pool((1, 5), QUANTILES)
    pool.align(np.full(3, -1))
    forecasts = {"a": np.full((3, 5), 4.0), "b": np.full((3, 5), 9.0)}
    pool.update(0, forecasts, np.array([4.0, 9.0, np.nan]))
    weights = pool.weights(("a", "b", "c"))
    assert np.allclose(weights.sum(axis=0), 1.0)
    assert weights[0, 0, 0, _TOP] > weights[1, 0, 0, _TOP]
    assert weights[1, 1, 0, _TOP] > weights[0, 1, 0, _TOP]


def test_an_offset_does_not_wind_up_below_zero() -> None:
    calibration = Calibration.fresh(1, 1, QUANTILES)
    calibration.measure(np.zeros(1), np.ones(1))
    for _ in range(1000):
        told = np.maximum(calibration.apply(np.full((1, 1, 5), 0.2)), 0)
        calibration.update(0, told[:, 0], np.zeros(1))
    assert calibration.offset.min() > -0.3
