"""Pinball loss: what a quantile forecast costs once the load is known.

Must not know: models, selection.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from predictor.series.window import Floats


def pinball(actual: Floats, forecast: Floats, quantiles: Sequence[float]) -> Floats:
    """Of forecast[..., q] for actual[...], in the load's unit; NaN where the load is not known."""
    levels = np.asarray(quantiles)
    short = actual[..., None] - forecast
    loss: Floats = np.maximum(levels * short, (levels - 1) * short)
    return loss
