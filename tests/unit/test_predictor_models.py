"""The contract that every model keeps: the light experts, the global model, the referees."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from predictor.models.contract import HORIZONS, QUANTILES, Model
from predictor.models.experts import experts
from predictor.models.global_model import fit
from predictor.replay.referees import SeasonalNaive
from predictor.series.window import Floats, Window

_HOUR_MS = 3_600_000


@cache
def _models() -> dict[str, Model]:
    random = np.random.default_rng(3)
    learned = fit([_window(_periodic(random, 20, 90))], HORIZONS, QUANTILES, rows=600)
    return {each.name: each for each in (*experts(), learned, SeasonalNaive())}


NAMES = [*(each.name for each in experts()), "global", "seasonal naive"]


def _window(values: Floats, step_s: float = 60.0) -> Window:
    rows = np.atleast_2d(np.asarray(values, dtype=np.float64))
    names = tuple(f"service-{row}" for row in range(len(rows)))
    return Window(names, step_s, 500_000 * _HOUR_MS, rows)


def _periodic(random: np.random.Generator, count: int, steps: int) -> Floats:
    place = np.arange(steps) % random.choice([5, 10, 30], (count, 1))
    level = 10 ** random.uniform(0, 3, (count, 1))
    return random.poisson(level * np.where(place == 0, 3.0, 0.3)).astype(np.float64)


def _forecast(name: str, values: Floats) -> Floats:
    return _models()[name].forecast(_window(values), HORIZONS, QUANTILES)


def _is_sound(made: Floats, series: int) -> bool:
    shape = made.shape == (series, len(HORIZONS), len(QUANTILES))
    rising = bool((np.diff(made, axis=2) >= 0).all())
    return shape and rising and bool(np.isfinite(made).all() and (made >= 0).all())


def test_every_expert_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 7, 61, 1600])
def test_any_length_gives_sound_quantiles(name: str, steps: int) -> None:
    values = _periodic(np.random.default_rng(steps), 3, max(steps, 1))[:, :steps]
    assert _is_sound(_forecast(name, values), 3)


@pytest.mark.parametrize("name", NAMES)
def test_no_series_give_an_empty_forecast(name: str) -> None:
    assert _is_sound(_forecast(name, np.empty((0, 50))), 0)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_load_gives_sound_quantiles(name: str) -> None:
    values = np.full((6, 100), 4.0)
    values[0] = np.nan
    values[1, :60] = np.nan
    values[2, ::3] = np.nan
    values[3, -20:] = np.nan
    values[4, 50] = np.inf
    values[5, 50:] = -7.0
    assert _is_sound(_forecast(name, values), 6)


@pytest.mark.parametrize("name", NAMES)
def test_zeros_stay_zero(name: str) -> None:
    assert _forecast(name, np.zeros((2, 200))).max() == 0


@pytest.mark.parametrize("name", NAMES)
def test_one_sample_gives_a_forecast_of_its_size(name: str) -> None:
    made = _forecast(name, np.array([[8.0]]))
    assert 0 < made[0, 0, QUANTILES.index(0.95)] < 100


@pytest.mark.parametrize("name", [each for each in NAMES if each != "global"])
def test_a_constant_load_is_forecast_as_it_is(name: str) -> None:
    made = _forecast(name, np.full((1, 200), 12.0))
    assert np.allclose(made, 12.0)


def test_the_global_model_forecasts_a_constant_load_nearly_as_it_is() -> None:
    middle = _forecast("global", np.full((1, 200), 12.0))[0, :, QUANTILES.index(0.5)]
    assert middle.min() > 1
    assert middle.max() < 40


@pytest.mark.parametrize("name", [each for each in NAMES if each != "global"])
def test_the_unit_does_not_matter(name: str) -> None:
    values = _periodic(np.random.default_rng(1), 4, 300)
    made, thousandfold = _forecast(name, values), _forecast(name, 1000 * values)
    assert np.allclose(1000 * made, thousandfold, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_huge_loads_stay_finite(name: str) -> None:
    values = np.full((2, 100), 1e14)
    values[1, ::2] = 1e300
    assert _is_sound(_forecast(name, values), 2)


@pytest.mark.parametrize("name", NAMES)
def test_the_future_changes_nothing(name: str) -> None:
    values = _periodic(np.random.default_rng(2), 3, 300)
    other = values.copy()
    other[:, 200:] = 1e6
    model = _models()[name]
    made, same = (
        model.forecast(_window(each).before(100), HORIZONS, QUANTILES) for each in (values, other)
    )
    assert np.array_equal(made, same)


@pytest.mark.parametrize("name", NAMES)
def test_a_series_does_not_depend_on_its_neighbours(name: str) -> None:
    values = _periodic(np.random.default_rng(4), 5, 200)
    together = _forecast(name, values)
    assert np.allclose(together[2], _forecast(name, values[2:3])[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_window_is_left_as_it_was(name: str) -> None:
    values = _periodic(np.random.default_rng(5), 3, 100)
    values[0, 10:20] = np.nan
    before = values.copy()
    _forecast(name, values)
    assert np.array_equal(values, before, equal_nan=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("horizons", "quantiles"), [((), (0.5,)), ((0,), (0.5,)), ((1,), ()), ((1,), (0.9, 0.5))]
)
def test_senseless_requests_are_refused(
    name: str, horizons: tuple[int, ...], quantiles: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match=r"horizons|quantiles"):
        _models()[name].forecast(_window(np.ones((1, 90))), horizons, quantiles)


@pytest.mark.parametrize("name", ["picked period", "period mean"])
def test_a_period_is_found_in_each_series(name: str) -> None:
    values = np.zeros((2, 300))
    values[0, ::10] = 50.0
    values[1, ::15] = 20.0
    median = _forecast(name, values)[:, :, QUANTILES.index(0.5)]
    assert median[0].tolist() == [50.0 if (299 + h) % 10 == 0 else 0.0 for h in HORIZONS]
    assert median[1].tolist() == [20.0 if (299 + h) % 15 == 0 else 0.0 for h in HORIZONS]


def test_a_day_before_is_followed_at_the_level_of_now() -> None:
    day = np.concatenate([np.full(720, 10.0), np.full(720, 30.0)])
    values = np.concatenate([day, 2 * day[:719]])  # the next step is the first of 60
    median = _forecast("day before", values)[0, :, QUANTILES.index(0.5)]
    assert median[0] == pytest.approx(20.0)
    assert median[1:] == pytest.approx(np.full(9, 60.0))
