"""The oracle: it knows the future, so that nobody waits, with as few container-seconds as that
takes when containers cost from their start on.

Must not know: the simulator's state.
"""

from __future__ import annotations

import numpy as np

from predictor.replay.simulator import Ints, View
from predictor.series.window import Floats


def oracle_containers(peak: Floats, lead_steps: int, concurrency: int = 1) -> Ints:
    """[service, step] of the most requests at once -> containers: the most from each step until a
    lead time later (an idle container is kept where starting it again would take as long)."""
    need = np.ceil(peak / concurrency - 1e-9)
    padded = np.pad(need, ((0, 0), (0, lead_steps)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, lead_steps + 1, axis=1)
    return np.asarray(windows.max(axis=2), dtype=np.int64)


class Oracle:
    """containers[service, step], from oracle_containers."""

    on_demand = False

    def __init__(self, containers: Ints, step_s: float = 1.0) -> None:
        self.name = "oracle"
        self._containers, self._step_s = containers, step_s

    def desired(self, view: View) -> Ints:
        """As it was reckoned for this step."""
        step = min(round(view.now_s / self._step_s), self._containers.shape[1] - 1)
        return np.asarray(self._containers[:, step])
