"""How much each model's forecast counts: by its recent loss, per series, horizon and quantile.

A mixture weighted by losses to a high power: close to choosing the best, and better where several
are good. A series that is new is mixed as the others are on the average.

Must not know: how models forecast, calibration, time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from predictor.models.contract import Places
from predictor.models.losses import pinball
from predictor.series.window import Floats

MEMORY: Final = 0.97  # how much of a loss still counts one step later
SHARPNESS: Final = 16.0  # the power; very high: the best one alone
PRIOR_STEPS: Final = 4.0  # what the average over all series weighs


@dataclass(slots=True)
class Pool:
    """Losses so far: total[model][i, a, q] and steps[model][i], both fading.

    a: anchor horizons, the only ones whose losses are kept.
    """

    anchors: tuple[int, ...]
    quantiles: tuple[float, ...]
    count: int = 0
    total: dict[str, Floats] = field(default_factory=dict)
    steps: dict[str, Floats] = field(default_factory=dict)

    def align(self, places: Places) -> None:
        """Row i becomes what row places[i] was; -1 = a new series."""
        new = places < 0
        for name in self.total:
            total = self._padded(self.total[name])[places]
            steps = self._padded(self.steps[name])[places]
            total[new], steps[new] = 0.0, 0.0
            self.total[name], self.steps[name] = total, steps
        self.count = len(places)

    @staticmethod
    def _padded(rows: Floats) -> Floats:
        return np.concatenate([rows, np.zeros_like(rows, shape=(1, *rows.shape[1:]))])

    def fade(self) -> None:
        """A step has passed."""
        for name in self.total:
            self.total[name] *= MEMORY
            self.steps[name] *= MEMORY

    def update(self, anchor: int, forecasts: Mapping[str, Floats], actual: Floats) -> None:
        """forecasts[model][i, q] were made for actual[i], which may be NaN, at this anchor."""
        for name, forecast in forecasts.items():
            self._admit(name)
            loss = pinball(actual, forecast, self.quantiles)
            known = np.isfinite(loss).all(axis=1)
            self.total[name][known, anchor] += loss[known]
            self.steps[name][known] += 1 / len(self.anchors)

    def _admit(self, name: str) -> None:
        if name not in self.total:
            self.total[name] = np.zeros((self.count, len(self.anchors), len(self.quantiles)))
            self.steps[name] = np.zeros(self.count)

    def weights(self, names: Sequence[str]) -> Floats:
        """[k, i, a, q]: of each of these models; they add up to 1 over k."""
        for name in names:
            self._admit(name)
        total = np.stack([self.total[name] for name in names])
        steps = np.stack([self.steps[name] for name in names])[:, :, None, None]
        mean = total / np.maximum(steps, 1e-9)
        level, usual = _usual(mean, steps)
        share = steps / (steps + PRIOR_STEPS)
        loss = share * mean + (1 - share) * level * usual
        least = loss.min(axis=0)
        tiny = 1e-9 * level + 1e-300
        weight = np.exp(-SHARPNESS * np.log((loss + tiny) / (least + tiny)))
        found: Floats = weight / weight.sum(axis=0)
        return found


def _usual(mean: Floats, steps: Floats) -> tuple[Floats, Floats]:
    """The level of losses [i, a, q] of each series, and each model's usual loss over it.

    A model never scored is taken for as good as the average; so is the level of a new series for 1.
    """
    scored = steps > 0
    count = np.maximum(scored.sum(axis=0), 1)
    level = np.where(scored, mean, 0.0).sum(axis=0) / count
    level = np.where(level > 0, level, 1.0)
    ratio = np.where(scored, np.minimum(mean / level, 10.0), 0.0)
    seen = scored.sum(axis=1, keepdims=True)
    usual = np.where(seen > 0, ratio.sum(axis=1, keepdims=True) / np.maximum(seen, 1), 1.0)
    return level, usual
