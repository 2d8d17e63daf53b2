"""The back-test: walk through a window of samples, forecast at each step from what was known then,
and score against what came. Ours as a whole beside its parts and the referees.

Must not know: files' formats, commands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from predictor.models.cleaning import known
from predictor.models.contract import HORIZONS, QUANTILES, Model
from predictor.models.experts import experts
from predictor.models.forecaster import Forecaster
from predictor.models.global_model import GlobalModel, available
from predictor.models.guards import bounded
from predictor.models.refit import drawn, refitted
from predictor.replay.referees import MstlEts, referees
from predictor.replay.scores import Scores
from predictor.series.window import Floats, Window

OURS: Final = "prewire"
REFIT_STEPS: Final = 120
WARM_STEPS: Final = 120  # before the first scored step, that ours learns its weights from
_FEWEST: Final = 30  # steps that a global model is fitted with
_RETRY: Final = 30  # steps after a fit that had too little to learn from
_SLOW_SERIES: Final = 20  # that slow referees are run on
_SLOW_ORIGINS: Final = 10
_COMPARED: Final = ("last value", "picked period", "rolling quantile")

Progress = Callable[[float], None]
"""Told the share of the work that is done."""


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """figures[method] as `Scores.figures`; by_horizon[method] as `Scores.by_horizon`.

    skipped[method]: why it was not run. notes: what a reader must know to compare.
    """

    series: int
    origins: int
    first: int
    horizons: tuple[int, ...]
    quantiles: tuple[float, ...]
    figures: dict[str, dict[str, Any]]
    by_horizon: dict[str, dict[str, list[float]]]
    skipped: dict[str, str]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """What a command prints."""
        return {
            "series": self.series,
            "origins": self.origins,
            "first_step": self.first,
            "horizons": list(self.horizons),
            "quantiles": list(self.quantiles),
            "methods": self.figures,
            "by_horizon": self.by_horizon,
            "skipped": self.skipped,
            "notes": list(self.notes),
        }


def backtest(
    window: Window,
    *,
    first: int | None = None,
    horizons: Sequence[int] = HORIZONS,
    quantiles: Sequence[float] = QUANTILES,
    with_global: bool = True,
    refit_steps: int = REFIT_STEPS,
    every: int = 1,
    progress: Progress | None = None,
    seed: int = 0,
) -> BacktestResult:
    """Score from step `first` on (half of them unless told); `every` so many origins are scored.

    ValueError where the window is too short for one origin. Ours steps through every step anyway.
    """
    start = window.steps // 2 if first is None else first
    last = window.steps - max(horizons)
    if start < 1 or last < start:
        raise ValueError(f"{window.steps} steps are too few to score from step {start} on")
    walk = _Walk(window, horizons, quantiles, range(start, last + 1, max(every, 1)))
    skipped = {}
    if with_global and available():
        skipped["global"] = available()
    walk.ours(with_global and not available(), refit_steps, seed, progress)
    for model in experts():
        if model.name in _COMPARED:
            walk.referee(model)
    others, missing = referees()
    for model in others:
        walk.referee(model)
    return walk.result({**skipped, **missing})


class _Recorded:
    """A model whose last forecast, and the seconds it took, can be asked for."""

    def __init__(self, model: Model) -> None:
        self.name = model.name
        self.made: Floats = np.empty((0, 0, 0))
        self.seconds = 0.0
        self._model = model

    def forecast(
        self, window: Window, horizons: Sequence[int], quantiles: Sequence[float]
    ) -> Floats:
        """The model's."""
        started = time.process_time()
        self.made = self._model.forecast(window, horizons, quantiles)
        self.seconds = time.process_time() - started
        return self.made


class _Walk:
    """One back-test under way."""

    def __init__(
        self, window: Window, horizons: Sequence[int], quantiles: Sequence[float], origins: range
    ) -> None:
        self._window = window
        self._came = known(window.values)
        self._horizons = tuple(horizons)
        self._quantiles = tuple(quantiles)
        self._origins = origins
        self._scores: dict[str, Scores] = {}
        self._notes: list[str] = []

    def ours(
        self, with_global: bool, refit_steps: int, seed: int, progress: Progress | None
    ) -> None:
        """Step by step, with refits on the way; the global model alone is scored too."""
        forecaster = Forecaster(self._horizons, self._quantiles)
        whole, alone, begin = self._none(), self._none(), max(self._origins[0] - WARM_STEPS, 1)
        trained: _Recorded | None = None
        end, due = self._origins[-1], max(begin, _FEWEST)
        for origin in range(begin, end + 1):
            past = self._past(origin)
            if with_global and origin >= due:
                fresh = self._refitted(past, seed + origin)
                due = origin + (_RETRY if fresh is None else refit_steps)
                if fresh is not None:
                    trained = _Recorded(fresh)
                    forecaster.adopt(trained)
            started = time.process_time()
            made = forecaster.step(past)
            if origin in self._origins:
                whole.seconds += time.process_time() - started
                whole.add(made.values, self._actual(origin))
                if trained is not None:
                    alone.seconds += trained.seconds
                    alone.add(bounded(trained.made, past), self._actual(origin))
            if progress is not None:
                progress((origin - begin + 1) / (end - begin + 1))
        self._scores[OURS] = whole
        if trained is not None:
            self._scores[trained.name] = alone

    def referee(self, model: Model) -> None:
        """A model on its own; slow ones on a part, which is noted."""
        rows, origins = np.arange(len(self._window.names)), list(self._origins)
        if isinstance(model, MstlEts):
            rows = rows[:: max(len(rows) // _SLOW_SERIES, 1)]
            origins = origins[:: max(len(origins) // _SLOW_ORIGINS, 1)]
            self._notes.append(f"{model.name}: {len(rows)} series, {len(origins)} origins")
        scores = Scores.none(len(rows), len(self._horizons), self._quantiles)
        names = tuple(self._window.names[row] for row in rows)
        values = self._window.values[rows]
        part = Window(names, self._window.step_s, self._window.end_ms, values)
        for origin in origins:
            past = part.before(part.steps - origin)
            started = time.process_time()
            made = bounded(model.forecast(past, self._horizons, self._quantiles), past)
            scores.seconds += time.process_time() - started
            scores.add(made, self._actual(origin)[rows])
        self._scores[model.name] = scores

    def result(self, skipped: dict[str, str]) -> BacktestResult:
        """Of all that was run."""
        return BacktestResult(
            len(self._window.names),
            len(self._origins),
            self._origins[0],
            self._horizons,
            self._quantiles,
            {name: each.figures() for name, each in self._scores.items()},
            {name: each.by_horizon() for name, each in self._scores.items()},
            skipped,
            tuple(self._notes),
        )

    def _none(self) -> Scores:
        return Scores.none(len(self._window.names), len(self._horizons), self._quantiles)

    def _past(self, origin: int) -> Window:
        return self._window.before(self._window.steps - origin)

    def _actual(self, origin: int) -> Floats:
        return self._came[:, origin - 1 + np.asarray(self._horizons)]

    def _refitted(self, past: Window, seed: int) -> GlobalModel | None:
        sample = drawn(past, seed)
        try:
            data = refitted(sample, self._horizons, self._quantiles, seed)
        except ValueError as error:
            self._notes.append(f"no global model at step {past.steps}: {error}")
            return None
        return GlobalModel.from_bytes(data)
