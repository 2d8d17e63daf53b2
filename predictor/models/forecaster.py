"""The forecaster: all models, mixed, calibrated and guarded, going from step to step.

It keeps what it has told, and learns from it when the window shows what came. What it learns comes
from windows it was given, never from anything later.

Must not know: services, containers, rates, clocks; how models are trained.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from predictor.models.calibration import Calibration
from predictor.models.cleaning import known
from predictor.models.contract import HORIZONS, QUANTILES, Model, Places, check_request, monotone
from predictor.models.experts import experts
from predictor.models.guards import bounded, largest
from predictor.models.outcomes import Outcomes
from predictor.models.pool import Pool
from predictor.series.window import Floats, Window

STEPS: Final = 1500  # of a window that models look at: a day and an hour of minutes
Singles: TypeAlias = NDArray[np.float32]
NOBODY: Final = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """values[i, h, q]: quantile q of series names[i], horizons[h] steps after made_ms.

    chosen: the model that counts most for each series' highest quantile; "none" where no sample
    of a series is known: then its forecast is 0.
    """

    names: tuple[str, ...]
    made_ms: int
    step_s: float
    horizons: tuple[int, ...]
    quantiles: tuple[float, ...]
    values: Floats
    chosen: tuple[str, ...]

    def quantile(self, level: float) -> Floats:
        """[i, h]: ValueError where the level is not among the quantiles."""
        if level not in self.quantiles:
            raise ValueError(f"quantile {level} is not forecast; these are: {self.quantiles}")
        return self.values[:, :, self.quantiles.index(level)]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What was forecast at made_ms: each model's anchors [i, a, q], and all together [i, h, q]."""

    made_ms: int
    models: dict[str, Singles]
    values: Singles


@dataclass(slots=True)
class Forecaster:
    """Give it one window a step, with any names: rows are matched by name.

    models: the experts and, once there is one, the trained model; replace it at any time.
    """

    horizons: tuple[int, ...] = HORIZONS
    quantiles: tuple[float, ...] = QUANTILES
    models: tuple[Model, ...] = field(default_factory=experts)
    names: tuple[str, ...] = ()
    end_ms: int = 0
    pool: Pool = field(init=False)
    calibration: Calibration = field(init=False)
    told: list[Told] = field(default_factory=list)
    outcomes: Outcomes = field(init=False)

    def __post_init__(self) -> None:
        check_request(self.horizons, self.quantiles)
        if list(self.horizons) != sorted(set(self.horizons)):
            raise ValueError(f"horizons {self.horizons} do not rise")
        self.pool = Pool(_anchors(self.horizons), self.quantiles)
        self.calibration = Calibration.fresh(0, len(self.horizons), self.quantiles)
        self.outcomes = Outcomes(self.quantiles)

    def adopt(self, model: Model) -> None:
        """From the next step on this model takes part, in place of the one of the same name."""
        others = [each for each in self.models if each.name != model.name]
        self.models = (*others, model)

    def step(self, window: Window) -> Forecast:
        """Learn from what came since the last step, and forecast."""
        self._align(window.names)
        self._learn(window)
        short = window.last(STEPS)
        made = {
            each.name: each.forecast(short, self.horizons, self.quantiles) for each in self.models
        }
        weights = self.pool.weights(tuple(made))
        mixed = self._mixed(made, weights)
        values = bounded(monotone(self.calibration.apply(mixed)), short)
        self._remember(window, made, values)
        return Forecast(
            window.names,
            window.end_ms,
            window.step_s,
            self.horizons,
            self.quantiles,
            values,
            _chosen(tuple(made), weights, short),
        )

    def _mixed(self, made: dict[str, Floats], weights: Floats) -> Floats:
        nearest = _nearest(self.horizons, self.pool.anchors)
        mixed = np.zeros((len(self.names), len(self.horizons), len(self.quantiles)))
        for number, forecast in enumerate(made.values()):
            mixed += weights[number][:, nearest] * forecast
        return mixed

    def _remember(self, window: Window, made: dict[str, Floats], values: Floats) -> None:
        places = [self.horizons.index(each) for each in self.pool.anchors]
        models = {name: each[:, places].astype(np.float32) for name, each in made.items()}
        self.told.append(Told(window.end_ms, models, values.astype(np.float32)))
        self.end_ms = window.end_ms

    def _learn(self, window: Window) -> None:
        """Score every forecast of a step that ended after the last window did and before now."""
        if window.end_ms <= self.end_ms:  # the same step again, or the clock went back
            self.told = [each for each in self.told if each.made_ms < window.end_ms]
        if not self.told or window.end_ms <= self.end_ms:
            return
        step_ms = window.step_s * 1000
        passed = min(round((window.end_ms - self.end_ms) / step_ms), window.steps)
        actual = known(window.values[:, window.steps - passed :])
        for place in range(passed):
            self.pool.fade()
            self.outcomes.fade()
            end_ms = window.end_ms - (passed - 1 - place) * step_ms
            for told in self.told:
                self._score(told, round((end_ms - told.made_ms) / step_ms), actual[:, place])
        oldest = window.end_ms - self.horizons[-1] * step_ms
        self.told = [each for each in self.told if each.made_ms > oldest]

    def _score(self, told: Told, horizon: int, actual: Floats) -> None:
        if horizon not in self.horizons:
            return
        place = self.horizons.index(horizon)
        values = told.values[:, place].astype(np.float64)
        self.calibration.update(place, values, actual)
        self.outcomes.update(values, actual)
        if place == 0:
            middle = int(np.argmin(np.abs(np.asarray(self.quantiles) - 0.5)))
            self.calibration.measure(values[:, middle], actual)
        if horizon in self.pool.anchors:
            anchor = self.pool.anchors.index(horizon)
            made = {name: each[:, anchor].astype(np.float64) for name, each in told.models.items()}
            self.pool.update(anchor, made, actual)

    def _align(self, names: tuple[str, ...]) -> None:
        if names == self.names:
            return
        old = {name: place for place, name in enumerate(self.names)}
        places = np.array([old.get(name, -1) for name in names], dtype=np.intp)
        self.pool.align(places)
        self.calibration.align(places)
        self.told = [_aligned(each, places) for each in self.told]
        self.names = names


def _aligned(told: Told, places: Places) -> Told:
    def moved(rows: Singles) -> Singles:
        padded = np.concatenate([rows, np.full_like(rows, np.nan, shape=(1, *rows.shape[1:]))])
        return padded[places]

    models = {name: moved(rows) for name, rows in told.models.items()}
    return replace(told, models=models, values=moved(told.values))


def _anchors(horizons: tuple[int, ...]) -> tuple[int, ...]:
    """The first, the last and one between: losses of the others are much like theirs."""
    return tuple(sorted({horizons[0], horizons[(len(horizons) - 1) // 3], horizons[-1]}))


def _nearest(horizons: tuple[int, ...], anchors: tuple[int, ...]) -> list[int]:
    return [min(range(len(anchors)), key=lambda a: abs(anchors[a] - each)) for each in horizons]


def _chosen(names: tuple[str, ...], weights: Floats, window: Window) -> tuple[str, ...]:
    best = weights[:, :, :, -1].mean(axis=2).argmax(axis=0)
    some = np.isfinite(largest(window))
    return tuple(names[best[i]] if some[i] else NOBODY for i in range(len(window.names)))
