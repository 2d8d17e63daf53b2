"""Rings of samples of many series at equal steps, in memory.

A step begins at a multiple of its length since 1970. A ring is as long as it was made; what is
older is gone. NaN = not known.

Must not know: where samples come from, what they mean, the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from predictor.series.window import Floats, Window

_MOST: Final = float(np.finfo(np.float32).max)
_GROWTH: Final = 1.25
_CHUNK: Final = 256  # steps that history is laid in at a time

Rows = NDArray[np.intp]


class Store:
    """Samples by name and step.

    What is no number of a load (NaN, infinite, negative, beyond single precision) is not known:
    it changes nothing. The last sample of a step wins, in whichever order they come; what is older
    than the ring is not taken; after a gap the steps between are not known. Costs four bytes a name
    and step.
    """

    def __init__(self, step_s: float, steps: int) -> None:
        """steps: how many are kept. ValueError where one of them is below 1 (step_s: 1 ms)."""
        if steps < 1 or round(step_s * 1000) < 1:
            raise ValueError(f"{steps} steps of {step_s} s")
        self.step_s = step_s
        self._step_ms = round(step_s * 1000)
        self.steps = steps
        self._values = np.empty((0, steps), dtype=np.float32)
        self._index: dict[str, int] = {}
        self._free: list[int] = []
        self._first = self._head = -1  # the oldest and the youngest step there is
        self._phase = 0  # step number + phase = place in the ring, modulo its length
        self._known: tuple[Sequence[str], Rows] | None = None  # the last names asked for

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order in which they came."""
        return tuple(self._index)

    @property
    def end_ms(self) -> int | None:
        """When the youngest step ends; None: there is no sample."""
        return None if self._head < 0 else (self._head + 1) * self._step_ms

    @property
    def first_ms(self) -> int:
        """When the oldest step begins; 0: there is no sample."""
        return max(self._first, 0) * self._step_ms

    def put(self, name: str, at_ms: int, value: float) -> None:
        """One sample."""
        self.put_many((name,), at_ms, np.array([value]))

    def put_many(self, names: Sequence[str], at_ms: int, values: Floats) -> None:
        """A sample of each name."""
        taken = self._taken(names, at_ms, values)
        if taken is not None:
            column, rows, numbers = taken
            column[rows] = numbers

    def raise_many(self, names: Sequence[str], at_ms: int, values: Floats) -> None:
        """A sample of each name, kept where it is more than what its step has."""
        taken = self._taken(names, at_ms, values)
        if taken is not None:
            column, rows, numbers = taken
            np.fmax.at(column, rows, numbers)

    def fill(self, window: Window) -> None:
        """History: taken where nothing is known. ValueError where its steps are not the store's."""
        if window.step_s != self.step_s:
            raise ValueError(f"steps of {window.step_s} s for a store of {self.step_s} s")
        known = np.flatnonzero((np.nan_to_num(window.values, nan=-1.0) >= 0).any(axis=0))
        begin = window.end_ms // self._step_ms - window.steps
        if not known.size or begin + known[0] < 0:
            return
        end = begin + int(known[-1]) + 1
        self._advance(end - 1)
        low = max(begin + int(known[0]), self._head - self.steps + 1)
        if low >= end:
            return
        self._first = min(self._first, low)
        rows = self._rows(window.names, add=True)
        for first in range(low, end, _CHUNK):
            numbers = np.arange(first, min(first + _CHUNK, end))
            there = np.ix_(rows, self._places(numbers))
            new = _loads(window.values[:, numbers - begin])
            self._values[there] = np.where(np.isnan(self._values[there]), new, self._values[there])

    def window(
        self,
        names: Sequence[str] | None = None,
        steps: int | None = None,
        end_ms: int | None = None,
    ) -> Window:
        """The last steps, of all names or of these in their order.

        end_ms: the steps that began before it; None: up to the youngest that has a sample. steps:
        at most the ring; None: from the oldest that has a sample on. What is not known, names too,
        is NaN.
        """
        wanted = self.names if names is None else tuple(names)
        end = self._head + 1 if end_ms is None else -(-end_ms // self._step_ms)
        if steps is None:
            steps = end - self._first if self._head >= 0 else 0
        count = max(0, min(steps, self.steps))
        values = np.full((len(wanted), count), np.nan)
        rows = self._rows(wanted)
        low, high = max(end - count, self._first), min(end, self._head + 1)
        while self._head >= 0 and low < high:
            place = self._place(low)
            length = min(high - low, self.steps - place)
            at = low - (end - count)
            self._copy(rows, slice(place, place + length), values[:, at : at + length])
            low += length
        return Window(wanted, self.step_s, end * self._step_ms, values)

    def forget(self, names: Iterable[str]) -> None:
        """These names are gone, and what was known of them."""
        for name in names:
            row = self._index.pop(name, None)
            if row is not None:
                self._values[row] = np.nan
                self._free.append(row)
        self._known = None

    def shift(self, steps: int) -> None:
        """All samples are so many steps older: the clock was set back."""
        if self._head < 0 or steps <= 0:
            return
        steps = min(steps, self._head)
        self._head -= steps
        self._first = max(0, self._first - steps)
        self._phase += steps

    def _taken(
        self, names: Sequence[str], at_ms: int, values: Floats
    ) -> tuple[NDArray[np.float32], Rows, NDArray[np.float32]] | None:
        """The step's column, and what goes where in it; None: nothing."""
        rows = self._rows(names, add=True)
        number = at_ms // self._step_ms
        if number < 0 or (self._head >= 0 and number <= self._head - self.steps):
            return None
        numbers = _loads(values)
        known = ~np.isnan(numbers)
        if not known.any():
            return None
        self._advance(number)
        self._first = min(self._first, number)
        return self._values[:, self._place(number)], rows[known], numbers[known]

    def _advance(self, number: int) -> None:
        """The youngest step is this one, or one after it."""
        if self._head < 0:
            self._first = self._head = number
            return
        if number <= self._head:
            return
        gap = np.arange(max(self._head + 1, number - self.steps + 1), number + 1)
        self._values[:, self._places(gap)] = np.nan
        self._head = number
        self._first = max(self._first, number - self.steps + 1)

    def _place(self, number: int) -> int:
        return (number + self._phase) % self.steps

    def _places(self, numbers: NDArray[np.int_]) -> Rows:
        return np.asarray((numbers + self._phase) % self.steps, dtype=np.intp)

    def _copy(self, rows: Rows, columns: slice, values: Floats) -> None:
        """To values what these columns have of these rows; -1: a row that is not there."""
        if rows.size == self._values.shape[0] and np.array_equal(rows, np.arange(rows.size)):
            values[:] = self._values[:, columns]
            return
        there = rows >= 0
        values[there] = self._values[rows[there], columns]

    def _rows(self, names: Sequence[str], *, add: bool = False) -> Rows:
        """Where names are; -1: nowhere."""
        if self._known is not None and self._known[0] is names:
            return self._known[1]
        if add:
            self._add([name for name in dict.fromkeys(names) if name not in self._index])
        index = self._index
        rows = np.fromiter((index.get(name, -1) for name in names), np.intp, len(names))
        if add and isinstance(names, tuple):
            self._known = (names, rows)
        return rows

    def _add(self, names: Sequence[str]) -> None:
        size = self._values.shape[0]
        needed = len(self._index) + len(names)
        if needed > size:
            room = max(needed, int(size * _GROWTH))
            grown = np.full((room, self.steps), np.nan, dtype=np.float32)
            grown[:size] = self._values
            self._values = grown
            self._free = [*range(room - 1, size - 1, -1), *self._free]
        for name in names:
            self._index[name] = self._free.pop()


def _loads(values: Floats) -> NDArray[np.float32]:
    """Numbers of a load; NaN for what is none."""
    numbers = np.asarray(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        is_load = (numbers >= 0) & (numbers <= _MOST)
    return np.where(is_load, numbers, np.nan).astype(np.float32)
