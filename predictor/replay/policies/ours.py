"""What prewire does: the same lead-time model and capacity planning as the running predictor.

Must not know: the simulator.
"""

from __future__ import annotations

import numpy as np

from predictor.models.lead import HISTORY_STEPS, RECENT_STEPS, LeadModel
from predictor.planning.capacity import Capacity, Expected, Limits, known_until
from predictor.replay.simulator import Ints, Setting, View
from predictor.series.window import Floats, Window

START_MS = 1_700_000_000_000


class Prewire:
    """service_s: of each service, as measured; demand is the most of requests in the system and of
    arrivals times service time, as in predictor.series.loads."""

    on_demand = False

    def __init__(
        self,
        names: tuple[str, ...],
        service_s: Floats,
        limits: Limits,
        setting: Setting,
        quantile: float = 0.99,
    ) -> None:
        self.name = "prewire"
        self._names, self._service_s, self._limits = names, service_s, limits
        self._lead_s, self._quantile, self._step_s = setting.lead_s, quantile, setting.step_s
        self._index = {name: i for i, name in enumerate(names)}
        self._model, self._capacity = LeadModel(), Capacity()

    def desired(self, view: View) -> Ints:
        """Asked once a step."""
        now_ms = START_MS + round(view.now_s * 1000)
        end_ms = now_ms - round(view.age_s * 1000)

        def history(names: tuple[str, ...]) -> Window:
            rows = np.array([self._index[name] for name in names], dtype=np.int64)
            return Window(names, self._step_s, end_ms, self._demand(view, HISTORY_STEPS, rows))

        window = Window(
            self._names, self._step_s, end_ms, self._demand(view, RECENT_STEPS, slice(None))
        )
        lead = self._model.step(window, self._lead_s, self._quantile, history, now_ms)
        expected = Expected(lead.now, lead.demand, lead.most, known_until(window))
        return self._capacity.step(self._names, expected, self._limits, now_ms).containers

    def _demand(self, view: View, steps: int, rows: Ints | slice) -> Floats:
        work = view.rate[rows, -steps:] * self._service_s[rows, np.newaxis]
        return np.asarray(np.maximum(work, view.last[rows, -steps:]), dtype=np.float64)
