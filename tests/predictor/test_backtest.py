"""The back-test and its scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from predictor.models.contract import QUANTILES
from predictor.replay.backtest import OURS, backtest
from predictor.replay.backtest_plot import draw
from predictor.replay.scores import Scores
from predictor.series.window import Floats, Window


def _window(values: Floats) -> Window:
    names = tuple(f"service-{row}" for row in range(len(values)))
    return Window(names, 60.0, values.shape[1] * 60_000, values)


def _surges(series: int, steps: int) -> Floats:
    random = np.random.default_rng(0)
    level = np.where(np.arange(steps) % 5 == 0, 40.0, 4.0)
    return random.poisson(level, (series, steps)).astype(np.float64)


def test_scores_are_those_of_the_definition() -> None:
    scores = Scores.none(2, 1, (0.5, 0.95))
    scores.add(np.array([[[8.0, 12.0]], [[1.0, 3.0]]]), np.array([[10.0], [5.0]]))
    scores.add(np.array([[[10.0, 12.0]], [[5.0, 9.0]]]), np.array([[10.0], [np.nan]]))
    figures = scores.figures()
    assert figures["wape"] == round((2 + 4) / 25, 4)
    assert figures["wape_per_series"] == round((2 / 20 + 4 / 5) / 2, 4)
    assert figures["pinball_95"] == round((0.05 * 2 + 0.95 * 2 + 0.05 * 2) / 25, 4)
    assert figures["coverage"] == {"0.5": round(1 / 3, 4), "0.95": round(2 / 3, 4)}


def test_scores_of_nothing_are_not_numbers_that_look_good() -> None:
    figures = Scores.none(2, 3, QUANTILES).figures()
    assert figures["wape"] is None
    assert figures["pinball_95_per_series"] is None


def test_ours_beats_the_naive_ones_where_load_repeats_itself() -> None:
    told: list[float] = []
    result = backtest(_window(_surges(12, 100)), first=80, with_global=False, progress=told.append)
    wape = {name: figures["wape"] for name, figures in result.figures.items()}
    assert wape[OURS] < 0.9 * wape["seasonal naive"]
    assert wape[OURS] < 0.5 * wape["last value"]
    assert told[-1] == 1.0
    assert told == sorted(told)


def test_what_is_not_scored_changes_no_score() -> None:
    values = _surges(3, 40)
    whole = backtest(_window(values), first=20, with_global=False)
    assert whole.origins == 11
    few = backtest(_window(values), first=20, with_global=False, every=5)
    assert few.origins == 3
    assert json.loads(json.dumps(few.as_json()))["methods"][OURS]["wape"] is not None


def test_the_global_model_is_scored_and_what_cannot_run_is_named(tmp_path: Path) -> None:
    result = backtest(_window(_surges(6, 80)), first=66, refit_steps=1_000)
    assert {OURS, "global"} <= set(result.figures)
    assert {"mstl+ets"} == set(result.skipped) ^ (set(result.figures) & {"mstl+ets"})
    draw(result, tmp_path / "errors.png")
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("steps", "first"), [(5, None), (100, 95), (100, 0), (0, None)])
def test_a_window_too_short_is_refused(steps: int, first: int | None) -> None:
    with pytest.raises(ValueError, match="too few"):
        backtest(_window(_surges(2, steps)), first=first)
