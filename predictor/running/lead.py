"""How far ahead a need must be known: cold start and programming time, as measured.

The cold start of a service is what its prewarm requests took from request to readiness (registered,
healthy); until one of its own has ended, what those of all services took. The programming time is
what the controller says its switches took to acknowledge.

Must not know: who measures, forecasts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import Final

import numpy as np

from nib.plans import PrewarmRequest
from nib.prewarm import Scaling

FIRST_COLD_START_S: Final = 5.0  # until anything is measured
LONGEST_S: Final = 900.0
_KEPT: Final = 20  # measurements a service
_QUANTILE: Final = 0.9


class LeadTimes:
    """Of all services, in seconds."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._cold: dict[str, deque[float]] = {}
        self._own_s: dict[str, float] = {}  # quantiles of _cold
        self._others_s = FIRST_COLD_START_S
        self._counted: set[str] = set()
        self._programming_s = 0.0

    def learn(self, requests: Iterable[PrewarmRequest]) -> None:
        """What requests that came to readiness took; each counts once."""
        present, measured = set(), set()
        for request in requests:
            present.add(request.id)
            if request.state != "ready" or request.ended_ms is None or request.id in self._counted:
                continue
            self._counted.add(request.id)
            took = (request.ended_ms - request.requested_ms) / 1000
            if 0 <= took <= LONGEST_S:
                self._cold.setdefault(request.service, deque(maxlen=_KEPT)).append(took)
                measured.add(request.service)
        self._counted &= present
        if measured:
            self._own_s |= {name: _high(self._cold[name]) for name in measured}
            self._others_s = _high([took for each in self._cold.values() for took in each])

    def programmed(self, seconds: float) -> None:
        """The programming time at present, 90 % of changes; anything absurd is left out."""
        if 0 <= seconds <= LONGEST_S:
            self._programming_s = seconds

    def cold_start_s(self, service: str, scaling: Scaling | None = None) -> float:
        """What a container of this service takes to be ready."""
        if scaling is not None and scaling.cold_start_ms is not None:
            return scaling.cold_start_ms / 1000
        return self._own_s.get(service, self._others_s)

    def lead_s(self, service: str, scaling: Scaling | None = None) -> float:
        """From a plan to a container that has connections."""
        return self.cold_start_s(service, scaling) + self._programming_s + self._tick_s


def _high(measured: Collection[float]) -> float:
    return float(np.quantile(list(measured), _QUANTILE))
