"""Rows of container plans, made only where a plan says something new or half of its time is over:
most plans of a tick are those of the tick before.

Must not know: how plans are made, how rows are written.
"""

from __future__ import annotations

import numpy as np

from nib.plans import ContainerPlan
from predictor.planning.capacity import Capacities
from predictor.running.decided import VALID_MS


class PlanRows:
    """The rows of one tick after the other."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._said = np.zeros((4, 0), dtype=np.int64)
        self._made_ms = np.zeros(0, dtype=np.int64)
        self._rows: list[ContainerPlan] = []

    def of(self, capacities: Capacities, now_ms: int) -> tuple[ContainerPlan, ...]:
        """One a service, in their order."""
        known = (capacities.containers, capacities.why, capacities.because, capacities.stale)
        said = np.stack(known).astype(np.int64)
        if capacities.names != self._names:
            self._names = capacities.names
            self._said = np.full_like(said, -1)
            self._made_ms = np.zeros(len(self._names), dtype=np.int64)
            self._rows = [_row(capacities, place, now_ms) for place in range(len(self._names))]
            new = np.arange(len(self._names))
        else:
            age_ms = now_ms - self._made_ms
            is_due = (age_ms < 0) | (age_ms >= VALID_MS // 2)
            new = np.flatnonzero(is_due | (said != self._said).any(axis=0))
            for place in new.tolist():
                self._rows[place] = _row(capacities, place, now_ms)
        self._said = said
        self._made_ms[new] = now_ms
        return tuple(self._rows)


def _row(capacities: Capacities, place: int, now_ms: int) -> ContainerPlan:
    return ContainerPlan(
        capacities.names[place],
        int(capacities.containers[place]),
        now_ms,
        now_ms + VALID_MS,
        capacities.source(place),
        capacities.reason(place),
        stale=bool(capacities.stale[place]),
        made_ms=now_ms,
    )
