"""What the predictor keeps of loads: a ring of samples for every name of the last day.

It is bound (a thousand names that are gone), and fills for as long as names are new: more than an
hour. So it is reckoned from the predictor's own count of names, and taken off its memory.
"""

from __future__ import annotations

from typing import Final

from predictor.series.loads import Keep
from tests.soak.pages import value_of

_KEEP: Final = Keep()
_SAMPLE_BYTES: Final = 4
_ROOM: Final = 1.25  # rings are made ahead, a quarter of what there is
_STEPS: Final = {
    "service": _KEEP.demand_s + _KEEP.rate_s + 2 * _KEEP.minutes,
    "policy": _KEEP.bits_s + _KEEP.minutes,
}


def history_mib(page: str) -> float:
    """By the predictor's page of metrics."""
    return sum(
        value_of(page, f'prewire_predictor_series{{kind="{kind}"}}') * steps
        for kind, steps in _STEPS.items()
    ) * (_ROOM * _SAMPLE_BYTES / 2**20)
