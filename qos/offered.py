"""What is offered of policies, as rates of growing byte counts.

Open vSwitch brings a flow's counts up to date some twice a second only: a rate is that of the last
few readings together. Pure: the time is an argument.

Must not know: where counts come from, what rates are for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

_READINGS: Final = 4  # of which the first and the last make a rate
_BITS: Final = 8


class Offered:
    """Bits a second by policy name and datapath id."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, str], deque[tuple[float, int]]] = {}

    def read(self, policy: str, switch: str, count: int, at_s: float) -> None:
        """Bytes of a policy that a switch counted up to a time, in seconds.

        A count below the one before is of flows that are new: it begins again.
        """
        readings = self._read.setdefault((policy, switch), deque(maxlen=_READINGS))
        if readings and count < readings[-1][1]:
            readings.clear()
        readings.append((at_s, count))

    def keep(self, wanted: Callable[[str, str], object]) -> None:
        """Forget the policies in switches that are not wanted."""
        for key in [key for key in self._read if not wanted(*key)]:
            del self._read[key]

    def rates(self) -> Mapping[str, Mapping[str, float]]:
        """As far as they are known."""
        found: dict[str, dict[str, float]] = {}
        for (policy, switch), readings in self._read.items():
            (first_s, first), (last_s, last) = readings[0], readings[-1]
            if last_s > first_s:
                rate = (last - first) * _BITS / (last_s - first_s)
                found.setdefault(policy, {})[switch] = rate
        return found
