"""Names in the order in which they came, and where they stand in vectors.

Must not know: what is kept by them.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from predictor.series.scrape import Labels
from predictor.series.window import Floats

_MOST: Final = 1e30  # of what can be a load; its sums and squares are finite

Places = NDArray[np.intp]


class Roll:
    """names is the same object until a name comes or goes."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self._index: dict[str, int] = {}
        self._seen = np.empty(0, dtype=np.int64)  # when each was last seen
        self._known: dict[str, tuple[tuple[Labels, ...], Places]] = {}  # by metric

    def places(self, metric: str, series: tuple[Labels, ...], at_ms: int) -> Places:
        """Of the first label of each series; names that are new are added. They are seen now."""
        known = self._known.get(metric)
        if known is None or known[0] is not series:
            known = (series, self._placed(series))
            self._known[metric] = known
        self._seen[known[1]] = at_ms
        return known[1]

    def note(self, names: Sequence[str], at_ms: int) -> None:
        """Names that were seen at a time, or later."""
        places = self._placed(tuple((name,) for name in names))
        self._seen[places] = np.maximum(self._seen[places], at_ms)

    def seen_at(self, at_ms: int) -> NDArray[np.bool_]:
        """Which names were seen at this time."""
        return np.asarray(self._seen == at_ms)

    def unseen_since(self, at_ms: int) -> tuple[str, ...]:
        """Names that were last seen before this time."""
        return tuple(self.names[place] for place in np.flatnonzero(self._seen < at_ms))

    def longest_unseen(self, at_ms: int, most: int) -> tuple[str, ...]:
        """Of the names that were last seen before this time all but the last so many."""
        unseen = np.flatnonzero(self._seen < at_ms)
        first = unseen[np.argsort(self._seen[unseen], kind="stable")]
        return tuple(self.names[place] for place in first[: max(0, first.size - most)])

    def drop(self, gone: Container[str]) -> Places:
        """These names are no more; where those that are left stood."""
        left = np.array([at for at, name in enumerate(self.names) if name not in gone], np.intp)
        if left.size < len(self.names):
            self.names = tuple(self.names[place] for place in left)
            self._index = {name: place for place, name in enumerate(self.names)}
            self._seen = self._seen[left]
            self._known = {}
        return left

    def _placed(self, series: tuple[Labels, ...]) -> Places:
        index = self._index
        new = dict.fromkeys(labels[0] for labels in series if labels[0] not in index)
        if new:
            index.update({name: len(index) + at for at, name in enumerate(new)})
            self.names = tuple(index)
            self._seen = np.append(self._seen, np.zeros(len(new), dtype=np.int64))
        return np.fromiter((index[labels[0]] for labels in series), np.intp, len(series))


def sums(places: Places, values: Floats, size: int, empty: float = np.nan) -> Floats:
    """Of what is known by place; `empty` where there is nothing, NaN where nothing is known."""
    known = (values >= 0) & (values <= _MOST)
    total = np.bincount(places[known], values[known], minlength=size).astype(np.float64)
    there = np.bincount(places, minlength=size)
    counted = np.bincount(places[known], minlength=size)
    total[(there > 0) & (counted == 0)] = np.nan
    total[there == 0] = empty
    return total
