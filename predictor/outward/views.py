"""What is told of forecasts and series: values for one service or policy each.

Must not know: how they were made, or gRPC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # a REST server tells of forecasts too, and needs no NumPy for it
    from predictor.series.window import Floats

SERVICE: Final = "service"
POLICY: Final = "policy"


@dataclass(frozen=True, slots=True, eq=False)
class ForecastView:
    """values[h, q]: quantile quantiles[q] of the load in the step that ends horizons[h] steps after
    made_ms (milliseconds since 1970).

    kind: "service" or "policy". unit: of the values, as in "requests" (being worked at) or "bps".
    ValueError where the shape does not fit.
    """

    kind: str
    name: str
    made_ms: int
    step_s: float
    horizons: tuple[int, ...]
    quantiles: tuple[float, ...]
    values: Floats
    model: str
    unit: str = "requests"
    stale: bool = False

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.horizons), len(self.quantiles)):
            raise ValueError(
                f"{len(self.horizons)} horizons and {len(self.quantiles)} quantiles "
                f"for values of shape {self.values.shape}"
            )

    @property
    def key(self) -> tuple[str, str]:
        """(kind, name)."""
        return (self.kind, self.name)


@dataclass(frozen=True, slots=True, eq=False)
class SeriesView:
    """values[t]: of step t, the oldest first; NaN = not known. The last step ended at end_ms."""

    kind: str
    name: str
    step_s: float
    end_ms: int
    values: Floats
    unit: str = "requests"

    def __post_init__(self) -> None:
        if self.values.ndim != 1:
            raise ValueError(f"a series of shape {self.values.shape}")
