"""How figures of benchmarks are written."""

from __future__ import annotations

import pytest

from benchmarks.results.report import against


@pytest.mark.parametrize(
    ("value", "bound", "text"),
    [
        (1.99866, 2.0, "1.999"),
        (2.0000001, 2.0, "2.0000001"),
        (2.0, 2.0, "2"),
        (1.74, 2.0, "1.74"),
        (485.04, 200.0, "485.0"),
    ],
)
def test_a_figure_that_misses_its_bound_does_not_read_like_it(
    value: float, bound: float, text: str
) -> None:
    assert against(value, bound) == text
