"""What the predictor knows when a soak begins: a day, of as many names as it remembers.

Its memory is bound by that (a thousand services that are gone, and as many policies), and its
forecasts look at the last day: without them it would grow, and look at more, for as long as names
are new, which is longer than a soak.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import numpy as np

from predictor.running.learning import MINUTES
from predictor.series.history import History
from predictor.series.loads import MOST_GONE
from predictor.series.window import Window

_MINUTE_MS: Final = 60_000


def write_a_day(path: Path, service: str, policy: str) -> None:
    """A service and a policy that were busy for a day until now, and others that were for an hour
    and are gone."""
    end_ms = round(time.time() * 1000) // _MINUTE_MS * _MINUTE_MS
    gone = tuple(f"gone-{number}" for number in range(MOST_GONE))
    loads = np.full((1 + len(gone), MINUTES), np.nan)
    loads[0] = 10 + 5 * np.sin(np.arange(MINUTES) / 30)
    loads[1:, -60:] = 1.0
    history = History(path)
    try:
        for kind, name in (("demand", service), ("rate", service), ("bits", policy)):
            history.add(kind, Window((name, *gone), 60.0, end_ms, loads), end_ms)
    finally:
        history.close()
