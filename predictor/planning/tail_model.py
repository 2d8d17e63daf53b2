"""An upper quantile of the next load over the present level, learned while time passes.

log(load / level) = location + z * scale; location and scale are ridge regressions, z is a linear
quantile regression (stochastic gradient, Adam) on what was seen. One model for all series, so that
a new one has a forecast at once. With LightGBM, trees correct the location and give z, from
`TREES_FROM` rows on.

Must not know: what the features mean, single series, bit rates.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from predictor.series.window import Floats

KEPT: Final = 150_000
TREES_FROM: Final = 20_000
_A_STEP: Final = 256
_SAVED: Final = 5000
_BATCH: Final = 2000
_ROUNDS: Final = 4
_FORGETS: Final = 2e-4
_WIDEST: Final = 15.0
_PACE: Final = 0.02
_SHRINKS: Final = 2e-3
_GROWN: Final = 80
_TREES: Final[dict[str, Any]] = {
    "num_leaves": 15,
    "learning_rate": 0.08,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.7,
    "num_threads": 1,
    "seed": 1,
    "deterministic": True,
    "verbose": -1,
}
_ARRAYS: Final = ("square", "to_location", "to_scale", "tail", "drift", "swing", "mean", "spread")


class TailModel:
    """size: features, the first of which is 1; miss: 1 - quantile; seeded, so it repeats."""

    def __init__(self, size: int, miss: float, trees: bool = False, seed: int = 0) -> None:
        self._miss, self._trees_wanted = miss, trees
        self._random = np.random.default_rng(seed)
        self.square = np.eye(size) * 10
        self.to_location = np.zeros(size)
        self.to_scale = np.zeros(size)
        self.to_scale[0] = 10 * np.log(0.2)
        self.tail = np.zeros(size)
        self.tail[0] = 3.5
        self.drift, self.swing = np.zeros(size), np.zeros(size)
        self.mean, self.spread = np.zeros(size), np.ones(size)
        self._rounds = self._seen = self._steps = 0
        self._features = np.zeros((0, size), np.float32)
        self._outcome = np.zeros((0, 2), np.float32)  # and z, as it was then
        self._trees: tuple[Any, Any] | None = None
        self._solve()

    def predict(self, features: Floats) -> tuple[Floats, Floats, Floats]:
        """Location, scale (> 0) and the quantile of z for each row; finite for finite features."""
        location, scale = self._linear(features)
        if self._trees is None:
            return location, scale, self._standard(features) @ self.tail
        shift, tail = (np.asarray(trees.predict(features, num_threads=1)) for trees in self._trees)
        return location + shift, scale, tail

    def observe(self, features: Floats, outcome: Floats) -> None:
        """What came of these features: log(load / level) of each row."""
        if not len(features):
            return
        outcome = np.clip(outcome, -2, 2)
        location, scale = self._linear(features)
        keep = 1 - _FORGETS
        self.square = keep * self.square + features.T @ features + _FORGETS * np.eye(len(self.tail))
        self.to_location = keep * self.to_location + features.T @ outcome
        error = np.log(np.abs(outcome - location) + 0.02)
        self.to_scale = keep * self.to_scale + features.T @ error
        self._solve()
        self._standardise(features)
        z = np.clip((outcome - location) / scale, -_WIDEST, _WIDEST)
        self._keep(features, np.column_stack([outcome, z]))
        self._descend()

    def grow_trees(self) -> bool:
        """Fit LightGBM on what was seen, where it was asked for, is installed, and there is enough.

        Takes seconds; every some hundred steps will do.
        """
        held = min(self._seen, len(self._outcome))
        if not self._trees_wanted or held < TREES_FROM:
            return False
        try:
            import lightgbm  # noqa: PLC0415 - optional
        except ImportError:
            return False
        features = self._features[:held].astype(np.float64)
        outcome = self._outcome[:held, 0].astype(np.float64)
        location, scale = self._linear(features)
        error = outcome - location
        shift = lightgbm.train(
            _TREES | {"objective": "regression"}, lightgbm.Dataset(features, error), _GROWN
        )
        z = np.clip((error - shift.predict(features, num_threads=1)) / scale, -_WIDEST, _WIDEST)
        quantile = _TREES | {"objective": "quantile", "alpha": 1 - self._miss}
        tail = lightgbm.train(quantile, lightgbm.Dataset(features, z), _GROWN)
        self._trees = (shift, tail)
        return True

    def arrays(self) -> dict[str, Floats]:
        """What a restart goes on with, some of the rows kept among it; trees are not."""
        some = np.arange(max(0, self._seen - _SAVED), self._seen) % max(1, len(self._outcome))
        return {name: getattr(self, name) for name in _ARRAYS} | {
            "count": np.array([self._rounds, self._steps], np.float64),
            "features": self._features[some].astype(np.float64),
            "outcome": self._outcome[some].astype(np.float64),
        }

    def restore(self, arrays: dict[str, Floats]) -> None:
        """Take on what `arrays` gave; ValueError where it does not fit."""
        for name in _ARRAYS:
            if name not in arrays or arrays[name].shape != getattr(self, name).shape:
                raise ValueError(f"saved {name} does not fit")
            setattr(self, name, arrays[name])
        self._solve()
        self._rounds, self._steps = (int(count) for count in arrays["count"])
        self._store(arrays["features"], arrays["outcome"])

    def _standard(self, features: Floats) -> Floats:
        standard = (features - self.mean) / np.sqrt(self.spread)
        standard[:, 0] = 1
        return standard

    def _standardise(self, features: Floats) -> None:
        self._steps += 1
        share = 1 / min(self._steps + 1, 300)
        self.mean = self.mean + share * (features.mean(axis=0) - self.mean)
        spread = ((features - self.mean) ** 2).mean(axis=0)
        self.spread = np.maximum(self.spread + share * (spread - self.spread), 1e-4)

    def _solve(self) -> None:
        self._location = np.linalg.solve(self.square, self.to_location)
        self._scale = np.linalg.solve(self.square, self.to_scale)

    def _linear(self, features: Floats) -> tuple[Floats, Floats]:
        location = np.clip(features @ self._location, -1, 1)
        return location, np.exp(np.clip(features @ self._scale, -4, 1))

    def _keep(self, features: Floats, outcome: Floats) -> None:
        if len(outcome) > _A_STEP:
            chosen = self._random.choice(len(outcome), _A_STEP, replace=False)
            features, outcome = features[chosen], outcome[chosen]
        self._store(features, outcome)

    def _store(self, features: Floats, outcome: Floats) -> None:
        while len(self._outcome) < min(KEPT, self._seen + len(outcome)):
            room = max(1024, len(self._outcome))
            more = np.zeros((room, features.shape[1]), np.float32)
            self._features = np.concatenate([self._features, more])
            self._outcome = np.concatenate([self._outcome, np.zeros((room, 2), np.float32)])
        at = (self._seen + np.arange(len(outcome))) % len(self._outcome)
        self._features[at], self._outcome[at] = features, outcome
        self._seen += len(outcome)

    def _descend(self) -> None:
        """Some rounds of Adam on the pinball loss of z; features are standardised in passing."""
        held = min(self._seen, len(self._outcome))
        batch = min(_BATCH, held)
        spread = np.sqrt(self.spread)
        mean, spread = np.r_[0, self.mean[1:]], np.r_[1, spread[1:]]
        for _ in range(_ROUNDS):
            self._rounds += 1
            pick = self._random.integers(0, held, batch)
            features, z = self._features[pick], self._outcome[pick, 1]
            weights = self.tail / spread
            over = (z > features @ weights.astype(np.float32) - weights @ mean) - self._miss
            slope = (over.astype(np.float32) @ features - over.sum() * mean) / spread
            slope = -slope / (batch * self._miss) + _SHRINKS * np.r_[0, self.tail[1:]]
            self.drift = 0.9 * self.drift + 0.1 * slope
            self.swing = 0.99 * self.swing + 0.01 * slope**2
            step = self.drift / (1 - 0.9**self._rounds)
            size = np.sqrt(self.swing / (1 - 0.99**self._rounds)) + 1e-8
            self.tail = self.tail - _PACE * max(0.1, 1 - self._rounds / 4000) * step / size
