"""Dependencies, learned on the side: in seconds and in minutes, a share of the services at a time.

Must not know: what dependencies are used for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from nib.plans import Dependency
from nib.prewarm import DependencyRule
from predictor.dependencies.learner import Learner
from predictor.dependencies.rules import union
from predictor.series.window import Window

_FINE_STEPS: Final = 60  # lags of up to a minute
_COARSE_STEPS: Final = 30  # and of up to half an hour

Talks = Collection[tuple[str, str]]


class Edges:
    """What precedes what, as known now."""

    def __init__(self, known: Iterable[Dependency]) -> None:
        """known: what the database has from before."""
        self._fine = Learner(max_lag_steps=_FINE_STEPS)
        self._coarse = Learner(max_lag_steps=_COARSE_STEPS)
        learned = list(known)
        self._fine.restore([each for each in learned if each.lag_ms <= _FINE_STEPS * 1000])
        self._coarse.restore(
            [each for each in learned if each.lag_ms > _FINE_STEPS * 1000], step_s=60.0
        )

    def learn_seconds(self, rates: Window, talks: Talks | None) -> None:
        """Examine the next share of the services by seconds."""
        self._fine.step(rates, talks)

    def learn_minutes(self, rates: Window, talks: Talks | None) -> None:
        """Examine the next share of the services by minutes."""
        self._coarse.step(rates, talks)

    def dependencies(
        self, seconds: Window, minutes: Window, rules: Collection[DependencyRule]
    ) -> tuple[Dependency, ...]:
        """All that are known; of one found by both, that in seconds."""
        return union(
            self._fine.dependencies(seconds, rules), self._coarse.dependencies(minutes, rules)
        )
