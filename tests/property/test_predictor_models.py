"""Whatever the samples: forecasts are sound, bounded by what was seen, and know no future."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from predictor.models.contract import QUANTILES
from predictor.models.experts import experts
from predictor.models.forecaster import Forecaster
from predictor.models.guards import FACTOR, largest
from predictor.series.window import Floats, Window
from tests.nib_strategies import examples

_HORIZONS = (1, 3, 10)
_SAMPLES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(0, 50).map(float),
    st.just(0.0),
)
_VALUES = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=40).map(lambda s: (s[0] % 4, s[1])),
    elements=_SAMPLES,
    fill=st.just(3.0),
)


def _window(values: Floats, end: int) -> Window:
    names = tuple(f"service-{row}" for row in range(len(values)))
    return Window(names, 60.0, end * 60_000, values[:, :end])


@given(_VALUES)
@examples(1.5)
def test_every_expert_is_sound_and_leaves_the_samples_alone(values: Floats) -> None:
    before = values.copy()
    window = _window(values, values.shape[1])
    for expert in experts():
        made = expert.forecast(window, _HORIZONS, QUANTILES)
        assert made.shape == (len(values), len(_HORIZONS), len(QUANTILES))
        assert np.isfinite(made).all()
        assert (made >= 0).all()
        assert (np.diff(made, axis=2) >= 0).all()
    assert np.array_equal(values, before, equal_nan=True)


@given(_VALUES)
def test_a_forecast_is_bounded_by_a_multiple_of_what_was_seen(values: Floats) -> None:
    forecaster = Forecaster(_HORIZONS)
    for end in range(max(values.shape[1] - 6, 1), values.shape[1] + 1):
        window = _window(values, end)
        made = forecaster.step(window).values
        ceiling = FACTOR * np.nan_to_num(largest(window))
        assert np.isfinite(made).all()
        assert (made >= 0).all()
        assert (np.diff(made, axis=2) >= 0).all()
        assert (made <= ceiling[:, None, None]).all()


@given(_VALUES, st.integers(1, 39), st.floats(0, 1e6))
def test_changing_the_future_changes_nothing(values: Floats, now: int, later: float) -> None:
    now = min(now, values.shape[1])
    other = values.copy()
    other[:, now:] = later
    made = []
    for each in (values, other):
        forecaster = Forecaster(_HORIZONS)
        steps = range(max(now - 5, 1), now + 1)
        made.append([forecaster.step(_window(each, end)).values for end in steps][-1])
    assert np.array_equal(made[0], made[1])
