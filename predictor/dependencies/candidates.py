"""Whom to look into: services with load, pairs that exchange traffic, the most correlated first.

Must not know: whether a candidate holds, what was learned before.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np

from predictor.dependencies.discover import (
    Candidates,
    Integers,
    Singles,
    among_all,
    among_pairs,
)
from predictor.series.window import Window

LEAST_CORRELATION: Final = 0.1
_DEVIATIONS: Final = 5.0  # of a correlation of so many steps of noise
_MOST_CANDIDATES: Final = 400  # looked into at once
_MOST_PARENTS: Final = 16  # of one child
_FEWEST_LOADED: Final = 3  # steps
_MOST_LOAD: Final = 1e12
Pair: TypeAlias = tuple[str, str]


def sensible(window: Window) -> Window:
    """With what no load can be as not known."""
    possible = (window.values >= 0) & (window.values <= _MOST_LOAD)  # NaN is neither
    values = np.where(possible, window.values, np.nan)
    return Window(window.names, window.step_s, window.end_ms, values)


def loaded(window: Window) -> Integers:
    """Services with load in the window; the others have nothing to tell."""
    return np.flatnonzero((np.nan_to_num(window.values) > 0).sum(axis=1) >= _FEWEST_LOADED)


def candidates(
    window: Window,
    whitened: Singles,
    children: Integers,
    talks: Collection[Pair] | None,
    max_lag: int,
) -> Candidates:
    """Of these children of the window; talks of None: among all services."""
    at_least = max(LEAST_CORRELATION, _DEVIATIONS / math.sqrt(max(1, window.steps)))
    if talks is None:
        return among_all(whitened, children, max_lag, at_least)
    index = {name: row for row, name in enumerate(window.names)}
    pairs = _pairs(talks, index, set(children.tolist()))
    return _foremost(among_pairs(whitened, pairs, max_lag, at_least))


def _pairs(
    talks: Collection[Pair], index: Mapping[str, int], children: set[int]
) -> Sequence[tuple[int, int]]:
    """(parent, child) rows of pairs that talk, whichever opens the connections."""
    found = set()
    for source, destination in talks:
        a, b = index.get(source), index.get(destination)
        if a is None or b is None or a == b:
            continue
        found |= {(p, c) for p, c in ((a, b), (b, a)) if c in children}
    return sorted(found)


def _foremost(found: Candidates) -> Candidates:
    """At most so many parents of a child, and so many in all: those that correlate most."""
    order = np.lexsort((-found.correlations, found.children))
    children = found.children[order]
    first = np.searchsorted(children, children)
    few = order[np.arange(len(order)) - first < _MOST_PARENTS]
    most = few[np.argsort(-found.correlations[few], kind="stable")][:_MOST_CANDIDATES]
    return found.pick(np.sort(most))


def neighbourhood(window: Window, names: Collection[str], talks: Collection[Pair]) -> Window:
    """Of these services and whoever exchanges traffic with them."""
    near = set(names)
    for source, destination in talks:
        if source in names or destination in names:
            near |= {source, destination}
    rows = [row for row, name in enumerate(window.names) if name in near]
    kept = tuple(window.names[row] for row in rows)
    return Window(kept, window.step_s, window.end_ms, window.values[rows])
