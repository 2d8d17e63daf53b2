"""Requests of one service: when they arrive and how long they take; and what follows from that
alone as long as nobody has to wait.

Must not know: containers, policies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify

import numpy as np
from numpy.typing import NDArray

from predictor.replay.queues import Queue
from predictor.series.window import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """arrivals: sorted seconds from the start; service_s: how long each takes.

    ValueError where they do not fit together or a time is no time.
    """

    name: str
    arrivals: Floats
    service_s: Floats

    def __post_init__(self) -> None:
        if self.arrivals.ndim != 1 or self.arrivals.shape != self.service_s.shape:
            raise ValueError(f"{self.name}: {self.arrivals.shape} arrivals, {self.service_s.shape}")
        if not np.isfinite(self.arrivals).all() or (np.diff(self.arrivals) < 0).any():
            raise ValueError(f"{self.name}: arrivals are not sorted, finite seconds")
        if not (np.isfinite(self.service_s).all() and (self.service_s > 0).all()):
            raise ValueError(f"{self.name}: a service time is not above 0 s")


def poisson(counts: Sequence[float] | Floats, step_s: float, rng: np.random.Generator) -> Floats:
    """Arrival times whose counts a step are as given, each at any moment of its step alike: a
    Poisson process, given its counts."""
    whole = np.nan_to_num(np.asarray(counts, dtype=np.float64)).clip(0).round().astype(np.int64)
    starts = np.repeat(np.arange(whole.size) * step_s, whole)
    return np.asarray(np.sort(starts + rng.random(starts.size) * step_s), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Quiet:
    """A workload nobody of which waits, by step: arrivals; requests in the system, their mean, at
    the end, and the most at once."""

    times: Floats
    ends: Floats
    first: NDArray[np.int64]
    arrivals: Floats
    mean: Floats
    last: Floats
    peak: Floats
    longest_s: float

    def of_step(self, step: int) -> tuple[list[float], list[float]]:
        """When the requests of a step arrive, and how long they take."""
        lo, hi = self.first[step], self.first[step + 1]
        return self.times[lo:hi].tolist(), (self.ends[lo:hi] - self.times[lo:hi]).tolist()

    def queue_at(self, step: int, now: float) -> Queue:
        """The requests that are worked at when the step begins."""
        hi = int(self.first[step])
        lo = int(np.searchsorted(self.times, now - self.longest_s))
        ends = self.ends[lo:hi]
        working = ends[ends > now].tolist()
        heapify(working)
        return Queue(working, deque())


def quiet(workload: Workload, edges: Floats) -> Quiet:
    """What happens between each two edges (seconds) if nobody waits."""
    times = workload.arrivals
    ends = times + workload.service_s
    ordered = np.sort(ends)
    first = np.searchsorted(times, edges)
    gone = np.searchsorted(ordered, edges, side="right")
    at_once = np.arange(1, times.size + 1) - np.searchsorted(ordered, times, side="right")
    last = (first - gone).astype(np.float64)
    work = _work_until(edges, times, first) - _work_until(edges, ordered, gone)
    return Quiet(
        times=times,
        ends=ends,
        first=first.astype(np.int64),
        arrivals=np.diff(first).astype(np.float64),
        mean=np.diff(work) / np.diff(edges),
        last=last[1:],
        peak=_peaks(at_once, first, last[:-1]),
        longest_s=float(workload.service_s.max(initial=0.0)),
    )


def _work_until(edges: Floats, times: Floats, before: NDArray[np.intp]) -> Floats:
    """Sum over the times before each edge of how long before it they are."""
    total = np.concatenate(([0.0], np.cumsum(times)))
    return np.asarray(edges * before - total[before], dtype=np.float64)


def _peaks(at_once: NDArray[np.intp], first: NDArray[np.intp], begin: Floats) -> Floats:
    """The most at once in each step: at its beginning, or when a request arrives."""
    peaks = begin.copy()
    filled = np.flatnonzero(np.diff(first) > 0)
    if filled.size:
        most = np.maximum.reduceat(at_once[: first[-1]], first[filled])
        peaks[filled] = np.maximum(peaks[filled], most)
    return peaks
