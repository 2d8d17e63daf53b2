"""Dependencies as they are learned: a share of the services each time, kept while they hold.

Owns: whose turn it is, how often an edge may fail before it goes, the gate: an edge needs a pair
that exchanges traffic. Where nobody knows who talks to whom, nothing new is learned: a shared
schedule looks just like a dependency (docs/prediction.md has figures), and only rules give edges.
Must not know: where samples come from, plans.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nib.plans import Dependency
from nib.prewarm import DependencyRule
from predictor.dependencies.candidates import (
    LEAST_CORRELATION,
    Pair,
    candidates,
    loaded,
    neighbourhood,
    sensible,
)
from predictor.dependencies.discover import (
    Candidates,
    Integers,
    Singles,
    among_pairs,
    surprises,
)
from predictor.dependencies.rules import ruled
from predictor.dependencies.slopes import MOST_SLOPE, slopes
from predictor.dependencies.validate import validate
from predictor.series.window import Floats, Window

MIN_GAIN: Final = 0.03
_MISSES: Final = 3
_HOLDING: Final = 0.5  # of the least gain: what a known edge must keep
_FEWEST_STEPS: Final = 120
_MOST_STEPS: Final = 1800
_PIN_STEPS: Final = 30


@dataclass(frozen=True, slots=True)
class _Edge:
    """lag: in steps.

    misses: how often in a row it did not hold, last by the window up to missed_ms;
    silent: the pair exchanged no traffic when last asked.
    """

    lag: int
    gain: float
    slope: float
    step_s: float
    misses: int = 0
    missed_ms: int = -(2**62)
    silent: bool = False


def discover(
    window: Window,
    talks: Collection[Pair] | None,
    max_lag: int,
    min_gain: float = MIN_GAIN,
) -> tuple[Dependency, ...]:
    """All dependencies that a window shows, at once; talks of None: whoever talks to whom.

    For back-tests and benchmarks; None has many false edges.
    """
    window = sensible(window)
    whitened = surprises(window.values)
    children = np.arange(len(window.names))
    found = candidates(window, whitened, children, talks, max_lag)
    verdicts = validate(window.values, found, min_gain)
    learner = Learner(max_lag, min_gain=min_gain)
    learner.note(window, found, verdicts.gains, verdicts.kept)
    return learner.state()


class Learner:
    """State of one step size. max_lag_steps: longest lag looked for; children: how many services
    a step() looks into."""

    def __init__(
        self, max_lag_steps: int = 60, children: int = 200, min_gain: float = MIN_GAIN
    ) -> None:
        self._max_lag = max_lag_steps
        self._children = children
        self._min_gain = min_gain
        self._edges: dict[Pair, _Edge] = {}
        self._pins: dict[DependencyRule, tuple[float, Dependency]] = {}
        self._rows: tuple[Dependency, ...] | None = None  # of _edges; None = made anew when asked
        self._next = 0

    def step(self, window: Window, talks: Collection[Pair] | None) -> None:
        """Look into the next services: who are their parents, and whether known ones still are.

        talks: (source, destination) of all pairs that exchange traffic; None: nobody knows, and
        nothing is learned or forgotten. A window of too few steps is no evidence either.
        """
        if talks is None or window.steps < _FEWEST_STEPS:
            return
        window = sensible(window.last(_MOST_STEPS))
        names = {window.names[row] for row in self._turn(loaded(window))}
        window = neighbourhood(window, names, talks)
        turn = np.array([row for row, name in enumerate(window.names) if name in names], np.int64)
        whitened = surprises(window.values)
        found = candidates(window, whitened, turn, talks, self._max_lag)
        self._forget_silent(window, talks)
        found = self._with_known(window, whitened, names, found)
        verdicts = validate(window.values, found, self._min_gain)
        self.note(window, found, verdicts.gains, verdicts.kept)

    def note(
        self, window: Window, found: Candidates, gains: Floats, kept: NDArray[np.bool_]
    ) -> None:
        """Take verdicts on candidates: new edges, better known ones, ones that fail."""
        self._rows = None
        names = window.names
        for i in np.flatnonzero(kept):
            pair = (names[found.parents[i]], names[found.children[i]])
            gain = float(np.min(gains[i]))
            self._edges[pair] = _Edge(int(found.lags[i]), gain, 0.0, window.step_s)
        failed = gains.mean(axis=1) < _HOLDING * self._min_gain  # NaN: no evidence
        for i in np.flatnonzero(~kept & failed):
            self._miss((names[found.parents[i]], names[found.children[i]]), window)
        self._measure(window, {names[child] for child in found.children[kept]})

    def dependencies(
        self, window: Window, rules: Iterable[DependencyRule]
    ) -> tuple[Dependency, ...]:
        """What is known, with pins and bans; a pin nothing was learned of takes its lag (where the
        rule has none) and its slope from the window."""
        rules = tuple(rules)
        pins = [each for each in rules if each.verdict == "pin" and each.key not in self._edges]
        known = [self._pin(window, rule) for rule in pins]
        self._pins = {rule: self._pins[rule] for rule in pins}
        return ruled([*self.state(), *known], rules)

    def _pin(self, window: Window, rule: DependencyRule) -> Dependency:
        """What the window tells of a pin; looked at again when some steps more are known."""
        at_ms, known = self._pins.get(rule, (-math.inf, Dependency(*rule.key, 0)))
        if abs(window.end_ms - at_ms) >= _PIN_STEPS * window.step_s * 1000:
            known = _of_pin(window, rule, self._max_lag) or known
            at_ms = window.end_ms
        self._pins[rule] = (at_ms, known)
        return known

    def state(self) -> tuple[Dependency, ...]:
        """What was learned, for the database."""
        if self._rows is None:
            self._rows = tuple(_dependency(pair, self._edges[pair]) for pair in sorted(self._edges))
        return self._rows

    def restore(self, known: Iterable[Dependency], step_s: float = 1.0) -> None:
        """What the database had, after a restart: what was learned, by steps of that length."""
        self._rows = None
        for each in known:
            if each.source == "learned":
                lag = round(each.lag_ms / 1000 / step_s)
                gain, slope = each.gain_permille / 1000, each.slope_permille / 1000
                if 1 <= lag <= self._max_lag:
                    self._edges.setdefault(each.key, _Edge(lag, gain, slope, step_s))

    def _turn(self, rows: Integers) -> Integers:
        """Whose turn it is, of those with load."""
        start = self._next if self._next < len(rows) else 0
        self._next = start + self._children
        return rows[start : self._next]

    def _with_known(
        self, window: Window, whitened: Singles, due: Collection[str], found: Candidates
    ) -> Candidates:
        """And the known parents of the same children, should they not be among them."""
        names = window.names
        index = {name: row for row, name in enumerate(names)}
        here = {(names[p], names[c]) for p, c in zip(found.parents, found.children, strict=True)}
        missing = [
            (index[pair[0]], index[pair[1]], edge.lag)
            for pair, edge in sorted(self._edges.items())
            if pair[1] in due and pair[0] in index and pair not in here and not edge.silent
        ]
        if not missing:
            return found
        parents, children, lags = np.array(missing, dtype=np.int64).T
        lags = np.minimum(lags, window.steps - 1)
        alike = [
            float(whitened[p, : window.steps - lag] @ whitened[c, lag:])
            for p, c, lag in zip(parents, children, lags, strict=True)
        ]
        return Candidates(
            np.concatenate([found.parents, parents]),
            np.concatenate([found.children, children]),
            np.concatenate([found.lags, lags]),
            np.concatenate([found.correlations, alike]),
        )

    def _miss(self, pair: Pair, window: Window) -> None:
        """Counted once in a third of a window: the same steps are no new evidence."""
        edge = self._edges.get(pair)
        apart_ms = window.steps * window.step_s * 1000 / 3
        if edge is None or window.end_ms - edge.missed_ms < apart_ms:
            return
        if edge.misses + 1 >= _MISSES:
            del self._edges[pair]
        else:
            misses = edge.misses + 1
            self._edges[pair] = replace(edge, misses=misses, missed_ms=window.end_ms)

    def _forget_silent(self, window: Window, talks: Collection[Pair]) -> None:
        """Edges of pairs that exchange no traffic fail."""
        for pair in sorted(self._edges):
            silent = pair not in talks and pair[::-1] not in talks
            self._edges[pair] = replace(self._edges[pair], silent=silent)
            if silent:
                self._miss(pair, window)

    def _measure(self, window: Window, children: set[str]) -> None:
        """The slopes of all edges to these children, together for each child; a parent whose
        surges the others account for is none."""
        index = {name: row for row, name in enumerate(window.names)}
        parents: dict[str, list[Pair]] = {}
        for pair in sorted(self._edges):
            if pair[1] in children and pair[0] in index:
                parents.setdefault(pair[1], []).append(pair)
        for child, pairs in parents.items():
            lags = [(index[pair[0]], self._edges[pair].lag) for pair in pairs]
            found = slopes(window.values, index[child], lags)
            for pair, slope in zip(pairs, found, strict=True):
                if slope == 0 and any(found):
                    del self._edges[pair]
                else:
                    self._edges[pair] = replace(self._edges[pair], slope=slope)


def _of_pin(window: Window, rule: DependencyRule, max_lag: int) -> Dependency | None:
    """Lag and slope; None where the window has not both services."""
    if rule.parent not in window.names or rule.child not in window.names:
        return None
    rows = [window.names.index(name) for name in rule.key]
    pair = sensible(Window(rule.key, window.step_s, window.end_ms, window.values[rows]))
    if rule.lag_ms is not None:
        lag = max(0, round(rule.lag_ms / 1000 / window.step_s))
    else:
        found = among_pairs(surprises(pair.values), [(0, 1)], max_lag, LEAST_CORRELATION)
        lag = int(found.lags[0]) if len(found) else 0
    (slope,) = slopes(pair.values, 1, [(0, lag)])
    return _dependency(rule.key, _Edge(lag, 0.0, slope, window.step_s))


def _dependency(pair: Pair, edge: _Edge) -> Dependency:
    return Dependency(
        *pair,
        lag_ms=round(edge.lag * edge.step_s * 1000),
        gain_permille=min(1000, max(0, round(1000 * edge.gain))),
        slope_permille=round(1000 * min(edge.slope, MOST_SLOPE)),
    )
