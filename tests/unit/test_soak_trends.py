"""Slopes of made-up series: what grows is told from what is noisy, and from what fills up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pytest

from tests.soak.trends import FEWEST, Bound, Trend, trend

HOUR: Final = 3600.0
BOUND: Final = Bound(an_hour=3.0, part_an_hour=0.02, in_all=2.0)
TIMES: Final = np.arange(0.0, HOUR, 5.0)
NOISE: Final = np.random.default_rng(1).normal(0.0, 1.5, TIMES.size)


def of(size: Callable[[float], float], noise: float = 1.0) -> Trend:
    """The trend of a size in MiB by the part of the hour that is over."""
    sizes = [size(at / HOUR) for at in TIMES] + noise * NOISE
    found = trend("p", "MiB", TIMES.tolist(), sizes.tolist(), BOUND)
    assert found is not None
    return found


@pytest.mark.parametrize("an_hour", [4.0, 10.0, 200.0])
def test_steady_growth_is_found_with_its_slope(an_hour: float) -> None:
    found = of(lambda part: 100 + an_hour * part)
    assert not found.is_flat
    assert found.low <= an_hour <= found.high
    assert found.slope == pytest.approx(an_hour, abs=1.0)


def test_growth_by_steps_is_found() -> None:
    assert not of(lambda part: 100 + 4 * (part * 10 // 1)).is_flat


def test_noise_is_flat() -> None:
    found = of(lambda _part: 100.0)
    assert found.is_flat
    assert found.low <= 0 <= found.high


def test_what_fills_up_in_the_first_third_is_flat() -> None:
    assert of(lambda part: 100 + 200 * min(part, 0.33)).is_flat


def test_what_goes_on_after_the_first_third_is_not() -> None:
    assert not of(lambda part: 100 + 200 * max(0.0, part - 1 / 3)).is_flat


def test_a_burst_is_flat() -> None:
    assert of(lambda part: 100 + 80 * (0.5 < part < 0.6)).is_flat


def test_shrinking_is_flat() -> None:
    assert of(lambda part: 100 - 50 * part).is_flat


def test_of_what_is_large_a_part_may_grow() -> None:
    assert of(lambda part: 1000 + 15 * part).is_flat
    assert not of(lambda part: 1000 + 30 * part).is_flat


def test_in_a_short_time_what_is_coarse_may_grow_by_a_step() -> None:
    times = np.arange(0.0, 60.0, 1.0).tolist()
    step = [100.0 + at / 60 for at in times]
    leak = [100.0 + at for at in times]
    assert trend("p", "MiB", times, step, BOUND).is_flat  # type: ignore[union-attr]
    assert not trend("p", "MiB", times, leak, BOUND).is_flat  # type: ignore[union-attr]


def test_few_samples_tell_nothing() -> None:
    times = [float(at) for at in range(FEWEST - 1)]
    assert trend("p", "MiB", times, times, BOUND) is None


def test_the_line_has_slope_and_bound() -> None:
    text = of(lambda part: 100 + 10 * part).text
    assert text.startswith("p: +")
    assert "MiB/h" in text
    assert "allowed 3.01" in text
