"""What the predictor keeps of loads: a ring of samples for every name of the last day.

It is bound (a thousand names that are gone), and fills for as long as names are new: more than an
hour. So it is reckoned from the predictor's own count of names, and taken off its memory. And its
forecasts look at the last day: it begins with one, or they would look at more every minute.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import numpy as np

from predictor.running.learning import MINUTES
from predictor.series.history import History
from predictor.series.loads import Keep
from predictor.series.window import Window
from tests.soak.pages import value_of

_KEEP: Final = Keep()
_SAMPLE_BYTES: Final = 4
_ROOM: Final = 1.25  # rings are made ahead, a quarter of what there is
_STEPS: Final = {
    "service": _KEEP.demand_s + _KEEP.rate_s + 2 * _KEEP.minutes,
    "policy": _KEEP.bits_s + _KEEP.minutes,
}
_MINUTE_MS: Final = 60_000


def history_mib(page: str) -> float:
    """By the predictor's page of metrics."""
    return sum(
        value_of(page, f'prewire_predictor_series{{kind="{kind}"}}') * steps
        for kind, steps in _STEPS.items()
    ) * (_ROOM * _SAMPLE_BYTES / 2**20)


def write_a_day(path: Path, service: str, policy: str) -> None:
    """The history of a service and a policy that were busy for a day and an hour until now."""
    end_ms = round(time.time() * 1000) // _MINUTE_MS * _MINUTE_MS
    loads = 10 + 5 * np.sin(np.arange(MINUTES) / 30)[np.newaxis]
    history = History(path)
    try:
        for kind, name in (("demand", service), ("rate", service), ("bits", policy)):
            history.add(kind, Window((name,), 60.0, end_ms, loads), end_ms)
    finally:
        history.close()
