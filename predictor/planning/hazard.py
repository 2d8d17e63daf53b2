"""The chance that a service is called in a given step, given how long ago it last was.

Per service: a decayed histogram of the gaps between calls (calls and steps at risk in each bin of
age), filled up by that of services called about as often; how often it was called at this phase of
round periods; how busy it was lately. A logistic model, shared by all services and learned as time
passes, weighs these; it begins as the plain histogram.

Must not know: thresholds, containers, where the counts come from.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from predictor.planning.table import Flags, Rows, Table
from predictor.series.window import Floats

PERIODS_S: Final = (10, 30, 60, 300, 600, 900, 1800, 3600)
_EXACT: Final = 120
_WIDER: Final = 1.07
_OLDEST: Final = 1440
_RATES: Final = (1e-9, 0.002, 0.005, 0.01, 0.03, 0.1, 0.3)
_PRIOR_WEIGHT: Final = 8.0
_PRIOR_STEPS: Final = 15
_DECAY_STEPS: Final = 60
_PHASE_KEEPS: Final = 0.9
_PHASE_PRIOR: Final = 2.0
_FAMILIAR_STEPS: Final = 120
_STIFFNESS: Final = 50.0
_OTHERS: Final = 8
_SHORT: Final = 10
_LONG: Final = 60


def age_bins() -> tuple[Rows, int]:
    """The bin of every age in steps (0.._OLDEST), and how many bins there are."""
    edges = list(range(1, _EXACT + 1))
    while edges[-1] < _OLDEST:
        edges.append(int(np.ceil(edges[-1] * _WIDER)))
    bins = np.searchsorted(np.array(edges), np.arange(_OLDEST + 1))
    return bins.astype(np.intp), len(edges)


class Hazard:
    """State over all services. Steps are counted, not timed; step_s only picks the periods."""

    def __init__(self, step_s: float, half_life_steps: float) -> None:
        self.periods = tuple(
            round(period / step_s) for period in PERIODS_S if 3 <= period / step_s <= _EXACT
        )
        self._bins, self._count = age_bins()
        self._keeps = 0.5 ** (_DECAY_STEPS / half_life_steps)
        columns: dict[str, tuple[tuple[int, ...], float]] = {
            "events": ((self._count,), 0.0),
            "risk": ((self._count,), 0.0),
            "calls": ((), 0.0),
            "steps": ((), 0.0),
            "visits": ((), 0.0),
            "age": ((), -1.0),
            "gaps": ((2,), -1.0),
            "short": ((), 0.0),
            "long": ((), 0.0),
            "unknown": ((), 0.0),
            "held": ((), 0.0),
        }
        columns |= {f"phase{period}": ((period,), 0.0) for period in self.periods}
        self.table = Table(columns)
        self.clock = 0
        size = _OTHERS + len(self.periods)
        self.weights = np.zeros(size)
        self.weights[1] = 1.0
        self._curvature = np.eye(size) * _STIFFNESS
        self._curvature[0, 0] = _STIFFNESS / 10
        self._prior = np.full((len(_RATES) + 1, self._count), 1e-3)

    def rate(self, rows: Rows) -> Floats:
        """Steps with calls, over steps: shrunk towards none for services that are new."""
        return (self.table["calls"][rows] + 0.5) / (self.table["steps"][rows] + 60)

    def chance(self, rows: Rows, ahead: int = 1) -> Floats:
        """P(call in the step `ahead` steps on | none before it), per row; 0 = never called yet."""
        known = self.table["age"][rows] >= 0
        return np.where(known, _logistic(self._features(rows, ahead) @ self.weights), 0.0)

    def observe(self, rows: Rows, calls: Floats) -> None:
        """The step that just ended: calls of each row; NaN = unknown. Rows are all different."""
        if self.clock % _PRIOR_STEPS == 0:
            self._prior = self._pooled()
        known = np.isfinite(calls)
        table = self.table
        table["unknown"][rows] = ~known
        told, called = rows[known], calls[known] > 0
        if len(told) and self.clock >= _FAMILIAR_STEPS:
            self._learn(told, called)
        self._count_step(told, called)
        missed = rows[~known]
        table["age"][missed] += table["age"][missed] >= 0
        self.clock += 1
        if self.clock % _DECAY_STEPS == 0:
            for column in ("events", "risk", "calls", "steps"):
                table[column][:] *= self._keeps

    def save(self, step_s: float) -> bytes:
        """Everything that was learned."""
        more = {"weights": self.weights, "curvature": self._curvature, "prior": self._prior}
        return self.table.save(more, {"kind": "hazard", "step_s": step_s, "clock": self.clock})

    def load(self, data: bytes, step_s: float) -> None:
        """Take on what `save` gave; ValueError where it does not fit."""
        more, head = self.table.load(data, {"kind": "hazard", "step_s": step_s})
        self.clock = int(head["clock"])
        self.weights, self._curvature = more["weights"], more["curvature"]
        self._prior = more["prior"]

    def _learn(self, rows: Rows, called: Flags) -> None:
        """One step of recursive Newton for the logistic model."""
        rate = self.rate(rows)
        use = (self.table["age"][rows] >= 0) & (rate < 0.9)
        features = self._features(rows[use], 1)
        if not len(features):
            return
        chance = _logistic(features @ self.weights)
        importance = 1.0 / np.sqrt(np.maximum(1.0, self.table["calls"][rows[use]]))
        bend = importance * chance * (1 - chance)
        self._curvature += (features * bend[:, None]).T @ features
        slope = features.T @ (importance * (called[use] - chance))
        self.weights = self.weights + np.linalg.solve(self._curvature, slope)

    def _count_step(self, rows: Rows, called: Flags) -> None:
        table = self.table
        seen = table["age"][rows] >= 0
        table["age"][rows[seen]] += 1
        bins = self._bin(table["age"][rows])
        old, again = rows[seen], rows[seen & called]
        table["risk"][old, bins[seen]] += 1
        table["events"][again, bins[seen & called]] += 1
        table["gaps"][again, 1] = table["gaps"][again, 0]
        table["gaps"][again, 0] = table["age"][again]
        table["calls"][rows] += called
        table["steps"][rows] += 1
        table["visits"][rows] += 1
        table["age"][rows[called]] = 0
        for period in self.periods:
            column, phase = table[f"phase{period}"], self.clock % period
            column[rows, phase] = column[rows, phase] * _PHASE_KEEPS + called
        table["short"][rows] = table["short"][rows] * (1 - 1 / _SHORT) + called
        table["long"][rows] = table["long"][rows] * (1 - 1 / _LONG) + called

    def _features(self, rows: Rows, ahead: int) -> Floats:
        """What the model weighs, [rows, weights]; all are 0 or near it where nothing stands out."""
        table, rate = self.table, self.rate(rows)
        age = table["age"][rows] + ahead
        bins = self._bin(age)
        prior = self._prior[self._class(rows), bins]
        events, risk = table["events"], table["risk"]
        near = [np.maximum(bins - 1, 0), np.minimum(bins + 1, self._count - 1)]
        own = (events[rows, bins] + _PRIOR_WEIGHT * prior) / (risk[rows, bins] + _PRIOR_WEIGHT)
        beside = (sum(events[rows, b] for b in near) + _PRIOR_WEIGHT / 2 * prior) / (
            sum(risk[rows, b] for b in near) + _PRIOR_WEIGHT / 2
        )
        columns = [np.ones(len(rows)), _logit(own), _logit(beside) - _logit(prior)]
        columns += [self._phase(rows, period, ahead, rate) for period in self.periods]
        columns += [
            _lately(table["short"][rows], rate * _SHORT, 0.02),
            _lately(table["long"][rows], rate * _LONG, 0.1),
            (age == table["gaps"][rows, 0]).astype(np.float64),
            (age == table["gaps"][rows, 1]).astype(np.float64),
            np.log(rate),
        ]
        return np.column_stack(columns)

    def _phase(self, rows: Rows, period: int, ahead: int, rate: Floats) -> Floats:
        hits = self.table[f"phase{period}"][rows, (self.clock + ahead - 1) % period]
        visits = np.floor(self.table["visits"][rows] / period)
        seen = (1 - _PHASE_KEEPS**visits) / (1 - _PHASE_KEEPS)
        share = (hits + _PHASE_PRIOR * rate) / (np.maximum(seen, hits) + _PHASE_PRIOR)
        return _logit(share) - _logit(rate)

    def _pooled(self) -> Floats:
        """The hazard at each age of all services called about as often, [classes, bins]."""
        rows = self.table.used()
        classes = self._class(rows)
        importance = 1.0 / np.sqrt(np.maximum(1.0, self.table["calls"][rows]))
        prior = np.empty_like(self._prior)
        for number in range(len(prior)):
            of = classes == number
            events = importance[of] @ self.table["events"][rows[of]]
            risk = importance[of] @ self.table["risk"][rows[of]]
            mean = (events.sum() + 0.001) / (risk.sum() + 1)
            prior[number] = (events + 10 * mean) / (risk + 10)
        return prior

    def _class(self, rows: Rows) -> Rows:
        steps = np.maximum(1.0, self.table["steps"][rows])
        return np.asarray(np.digitize(self.table["calls"][rows] / steps, _RATES), np.intp)

    def _bin(self, age: Floats) -> Rows:
        """Of services that were never called: any."""
        return self._bins[np.clip(age, 0, _OLDEST).astype(np.intp)]


def _logit(chance: Floats) -> Floats:
    chance = np.clip(chance, 1e-5, 1 - 1e-5)
    return np.log(chance / (1 - chance))


def _logistic(value: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(value, -12, 12)))


def _lately(count: Floats, usual: Floats, least: float) -> Floats:
    """Log of calls lately over what is usual, shrunk towards that."""
    return np.log((count + 0.2 * usual + least) / (1.2 * usual + least))
