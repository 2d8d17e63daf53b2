"""The quantile of the most demand within the lead time, each second, for all services at once.

Three views of a service are put together (the highest counts):
- level (lead_level.py): what demand is now, how it varies and grows;
- cycle (lead_cycle.py): what it did at this point of its earlier cycles, if it has a period;
- habit (lead_habit.py): of demand that comes and goes: what followed states like the present one.

Level is reckoned each step from the youngest seconds. Cycle and habit are learned from a longer
history, for a share of the services a step in turn, and hold until their turn comes again.

Must not know: containers, plans, where demand comes from, clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from predictor.models import cleaning
from predictor.models.lead_cycle import Cycles
from predictor.models.lead_habit import Habits
from predictor.models.lead_level import filled, level_quantile
from predictor.series.window import Floats, Window

History = Callable[[tuple[str, ...]], Window]

RECENT_STEPS = 120  # what step() looks at of its window
HISTORY_STEPS = 3600  # what history() gives at best
MAX_LEAD_STEPS = 120
LEARN_EVERY = 3  # steps from one turn of a service to the next, when there are few
LEARN_AT_MOST = 40  # services a step

SURPRISE = 1.25  # times what its cycle says now, above which a service is not as ever
NOISE = 1.5  # times that, within which it varies

LEVEL, CYCLE, HABIT = 0, 1, 2
VIEWS = ("level", "cycle", "habit")


@dataclass(frozen=True, slots=True, eq=False)
class Lead:
    """Of each service: the quantile of the most demand within the lead time; the load now; the most
    seen in what history there is; the period in seconds (0 = none); which view decided (VIEWS)."""

    names: tuple[str, ...]
    demand: Floats
    now: Floats
    most: Floats
    period_s: Floats
    view: NDArray[np.int8]


class LeadModel:
    """Keeps what was learned of each service; forgets services that are no longer in the window."""

    def __init__(self, learn_every: int = LEARN_EVERY) -> None:
        self._every = learn_every
        self._names: tuple[str, ...] = ()
        self._cycles = Cycles(0)
        self._habits = Habits(0)
        self._most: Floats = np.zeros(0)
        self._turn = 0
        self._due = float(LEARN_AT_MOST)

    def step(
        self,
        window: Window,
        lead_s: Floats | float,
        quantile: Floats | float,
        history: History | None = None,
        now_ms: int | None = None,
    ) -> Lead:
        """The lead counts from now_ms (default: the end of the window, that is, metrics that are
        not late); where the youngest steps are not known it counts from the last known one.

        window: at least the last RECENT_STEPS seconds of demand. history: gives up to HISTORY_STEPS
        seconds of the services that are learned in this step; without it the window is used.
        Any input has a finite result of at least 0; nothing known is no demand.
        """
        self._follow(window.names)
        late_s = 0.0 if now_ms is None else max(0.0, (now_ms - window.end_ms) / 1000)
        n = len(window.names)
        steps = np.ceil((np.broadcast_to(lead_s, n) + late_s) / window.step_s - 1e-9)
        steps = np.clip(np.nan_to_num(steps, nan=1.0), 1, MAX_LEAD_STEPS).astype(np.int64)
        wanted = np.clip(np.nan_to_num(np.broadcast_to(quantile, n), nan=0.99), 0.5, 0.9999)
        self._learn(window, history, steps, wanted)
        recent = cleaning.known(window.values[:, -RECENT_STEPS:])
        level, now = level_quantile(recent, steps, wanted)
        level = self._within_cycle(level, now, window)
        views = np.stack(
            (
                level,
                self._cycles.quantile(window.end_ms, window.step_s, steps),
                np.where(self._cycles.sure, 0.0, self._habits.quantile(recent)),
            )
        )
        self._most = np.maximum(self._most, np.fmax.reduce(recent, axis=1, initial=0.0))
        view = np.argmax(views, axis=0).astype(np.int8)
        period_s = self._cycles.period * window.step_s
        return Lead(window.names, views.max(axis=0), now, self._most, period_s, view)

    def _within_cycle(self, level: Floats, now: Floats, window: Window) -> Floats:
        """What demand that surges in cycles may come to beside these: hardly more than they say."""
        usual = self._cycles.about_now(window.end_ms, window.step_s)
        as_ever = self._cycles.surges & (now <= SURPRISE * usual + 1)
        return np.where(as_ever, np.clip(level, now, np.maximum(now, NOISE * usual)), level)

    def _follow(self, names: tuple[str, ...]) -> None:
        """Services may come and go between steps."""
        if names is self._names or names == self._names:
            return
        known = {name: i for i, name in enumerate(self._names)}
        source = np.array([known.get(name, -1) for name in names], dtype=np.int64)
        self._cycles = self._cycles.taken(source)
        self._habits = self._habits.taken(source)
        self._most = taken(self._most, source, 0.0)
        self._names = names

    def _learn(
        self, window: Window, history: History | None, steps: NDArray[np.int64], quantile: Floats
    ) -> None:
        """The share whose turn it is."""
        n = len(self._names)
        if n == 0 or window.steps == 0:
            return
        self._due = min(self._due + n / self._every, float(min(n, LEARN_AT_MOST)))
        count = int(self._due)
        if count == 0:
            return
        self._due -= count
        rows = (self._turn + np.arange(count)) % n
        self._turn = int(rows[-1] + 1) % n
        if history is None:
            values, end_ms = window.values[rows], window.end_ms
        else:
            past = history(tuple(self._names[i] for i in rows))
            values, end_ms = past.values, past.end_ms
        known = filled(cleaning.known(values[:, -HISTORY_STEPS:]))
        self._most[rows] = known.max(axis=1, initial=0.0)
        self._cycles.learn(rows, known, end_ms, quantile[rows])
        self._habits.learn(rows, known, steps[rows], quantile[rows])


def taken(values: Floats, source: NDArray[np.int64], default: float) -> Floats:
    """values[source], and the default where the source is -1."""
    if values.shape[0] == 0:
        return np.full((source.size, *values.shape[1:]), default)
    found = values[np.maximum(source, 0)]
    found[source < 0] = default
    return found
