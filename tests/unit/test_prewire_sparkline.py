"""A series and its forecast as text."""

from __future__ import annotations

import pytest

from prewire.forecasting.sparkline import chart, peaks, sparkline


def test_bars_are_as_high_as_values_are() -> None:
    assert sparkline([0.0, 1.0, 3.5, 7.0], 7.0) == "▁▂▅█"


def test_what_is_not_known_is_a_dot() -> None:
    assert sparkline([None, 7.0], 7.0) == "·█"


@pytest.mark.parametrize("top", [0.0, -1.0])
def test_without_any_load_the_line_is_flat(top: float) -> None:
    assert sparkline([0.0, 0.0], top) == "▁▁"


def test_values_beyond_the_top_are_as_high_as_it_is() -> None:
    assert sparkline([9.0, -9.0], 3.0) == "█▁"


def test_a_long_series_keeps_its_peaks() -> None:
    assert peaks([1.0, 9.0, 2.0, None, None, None], 3) == [9.0, 2.0, None]
    assert peaks([1.0, None], 3) == [1.0, None]


def test_a_chart_has_a_line_for_the_load_and_one_for_each_quantile() -> None:
    lines = chart([1.0, None, 2.0], [0.5, 0.99], [[2.0, 4.0], [3.0, 8.0]])
    assert lines == [
        "  load ▂·▃  2 now, 8 at top",
        "   p50    ▃▄  3 at most",
        "   p99    ▅█  8 at most",
    ]


def test_a_chart_of_nothing_says_so() -> None:
    assert chart([], [], []) == ["  load   unknown now, 0 at top"]
