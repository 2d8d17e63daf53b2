"""What takes longer than a tick: forecasts by minutes, rare calls, dependencies, the global model.

Its results are replaced as wholes, so a tick may read them from another thread.

Must not know: plans, rows, where samples come from.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nib.plans import Dependency
from nib.prewarm import DependencyRule
from predictor.models.forecaster import Forecast, Forecaster
from predictor.models.refit import Refit
from predictor.outward.views import SERVICE, ForecastView
from predictor.planning.keepalive import KeepAlive
from predictor.running.edges import Edges, Talks
from predictor.running.measures import PredictorMeasures
from predictor.series.window import Window

LOG = logging.getLogger(__name__)

MINUTES: Final = 1500  # that forecasts look at: a day and an hour
_EDGES_S: Final = 15.0  # from one share of the services to the next
REPLAYED: Final = 60  # of which are forecast again at the start, to learn how good each model is


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to learn from; windows are large, and made when they are asked for.

    minute_ms: when the last whole minute ended. demand, rates: of services that are minded, by
    minutes; seconds, minutes: rates of the services named, None = all, by seconds and by minutes.
    """

    minute_ms: int
    demand: Callable[[], Window]
    rates: Callable[[], Window]
    seconds: Callable[[Collection[str] | None], Window]
    minutes: Callable[[Collection[str] | None], Window]
    talks: Talks | None


class Learning:
    """Of the services of one predictor."""

    def __init__(
        self,
        known: Iterable[Dependency],
        measures: PredictorMeasures,
        refit_s: float,
        pool: Any = None,
    ) -> None:
        """known: dependencies that were learned before. pool: where refits run, None = here."""
        self._forecaster = Forecaster()
        self._keep_alive = KeepAlive(step_s=60.0)
        self._edges = Edges(known)
        self._refit = Refit(every_s=refit_s, workers=pool) if refit_s > 0 else None
        self._measures = measures
        self._minute_ms: int | None = None
        self._ending = threading.Event()
        self._edges_due_s = 0.0
        self.minutes: Forecast | None = None
        self.warm: Mapping[str, bool] = {}
        self.dependencies: tuple[Dependency, ...] = ()

    def recall(self, demand: Window) -> None:
        """History, before the first step."""
        for back in range(min(REPLAYED, demand.steps - 1), 0, -1):
            if self._ending.is_set():
                return
            self._forecaster.step(demand.before(back))

    def recall_calls(self, rates: Window) -> None:
        """Likewise, by minutes, for rare calls."""
        if not self._ending.is_set():
            self._keep_alive.learn(_calls(rates))

    def step(self, seen: Seen, rules: Collection[DependencyRule], now_s: float) -> bool:
        """Learn from what is new; whether a minute was over."""
        if now_s >= self._edges_due_s:
            self._edges_due_s = now_s + _EDGES_S
            self._edges.learn_seconds(seen.seconds(None), seen.talks)
        is_minute = seen.minute_ms != self._minute_ms
        if is_minute:
            self._minute_ms = seen.minute_ms
            self._learn_minute(seen, now_s)
        pinned = {name for rule in rules if rule.verdict == "pin" for name in rule.key}
        self.dependencies = self._edges.dependencies(
            seen.seconds(pinned), seen.minutes(pinned), rules
        )
        return is_minute

    def views(self) -> tuple[ForecastView, ...]:
        """The forecasts by minutes, one a service."""
        forecast = self.minutes
        if forecast is None:
            return ()
        return tuple(
            ForecastView(
                SERVICE,
                name,
                forecast.made_ms,
                forecast.step_s,
                forecast.horizons,
                forecast.quantiles,
                forecast.values[row],
                forecast.chosen[row],
            )
            for row, name in enumerate(forecast.names)
        )

    def stop(self) -> None:
        """Leave off recalling; from any thread."""
        self._ending.set()

    def close(self) -> None:
        """End what runs on the side."""
        if self._refit is not None:
            self._refit.close()

    def _learn_minute(self, seen: Seen, now_s: float) -> None:
        everyone = seen.minutes(None)
        self._edges.learn_minutes(everyone, seen.talks)
        demand = seen.demand()
        self._look_at_refit(demand, now_s)
        self.minutes = self._forecaster.step(demand)
        calls = _calls(seen.rates())
        self._keep_alive.keep(everyone.names)  # those of other predictors too: they may come here
        self._keep_alive.observe(calls.names, calls.values[:, -1])
        warmth = self._keep_alive.warm(calls.names)
        self.warm = dict(zip(calls.names, warmth.warm.tolist(), strict=True))
        self._tell_outcomes()

    def _look_at_refit(self, demand: Window, now_s: float) -> None:
        if self._refit is None:
            return
        before = self._refit.error
        model = self._refit.tick(demand, now_s)
        if model is not None:
            self._forecaster.adopt(model)
            self._measures.refits.labels("adopted").inc()
        elif self._refit.error and self._refit.error != before:
            LOG.warning("the global model was not fitted: %s", self._refit.error)
            self._measures.refits.labels("failed").inc()
        age_s = self._refit.age_s(now_s)
        self._measures.model_age_seconds.set(float("nan") if age_s is None else age_s)

    def _tell_outcomes(self) -> None:
        outcomes = self._forecaster.outcomes
        self._measures.forecast_error_ratio.set(outcomes.wape)
        for quantile, coverage in outcomes.coverage.items():
            self._measures.forecast_coverage_ratio.labels(f"{quantile:g}").set(coverage)


def _calls(rates: Window) -> Window:
    """Calls in each step, from calls a second."""
    return Window(rates.names, rates.step_s, rates.end_ms, rates.values * rates.step_s)
