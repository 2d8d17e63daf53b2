"""How good forecasts were, in the field's figures.

Must not know: models, files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from predictor.models.losses import pinball
from predictor.series.window import Floats

_ROUNDING: Final = 1e-9  # of a load: a forecast so close is equal


@dataclass(slots=True, eq=False)
class Scores:
    """Sums over origins, per series and horizon; add one origin after the other.

    Figures "of all" are sums of errors over sums of loads: the busy weigh most. "Per series" they
    are means over series of that, each in its own mean load: all weigh the same; series without
    any load in what is scored are left out there.
    """

    quantiles: tuple[float, ...]
    error: Floats  # [n, h], of the median
    load: Floats  # [n, h]
    loss: Floats  # [n, h, q]
    covered: Floats  # [h, q]
    below: Floats  # [h, q]: loads under the quantile, not at it
    count: Floats  # [n, h]
    seconds: float = 0.0

    @classmethod
    def none(cls, series: int, horizons: int, quantiles: Sequence[float]) -> Scores:
        """Nothing scored yet. ValueError where the median or the .95 quantile is missing."""
        if 0.5 not in quantiles or 0.95 not in quantiles:
            raise ValueError(f"scores need quantiles 0.5 and 0.95, not only {list(quantiles)}")
        flat, deep = (series, horizons), (horizons, len(quantiles))
        return cls(
            tuple(quantiles),
            np.zeros(flat),
            np.zeros(flat),
            np.zeros((*flat, len(quantiles))),
            np.zeros(deep),
            np.zeros(deep),
            np.zeros(flat),
        )

    def add(self, forecast: Floats, actual: Floats) -> None:
        """forecast[n, h, q] of actual[n, h], which may be NaN: not counted."""
        known = np.isfinite(actual)
        load = np.where(known, actual, 0.0)
        slack = _ROUNDING * load[..., None]
        median = forecast[:, :, self.quantiles.index(0.5)]
        self.error += np.where(known, np.abs(load - median), 0.0)
        self.load += load
        self.loss += pinball(load, forecast, self.quantiles) * known[..., None]
        self.covered += ((load[..., None] <= forecast + slack) & known[..., None]).sum(axis=0)
        self.below += ((load[..., None] < forecast - slack) & known[..., None]).sum(axis=0)
        self.count += known

    def figures(self) -> dict[str, Any]:
        """JSON-able. Shares, but ms_per_series: milliseconds a forecast of one series took."""
        top = self.quantiles.index(0.95)
        coverage = self.covered.sum(axis=0) / max(self.count.sum(), 1)
        below = self.below.sum(axis=0) / max(self.count.sum(), 1)
        origins = self.count.max(initial=0.0)
        return {
            "wape_h1": _share(self.error[:, 0].sum(), self.load[:, 0].sum()),
            "wape": _share(self.error.sum(), self.load.sum()),
            "wape_per_series": self._per_series(self.error),
            "pinball_95": _share(self.loss[:, :, top].sum(), self.load.sum()),
            "pinball_95_per_series": self._per_series(self.loss[:, :, top]),
            "coverage": {
                f"{level:g}": round(float(each), 4)
                for level, each in zip(self.quantiles, coverage, strict=True)
            },
            "coverage_below": {
                f"{level:g}": round(float(each), 4)
                for level, each in zip(self.quantiles, below, strict=True)
            },
            "coverage_error_95": round(abs(float(coverage[top]) - 0.95), 4),
            "ms_per_series": _share(1000 * self.seconds, origins * len(self.load), 5),
        }

    def by_horizon(self) -> dict[str, list[float]]:
        """WAPE and scaled pinball loss of .95 for each horizon, of all."""
        top = self.quantiles.index(0.95)
        load = np.maximum(self.load.sum(axis=0), 1e-300)
        return {
            "wape": [round(float(each), 4) for each in self.error.sum(axis=0) / load],
            "pinball_95": [
                round(float(each), 4) for each in self.loss[:, :, top].sum(axis=0) / load
            ],
        }

    def _per_series(self, errors: Floats) -> float | None:
        load = self.load.sum(axis=1)
        loaded = load > 0
        if not loaded.any():
            return None
        return round(float((errors.sum(axis=1)[loaded] / load[loaded]).mean()), 4)


def _share(part: float, whole: float, digits: int = 4) -> float | None:
    return round(float(part) / float(whole), digits) if whole > 0 else None
