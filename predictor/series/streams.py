"""One kind of load of many names, at steps of a second and of a minute.

Must not know: what the load is, how it is learned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from predictor.series.store import Store
from predictor.series.window import Floats, Window

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000


class Stream:
    """Rings of seconds and of minutes."""

    def __init__(self, seconds: int, minutes: int) -> None:
        """How many of each are kept."""
        self.seconds = Store(1.0, seconds)
        self.minutes = Store(60.0, minutes)

    def of(self, step_s: float) -> Store:
        """The ring with such steps. ValueError where there is none."""
        for store in (self.seconds, self.minutes):
            if store.step_s == step_s:
                return store
        raise ValueError(f"no steps of {step_s} s: there are 1 s and 60 s")

    def fill(self, window: Window) -> None:
        """History, where nothing is known. ValueError as in `of`."""
        self.of(window.step_s).fill(window)

    def forget(self, names: Sequence[str]) -> None:
        """These are gone."""
        self.seconds.forget(names)
        self.minutes.forget(names)

    def set_back(self, by_ms: int) -> None:
        """The clock was set back by so much: what was just now stays just now."""
        self.seconds.shift(round(by_ms / SECOND_MS))
        self.minutes.shift(round(by_ms / MINUTE_MS))


class Peaks(Stream):
    """Of a level: the most that it was in a step."""

    def add(self, names: Sequence[str], since_ms: int, at_ms: int, values: Floats) -> None:
        """The level at a time; so it was since then, too."""
        for step_ms in _steps(since_ms, at_ms, SECOND_MS):
            self.seconds.raise_many(names, step_ms, values)
        self.minutes.raise_many(names, at_ms, values)


class Means(Stream):
    """Of a rate: its mean in a step."""

    def __init__(self, seconds: int, minutes: int) -> None:
        super().__init__(seconds, minutes)
        self._minute = -1
        self._names: Sequence[str] = ()
        self._amounts = np.empty(0)  # of the minute so far: rate x time
        self._known_ms = np.empty(0)  # for how much of it the rate is known

    def add(self, names: Sequence[str], since_ms: int, at_ms: int, values: Floats) -> None:
        """The mean rate between two times."""
        for step_ms in _steps(since_ms, at_ms, SECOND_MS):
            self.seconds.put_many(names, step_ms, values)
        for minute in range(since_ms // MINUTE_MS, at_ms // MINUTE_MS + 1):
            begin = minute * MINUTE_MS
            length = min(at_ms, begin + MINUTE_MS) - max(since_ms, begin)
            if length > 0:
                self._add(names, begin, length, values)

    def _add(self, names: Sequence[str], begin_ms: int, length_ms: int, values: Floats) -> None:
        self._align(names, begin_ms)
        known = np.isfinite(values)
        self._amounts[known] += values[known] * length_ms
        self._known_ms[known] += length_ms
        with np.errstate(invalid="ignore", divide="ignore"):
            self.minutes.put_many(names, begin_ms, self._amounts / self._known_ms)

    def _align(self, names: Sequence[str], begin_ms: int) -> None:
        """Sums of this minute, in the order of these names."""
        if begin_ms != self._minute:
            self._minute, self._names = begin_ms, names
            self._amounts, self._known_ms = np.zeros(len(names)), np.zeros(len(names))
        elif names is not self._names:
            place = {name: at for at, name in enumerate(self._names)}
            self._amounts = _taken(self._amounts, place, names)
            self._known_ms = _taken(self._known_ms, place, names)
            self._names = names


def _taken(values: Floats, place: dict[str, int], names: Iterable[str]) -> Floats:
    return np.array([values[place[name]] if name in place else 0.0 for name in names])


def _steps(since_ms: int, at_ms: int, step_ms: int) -> list[int]:
    """A time in every step after the one of since_ms up to that of at_ms; at least in this."""
    first = min(since_ms // step_ms + 1, at_ms // step_ms)
    return [number * step_ms for number in range(first, at_ms // step_ms + 1)]
