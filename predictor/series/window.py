"""Many series over one stretch of time, at equal steps.

Must not know: where samples come from, what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """values[i, t]: of series names[i] in step t, the oldest first; NaN = not known.

    The last step ended at end_ms (milliseconds since 1970); a step is step_s seconds. ValueError
    where the shape does not fit the names.
    """

    names: tuple[str, ...]
    step_s: float
    end_ms: int
    values: Floats

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[0] != len(self.names):
            raise ValueError(f"{len(self.names)} names for values of shape {self.values.shape}")

    @property
    def steps(self) -> int:
        """How many steps."""
        return int(self.values.shape[1])

    def last(self, steps: int) -> Window:
        """The youngest so many steps, or as many as there are."""
        return Window(
            self.names, self.step_s, self.end_ms, self.values[:, max(self.steps - steps, 0) :]
        )

    def before(self, steps: int) -> Window:
        """What was known so many steps ago."""
        end_ms = self.end_ms - round(steps * self.step_s * 1000)
        return Window(self.names, self.step_s, end_ms, self.values[:, : self.steps - steps])
