"""How long a service works at a request, and how many requests it has at a time.

Little's law: requests in flight = rate of arrivals x time in the service. Both sides are taken over
some minutes, or over the last arrivals of what is rare, so that neither a burst nor a stall says
much.

Pure: vectors by service. Must not know: names, containers.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from predictor.series.window import Floats

HALF_LIFE_S: Final = 300.0
_FEWEST: Final = 3.0  # arrivals that a service time is told from
_ENOUGH: Final = 50.0  # arrivals; with more, older ones fade
_NOTHING: Final = 0.05  # requests that are left of what has ceased to arrive
_SHORTEST_S: Final = 0.001
_LONGEST_S: Final = 3600.0


class Little:
    """State of n services; `grow` makes room for more."""

    def __init__(self, assumed_s: float) -> None:
        """assumed_s: service time where none is measured."""
        self._assumed_s = assumed_s
        self._busy = np.empty(0)  # requests in flight x seconds, fading
        self._arrived = np.empty(0)  # arrivals, fading
        self._offered = np.empty(0)  # requests that would be in flight, had they found containers
        self._rate = np.empty(0)  # of arrivals at containers, the last that was known

    def grow(self, size: int) -> None:
        """There are so many services; the new ones are the last."""
        more = np.zeros(max(0, size - self._busy.size))
        self._busy, self._arrived = np.append(self._busy, more), np.append(self._arrived, more)
        self._offered, self._rate = np.append(self._offered, more), np.append(self._rate, more)

    def keep(self, places: NDArray[np.intp]) -> None:
        """Only the services that stood here are left, in this order."""
        self._busy, self._arrived = self._busy[places], self._arrived[places]
        self._offered, self._rate = self._offered[places], self._rate[places]

    def service_times(self) -> Floats:
        """Seconds; NaN where too little arrived to tell."""
        with np.errstate(invalid="ignore", divide="ignore"):
            times = np.clip(self._busy / self._arrived, _SHORTEST_S, _LONGEST_S)
        return np.where((self._arrived >= _FEWEST) & (self._busy > 0), times, np.nan)

    def demand(self, rate: Floats, live: Floats, inflight: Floats, seconds: float) -> Floats:
        """Concurrency offered after so many seconds at these rates; NaN: nothing is known.

        It is what is in flight, or more: what arrived stays for a service time, also while it
        finds no container. rate: arrivals a second at containers, NaN: not known; live: of those
        that found none; inflight: requests, NaN: not known.
        """
        if seconds > 0:
            self._learn(rate, inflight, seconds)
        self._rate = np.where(np.isnan(rate), self._rate, rate)
        times = self.service_times()
        times[np.isnan(times)] = self._assumed_s
        stay = np.exp(-seconds / times)
        arriving = self._rate + live
        self._offered = self._offered * stay + arriving * times * (1 - stay)
        self._offered[(arriving == 0) & (self._offered < _NOTHING)] = 0.0
        is_known = ~np.isnan(rate) | (live > 0)
        return np.asarray(np.fmax(inflight, np.where(is_known, self._offered, np.nan)))

    def _learn(self, rate: Floats, inflight: Floats, seconds: float) -> None:
        fade = 0.5 ** (seconds / HALF_LIFE_S)
        known = np.isfinite(rate) & np.isfinite(inflight)
        fades = np.where(self._arrived > _ENOUGH, fade, 1.0)  # what is rare is not forgotten
        self._busy = self._busy * fades + np.where(known, inflight * seconds, 0.0)
        self._arrived = self._arrived * fades + np.where(known, rate * seconds, 0.0)
