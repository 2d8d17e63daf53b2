"""What the loads were, in a file, so that a predictor that starts again goes on at once.

Minutes for days, and the seconds that `Loads` keeps. A damaged file is set aside, and a new one
begun; a disk that is full costs what could not be written, and nothing else.

Must not know: how samples are written (`predictor.series.history_file`), what they mean.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from predictor.series.history_file import HistoryCorrupt, HistoryError, HistoryFile
from predictor.series.loads import Loads
from predictor.series.store import Store
from predictor.series.window import Window

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_WRITTEN: Final = 120  # steps in a block at most
_READ: Final = 360  # steps read at a time
_AT_ONCE: Final = 2_000_000  # samples of a kind written at a time; the rest the next time
_CUT: Final = 0.1  # of the minutes, where the file is larger than it may be

__all__ = ["History", "HistoryError"]


class History:
    """Of one predictor. To be used in one thread at a time.

    set_aside: where a damaged file was moved; None: there was none.
    """

    def __init__(self, path: Path, *, keep_days: int = 14, keep_mib: int = 1024) -> None:
        """HistoryError where the path cannot be used."""
        self._path = path
        self._keep_ms = keep_days * _DAY_MS
        self._most_bytes = keep_mib << 20
        self._pruned_ms = 0
        self.set_aside: Path | None = None
        try:
            self._file = HistoryFile(path)
        except HistoryCorrupt as error:
            self._file = self._begun_again(error)

    def save(self, loads: Loads, now_ms: int) -> None:
        """Write what is new: whole minutes, and seconds. Raises nothing: it is logged."""
        self._guarded(lambda: self._save(loads, now_ms), None)

    def load(self, loads: Loads, now_ms: int) -> None:
        """Fill what is not known yet of the time that loads keep. Raises nothing."""
        self._guarded(lambda: self._load(loads, now_ms), None)

    def window(
        self, kind: str, start_ms: int, end_ms: int, names: Sequence[str] | None = None
    ) -> Window:
        """Minutes of "demand", "rate" or "bits" between two times.

        Of these names, or of all that have any: eight bytes a name and minute. What is not there
        is NaN. Raises nothing.
        """
        start, end = start_ms // _MINUTE_MS, end_ms // _MINUTE_MS
        wanted = tuple(self._file.names(start_ms) if names is None else names)
        found = self._guarded(lambda: self._read(kind, 60.0, start, end, wanted), None)
        if found is None:
            values = np.full((len(wanted), max(0, end - start)), np.nan)
            found = Window(wanted, 60.0, end * _MINUTE_MS, values)
        return found if names is not None else _known(found)

    def add(self, kind: str, window: Window, now_ms: int) -> None:
        """Minutes from elsewhere, where the file begins later or is empty. Raises nothing."""
        first = window.end_ms // _MINUTE_MS - window.steps

        def write() -> None:
            oldest = self._file.begin(kind, _MINUTE_MS)
            steps = window.steps if oldest is None else min(window.steps, oldest - first)
            with self._file.transaction():
                for begin in range(0, steps, _WRITTEN):
                    end = min(begin + _WRITTEN, steps)
                    end_ms = (first + end) * _MINUTE_MS
                    part = replace(window, end_ms=end_ms, values=window.values[:, begin:end])
                    self._file.write(kind, part, now_ms)

        self._guarded(write, None)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _save(self, loads: Loads, now_ms: int) -> None:
        with self._file.transaction():
            for kind, stream in loads.streams.items():
                self._save_store(kind, stream.seconds, now_ms)
                self._save_store(kind, stream.minutes, now_ms)
            if abs(now_ms - self._pruned_ms) >= _MINUTE_MS:
                self._prune(now_ms)
                self._pruned_ms = now_ms

    def _save_store(self, kind: str, store: Store, now_ms: int) -> None:
        """The steps that are over and not written yet."""
        step_ms = round(store.step_s * 1000)
        end = min(now_ms, store.end_ms or 0) // step_ms
        written = self._file.end(kind, step_ms) or 0
        if written > end + 1:  # the clock was set back
            self._file.prune(step_ms, 0, end)
            written = self._file.end(kind, step_ms) or 0
        cells = 0
        while cells < _AT_ONCE and (window := _next(store, written, end)) is not None:
            self._file.write(kind, window, now_ms)
            written = window.end_ms // step_ms
            cells += window.values.size

    def _prune(self, now_ms: int) -> None:
        oldest_ms = now_ms - self._keep_ms
        youngest_ms = now_ms + _MINUTE_MS
        self._file.prune(_SECOND_MS, (now_ms - 3_700_000) // _SECOND_MS, youngest_ms // _SECOND_MS)
        self._file.prune(_MINUTE_MS, oldest_ms // _MINUTE_MS, youngest_ms // _MINUTE_MS)
        self._file.forget_names(oldest_ms)
        while self._file.bytes_used() > self._most_bytes and self._keep_ms > _DAY_MS // 24:
            self._keep_ms = int(self._keep_ms * (1 - _CUT))
            LOG.warning(
                "%s: more than %d MiB; keeping %.1f days", self._path, self._most_bytes >> 20,
                self._keep_ms / _DAY_MS,
            )  # fmt: skip
            self._file.prune(_MINUTE_MS, (now_ms - self._keep_ms) // _MINUTE_MS, 1 << 62)

    def _load(self, loads: Loads, now_ms: int) -> None:
        names = self._file.names(now_ms - _DAY_MS)
        for kind, stream in loads.streams.items():
            for store in (stream.minutes, stream.seconds):
                end = now_ms // round(store.step_s * 1000)
                for first in range(end - store.steps, end, _READ):
                    window = self._read(kind, store.step_s, first, min(first + _READ, end), names)
                    loads.fill(kind, _known(window))

    def _read(
        self, kind: str, step_s: float, first: int, end: int, names: tuple[str, ...]
    ) -> Window:
        """These steps, of these names."""
        step_ms = round(step_s * 1000)
        values = np.full((len(names), max(0, end - first)), np.nan)
        for begin, block in self._file.read(kind, step_ms, first - _WRITTEN, end, names):
            low, high = max(begin, first), min(begin + block.shape[1], end)
            if low < high:
                values[:, low - first : high - first] = block[:, low - begin : high - begin]
        return Window(names, step_s, end * step_ms, values)

    def _guarded(self, act: Callable[[], T], otherwise: T) -> T:
        """What it gives, or `otherwise` where the file is damaged or cannot be written."""
        try:
            return act()
        except HistoryCorrupt as error:
            self._file.close()
            try:
                self._file = self._begun_again(error)
            except HistoryError as failed:
                LOG.error("history is not kept: %s", failed)
        except HistoryError as error:
            LOG.error("history is not kept: %s", error)
        return otherwise

    def _begun_again(self, error: Exception) -> HistoryFile:
        """A new file; the damaged one is set aside, in place of one that was before.

        HistoryError where that cannot be done.
        """
        aside = self._path.with_name(f"{self._path.name}.damaged")
        try:
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._path.replace(aside)
        except OSError as failed:
            raise HistoryError(
                f"{self._path} is damaged ({error}), and cannot be set aside ({failed}); "
                "move it away"
            ) from None
        self.set_aside = aside
        LOG.error("%s is damaged (%s); it is now %s, and history begins anew",
                  self._path, error, aside)  # fmt: skip
        return HistoryFile(self._path)


def _known(window: Window) -> Window:
    """Only the names of which something is known."""
    rows = np.flatnonzero(~np.isnan(window.values).all(axis=1))
    if rows.size == len(window.names):
        return window
    return replace(
        window, names=tuple(window.names[row] for row in rows), values=window.values[rows]
    )


def _next(store: Store, written: int, end: int) -> Window | None:
    """The steps from `written` on, or from the first there is, up to end; None: there are none."""
    step_ms = round(store.step_s * 1000)
    first = max(written, store.first_ms // step_ms)
    last = min(first + _WRITTEN, end)
    if last <= first:
        return None
    return store.window(steps=last - first, end_ms=last * step_ms)
