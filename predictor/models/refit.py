"""Refits of the global model, beside the work: in a process of its own, or on a pool given.

One refit at a time; its result is taken when it is there, and never waited for. A refit that fails
leaves the old model in force and says why.

Must not know: the forecaster, clocks (now is passed in), clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from predictor.models.contract import HORIZONS, QUANTILES
from predictor.models.features import HISTORY
from predictor.models.global_model import GlobalModel, TooFew, available, fit
from predictor.models.side_process import SideProcess
from predictor.series.window import Window

EVERY_S: Final = 900.0
_SERIES: Final = 1000  # that one refit learns from, drawn anew each time
_FIRST_STEPS: Final = 60  # that must be known


class Job(Protocol):
    """What a pool's `submit` returns: a future of `concurrent.futures` or of Dask."""

    def done(self) -> bool:
        """Whether `result` returns at once."""
        ...

    def result(self) -> Any:
        """What the work returned; raises what it raised."""
        ...


class Workers(Protocol):
    """Where refits run: an executor of `concurrent.futures`, or a Dask client."""

    def submit(self, work: Callable[..., Any], /, *args: Any) -> Job:
        """Start it."""
        ...


@dataclass(slots=True)
class Refit:
    """error: why the last refit failed; "" where it did not."""

    every_s: float = EVERY_S
    workers: Workers | None = None
    horizons: Sequence[int] = HORIZONS
    quantiles: Sequence[float] = QUANTILES
    error: str = field(default="", init=False)
    _own: SideProcess | None = field(default=None, init=False)
    _job: Job | None = field(default=None, init=False)
    _started: float | None = field(default=None, init=False)
    _made: float | None = field(default=None, init=False)
    _count: int = field(default=0, init=False)

    def tick(self, window: Window, now_s: float) -> GlobalModel | None:
        """Start a refit where one is due; the new model, once, where one is ready."""
        if self._job is not None:
            return self._taken()
        if self._started is None or now_s - self._started >= self.every_s:
            window = _known(window)
            if window.names and window.steps >= _FIRST_STEPS:
                self._start(window, now_s)
        return None

    def age_s(self, now_s: float) -> float | None:
        """Since the samples of the model in force were taken; None where there is no model."""
        return None if self._made is None else now_s - self._made

    @property
    def running(self) -> bool:
        """Whether one is under way."""
        return self._job is not None

    def close(self) -> None:
        """End the process at once; a refit under way is lost."""
        if self._own is not None:
            self._own.end()
            self._own = None
        self._job = None

    def _start(self, window: Window, now_s: float) -> None:
        self._started = now_s
        self.error = available()
        if self.error:
            return
        self._count += 1
        sample = drawn(window, self._count)
        wanted = (tuple(self.horizons), tuple(self.quantiles), self._count)
        try:
            self._job = self._submitted(sample, *wanted)
        except (RuntimeError, OSError) as error:  # the process or the cluster is gone
            self._failed(error)

    def _taken(self) -> GlobalModel | None:
        if self._job is None or not self._job.done():
            return None
        job, self._job, self._own = self._job, None, None
        try:
            model = GlobalModel.from_bytes(job.result())
        except TooFew:  # as with services that have no load yet; more steps may do
            return None
        except Exception as error:  # whatever the worker raised or died of
            self._failed(error)
            return None
        self._made = self._started
        self.error = ""
        return model

    def _failed(self, error: Exception) -> None:
        self.error = f"refit: {error or type(error).__name__}"

    def _submitted(self, *wanted: Any) -> Job:
        if self.workers is not None:
            return self.workers.submit(refitted, *wanted)
        self._own = SideProcess(refitted, *wanted)
        return self._own


def _known(window: Window) -> Window:
    """From the first step on in which anything is known."""
    known = np.flatnonzero(np.isfinite(window.values).any(axis=0))
    return window.last(window.steps - int(known[0]) if known.size else 0)


def drawn(window: Window, seed: int) -> Window:
    """So many of its series, and of its steps, as one refit learns from."""
    recent = window.last(HISTORY)
    if len(recent.names) <= _SERIES:
        return recent
    rows = np.random.default_rng(seed).choice(len(recent.names), _SERIES, replace=False)
    names = tuple(recent.names[row] for row in rows)
    return Window(names, recent.step_s, recent.end_ms, recent.values[rows])


def refitted(
    window: Window, horizons: Sequence[int], quantiles: Sequence[float], seed: int
) -> bytes:
    """The work itself, in whatever process: the new model's bytes. Raises as `fit`."""
    return fit([window], horizons, quantiles, seed).to_bytes()
