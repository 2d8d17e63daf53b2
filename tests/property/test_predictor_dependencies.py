"""Boosts stay within bounds, and learning survives any samples."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nib.plans import Dependency
from predictor.dependencies.boost import boost
from predictor.dependencies.learner import Learner
from predictor.series.window import Window
from tests.nib_strategies import examples

_NAMES = ("a", "b", "c", "d")
_ODD = (0.0, float("nan"), float("inf"), float("-inf"), -5.0, 1e300, 1e-300)


@st.composite
def windows(draw: st.DrawFn, most_steps: int = 40) -> Window:
    """Of four services, of busy, rare and silent load, with odd samples among them."""
    steps = draw(st.integers(0, most_steps))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = [draw(st.sampled_from([0.0, 0.05, 3.0, 1e4])) for _ in _NAMES]
    values = rng.poisson(np.array(levels)[:, np.newaxis], (len(_NAMES), steps)).astype(np.float64)
    share = draw(st.sampled_from([0.0, 0.05, 1.0]))
    odd = rng.random(values.shape) < share
    return Window(_NAMES, 1.0, 0, np.where(odd, rng.choice(_ODD, values.shape), values))


@st.composite
def dependencies(draw: st.DrawFn) -> list[Dependency]:
    """Any, in circles too."""
    pairs = draw(
        st.lists(
            st.tuples(st.sampled_from(_NAMES), st.sampled_from(_NAMES)), max_size=8, unique=True
        )
    )
    return [
        Dependency(
            parent,
            child,
            draw(st.integers(0, 20_000)),
            draw(st.sampled_from(["learned", "pinned", "banned"])),
            slope_permille=draw(st.sampled_from([0, 100, 1000, 5000, 10**9])),
        )
        for parent, child in pairs
        if parent != child
    ]


@given(windows(), dependencies(), st.floats(0, 60), st.floats(1, 5))
@examples(0.5)
def test_no_boost_is_above_a_multiple_of_what_was_ever_seen(
    window: Window, rows: list[Dependency], lead_s: float, most: float
) -> None:
    found = boost(window, rows, lead_s, most)
    known = np.where(np.isfinite(window.values), np.maximum(window.values, 0), 0)
    highest = known.max(axis=1, initial=0.0)
    pinned = {row.child for row in rows if row.source == "pinned"}
    assert np.isfinite(found.expected).all()
    assert (found.expected >= 0).all()
    for i, name in enumerate(window.names):
        fresh = name in pinned and highest[i] == 0
        bound = most * (highest.max() if fresh else highest[i])
        assert found.expected[i] <= bound * (1 + 1e-9)
        assert bool(found.parents[i]) == (found.extra[i] > 0)


@given(windows(), dependencies(), st.lists(st.floats(0, 30), min_size=4, max_size=4))
@examples(0.5)
def test_demand_of_requests_is_bounded_by_the_most_demand_seen(
    window: Window, rows: list[Dependency], busy_s: list[float]
) -> None:
    seen = np.array([5.0, 10.0, 20.0, 40.0])
    found = boost(window, rows, 20.0, 2.0, seen, busy_s=np.array(busy_s))
    assert (found.expected >= 0).all()
    assert (found.expected <= 2 * seen * (1 + 1e-9)).all()


@given(windows(most_steps=400))
@examples(0.3)
def test_a_learner_survives_any_samples(window: Window) -> None:
    learner = Learner(10)
    learner.step(window, {("a", "b"), ("c", "d"), ("b", "nobody")})
    for row in learner.state():
        assert {row.parent, row.child} in ({"a", "b"}, {"c", "d"})
        assert row.lag_ms >= 1000
