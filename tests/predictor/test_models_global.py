"""The global model and its refits."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pytest

from predictor.models.contract import HORIZONS, QUANTILES
from predictor.models.features import features
from predictor.models.global_model import GlobalModel, examples, fit
from predictor.models.refit import Refit, drawn
from predictor.series.window import Floats, Window
from tests.waiting import until

_TOP = QUANTILES.index(0.95)


def _loads(series: int, steps: int, seed: int = 0) -> Floats:
    random = np.random.default_rng(seed)
    level = 10 ** random.uniform(0.5, 2.5, (series, 1))
    surges = np.where(np.arange(steps) % 10 == 0, 5.0, 1.0)
    return random.poisson(level * surges).astype(np.float64)


def _window(values: Floats) -> Window:
    names = tuple(f"service-{row}" for row in range(len(values)))
    return Window(names, 60.0, values.shape[1] * 60_000, values)


@cache
def _learned() -> GlobalModel:
    return fit([_window(_loads(20, 200))], HORIZONS, QUANTILES, rows=2_000)


def test_a_surge_is_forecast_for_services_it_never_saw() -> None:
    values = _loads(10, 245, seed=9)  # the next surge is in step 250: six ahead
    made = _learned().forecast(_window(values), HORIZONS, QUANTILES)[:, :, _TOP]
    assert (made[:, 5] > 2 * made[:, 3]).mean() > 0.8


def test_its_bytes_forecast_the_same() -> None:
    window = _window(_loads(5, 100))
    back = GlobalModel.from_bytes(_learned().to_bytes())
    made, same = (each.forecast(window, HORIZONS, QUANTILES) for each in (_learned(), back))
    assert np.array_equal(made, same)


@pytest.mark.parametrize("data", [b"", b"{}", b'{"quantiles": [0.5], "trees": ["no tree"]}'])
def test_bytes_of_something_else_are_no_model(data: bytes) -> None:
    with pytest.raises(ValueError, match="no global model"):
        GlobalModel.from_bytes(data)


def test_the_same_seed_makes_the_same_examples() -> None:
    windows = [_window(_loads(8, 120))]
    x, y = examples(windows, HORIZONS, 5, 500)
    same_x, same_y = examples(windows, HORIZONS, 5, 500)
    assert np.array_equal(x, same_x, equal_nan=True)
    assert np.array_equal(y, same_y)
    assert len(y) > 100


def test_examples_know_what_came_and_features_do_not() -> None:
    values = _loads(4, 200)
    x, scale = features(_window(values).before(20), (1, 7))
    later = values.copy()
    later[:, 180:] = 0.0
    same, _ = features(_window(later).before(20), (1, 7))
    assert np.array_equal(x, same, equal_nan=True)
    assert (scale > 0).all()


def test_a_new_series_is_not_taken_for_a_small_one() -> None:
    values = np.full((2, 300), 20.0)
    values[1, :-2] = np.nan
    assert features(_window(values), (1,))[1].tolist() == [20.0, 20.0]


@pytest.mark.parametrize("values", [np.empty((0, 100)), np.zeros((5, 200)), np.ones((3, 12))])
def test_too_little_to_learn_from_is_refused(values: Floats) -> None:
    with pytest.raises(ValueError, match="too few"):
        fit([_window(values)], HORIZONS, QUANTILES)


def test_quantiles_between_its_own_are_between_their_values() -> None:
    window = _window(_loads(5, 100))
    own = _learned().forecast(window, (1, 5), QUANTILES)
    made = _learned().forecast(window, (1, 5), (0.93, 0.95, 0.999))
    assert (own[:, :, 2] <= made[:, :, 0]).all()
    assert (made[:, :, 0] <= own[:, :, _TOP]).all()
    assert np.allclose(made[:, :, 1], own[:, :, _TOP])


def test_a_refit_learns_from_some_series_where_there_are_many() -> None:
    many = _window(np.ones((3_000, 4)))
    some = drawn(many, 1)
    assert len(some.names) == len(set(some.names)) == 1_000
    assert drawn(many, 2).names != some.names


def test_a_refit_is_taken_once_and_the_next_starts_when_due() -> None:
    with ThreadPoolExecutor(1) as workers:
        refit = Refit(every_s=900, workers=workers)
        window = _window(_loads(10, 70))
        assert refit.tick(window, now_s=100.0) is None
        assert refit.running
        made = until(lambda: refit.tick(window, 101.0), bool, "the refit is taken")
        assert made is not None
        assert refit.error == ""
        assert refit.age_s(160.0) == 60.0
        assert refit.tick(window, now_s=900.0) is None
        assert not refit.running
        refit.tick(window, now_s=1_000.0)
        assert refit.running


class _Broken:
    """A pool whose work fails, as a cluster that lost its worker."""

    def submit(self, work: Callable[..., Any], /, *args: Any) -> Future[Any]:
        del work, args
        failed: Future[Any] = Future()
        failed.set_exception(RuntimeError("the worker is gone"))
        return failed


def test_a_failed_refit_says_why_and_leaves_the_model_alone() -> None:
    refit = Refit(every_s=900, workers=_Broken())
    window = _window(_loads(5, 70))
    refit.tick(window, 0.0)
    assert refit.tick(window, 1.0) is None
    assert "the worker is gone" in refit.error
    assert refit.age_s(5.0) is None


def test_a_window_too_short_starts_no_refit() -> None:
    refit = Refit(workers=_Broken())
    refit.tick(_window(_loads(5, 20)), 0.0)
    assert not refit.running
    assert refit.error == ""
