"""Totals that only grow, of counters that start again from zero.

The counters of one key (packets and bytes of a flow, say) start again together: a flow's when it
comes again, a meter's when it is changed, a port's or queue's when it is made anew. Where this is
known it is said (`start_again`); where not, a counter below its last reading shows it.

Pure: readings in, totals out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
_FEW: Final = 1000  # keys that are left alone


class Totals(Generic[K]):
    """By key."""

    def __init__(self) -> None:
        self._last: dict[K, tuple[int, ...]] = {}
        self._totals: dict[K, tuple[int, ...]] = {}
        self._kept = 0  # keys, after the last time that some were forgotten

    def begin(self, key: K, values: tuple[int, ...]) -> None:
        """Count from this reading on, whatever the counters grew before it."""
        self._totals.setdefault(key, (0,) * len(values))
        self._last[key] = values

    def read(self, key: K, values: tuple[int, ...]) -> None:
        """A new reading of the counters of a key."""
        zeros = (0,) * len(values)
        last = self._last.get(key, zeros)
        if any(value < before for value, before in zip(values, last, strict=True)):
            last = zeros
        total = self._totals.get(key, zeros)
        self._totals[key] = tuple(
            count + value - before for count, value, before in zip(total, values, last, strict=True)
        )
        self._last[key] = values

    def start_again(self, keys: Iterable[K]) -> None:
        """The counters of these keys are at zero now."""
        for key in keys:
            self._last.pop(key, None)

    def start_again_but(self, held: Collection[K]) -> None:
        """Only these keys are there; others start at zero where they come again."""
        self.start_again(self._last.keys() - set(held))

    def clear(self, wanted: Callable[[K], object]) -> None:
        """The totals of these keys are zero now; their counters go on."""
        for key in [key for key in self._totals if wanted(key)]:
            self._totals[key] = (0,) * len(self._totals[key])

    def keep(self, wanted: Callable[[K], object]) -> None:
        """Forget the keys that are not wanted."""
        for key in [key for key in self._totals if not wanted(key)]:
            self.forget(key)
        self._kept = len(self._totals)

    def keep_at_times(self, wanted: Callable[[K], object]) -> None:
        """The same, only where there are twice as many keys as after the last time: most readings
        cost nothing then, and what is gone does not pile up."""
        if len(self._totals) > max(_FEW, 2 * self._kept):
            self.keep(wanted)

    def forget(self, key: K) -> tuple[int, ...]:
        """The last total of a key; it begins at zero where it comes again."""
        self._last.pop(key, None)
        return self._totals.pop(key)

    def total(self, key: K) -> tuple[int, ...] | None:
        """The total of a key; None: it was never read."""
        return self._totals.get(key)

    def __len__(self) -> int:
        return len(self._totals)

    def __iter__(self) -> Iterator[tuple[K, tuple[int, ...]]]:
        return iter(list(self._totals.items()))
