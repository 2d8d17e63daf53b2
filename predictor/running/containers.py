"""Container plans, from what is known of the load.

Must not know: where samples come from, how rows are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nib.plans import ContainerPlan, Dependency
from nib.prewarm import Scaling
from predictor.dependencies.boost import boost
from predictor.models.forecaster import Forecast
from predictor.models.lead import Lead, LeadModel
from predictor.planning.capacity import Capacity, Expected, Limits, known_until
from predictor.running.lead import LeadTimes
from predictor.running.rows import PlanRows
from predictor.series.window import Floats, Window

MEDIAN: Final = 0.5


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a tick knows beside the last seconds: by minutes, of dependencies, of rare calls.

    history: seconds of the services named, as far back as they are kept. rates: requests a second
    of all services, minded or not, for what parents bring; busy_s: the service time of each.
    """

    minutes: Forecast | None
    dependencies: Sequence[Dependency]
    warm: Mapping[str, bool]
    history: Callable[[tuple[str, ...]], Window]
    rates: Window
    busy_s: Mapping[str, float]


class ContainerPlanner:
    """Of the services that a predictor minds."""

    def __init__(self, leads: LeadTimes) -> None:
        self._leads = leads
        self._model = LeadModel()
        self._capacity = Capacity()
        self._rows = PlanRows()
        self.lead: Lead | None = None

    def plan(
        self, demand: Window, scalings: Sequence[Scaling], known: Knowledge, now_ms: int
    ) -> tuple[ContainerPlan, ...]:
        """demand: by seconds, of just the services that have these scalings, in their order."""
        if not scalings:
            self.lead = None
            return ()
        lead_s = np.array([self._leads.lead_s(each.service, each) for each in scalings])
        quantiles = np.array([each.quantile_permille / 1000 for each in scalings])
        lead = self._model.step(demand, lead_s, quantiles, known.history, now_ms)
        self.lead = lead
        expected = Expected(
            now=lead.now,
            lead=lead.demand,
            most=lead.most,
            known_ms=known_until(demand),
            minute=_by_minutes(known.minutes, lead, lead_s),
            boost=_by_parents(demand.names, known, lead_s, lead.most),
            warm=np.array([known.warm.get(name, False) for name in demand.names]),
        )
        expected = _without_forecast(expected, scalings)
        capacities = self._capacity.step(demand.names, expected, Limits.of(scalings), now_ms)
        return self._rows.of(capacities, now_ms)

    def remember(self, plans: Iterable[ContainerPlan]) -> None:
        """Plans of before, which hold until metrics are there."""
        self._capacity.remember({plan.service: plan.containers for plan in plans})


def _by_minutes(forecast: Forecast | None, lead: Lead, lead_s: Floats) -> Floats | None:
    """The median of the peaks within the lead time; none where the seconds show a period, for
    they say when in the minute it comes."""
    if forecast is None:
        return None
    places = {name: row for row, name in enumerate(forecast.names)}
    medians = forecast.quantile(MEDIAN)
    result = np.zeros(len(lead.names))
    for row, name in enumerate(lead.names):
        place = places.get(name)
        if place is not None and lead.period_s[row] == 0:
            horizons = 1 + int(lead_s[row] // forecast.step_s)
            result[row] = medians[place, :horizons].max(initial=0.0)
    return result


def _by_parents(
    names: tuple[str, ...], known: Knowledge, lead_s: Floats, most: Floats
) -> Floats | None:
    """Demand that parents' surges bring within the lead time; a parent may be anybody's."""
    if not known.dependencies:
        return None
    rates = known.rates
    places = {name: row for row, name in enumerate(rates.names)}
    rows = np.array([places.get(name, -1) for name in names], dtype=np.int64)
    there = rows >= 0
    leads, seen = np.zeros(len(places)), np.zeros(len(places))
    leads[rows[there]], seen[rows[there]] = lead_s[there], most[there]
    busy_s = np.array([known.busy_s.get(name, np.nan) for name in rates.names])
    brought = boost(rates, known.dependencies, leads, observed_max=seen, busy_s=busy_s)
    result = np.zeros(len(names))
    result[there] = brought.expected[rows[there]]
    return result


def _without_forecast(expected: Expected, scalings: Sequence[Scaling]) -> Expected:
    """What mode "react" leaves: the load of now."""
    reacts = np.array([each.mode == "react" for each in scalings])
    if not reacts.any():
        return expected

    def kept(values: Floats | None) -> Floats | None:
        return None if values is None else np.where(reacts, 0.0, values)

    return Expected(
        now=expected.now,
        lead=np.where(reacts, expected.now, expected.lead),
        most=expected.most,
        known_ms=expected.known_ms,
        minute=kept(expected.minute),
        boost=kept(expected.boost),
        warm=None if expected.warm is None else expected.warm & ~reacts,
    )
