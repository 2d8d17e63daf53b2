"""What a predictor knows and decides, tick by tick.

Owns: the load series, the models, what is learned, and what follows for the services and policies
of its shards. `heard` and `tick` belong to one thread; `recall` and `learn`, which take
longer, to another; both share no more than what one replaces and the other reads.
Must not know: HTTP, gRPC, who runs the threads.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Final, TypeAlias

from nib.mirror import Lookups
from nib.plans import MAX_REASON, ContainerPlan, PrewarmRequest, RatePlan
from predictor.outward.present import Standing
from predictor.outward.views import SERVICE, ForecastView, SeriesView
from predictor.planning.merge import merge_containers, merge_rates
from predictor.planning.schedules import Calendar
from predictor.running.containers import ContainerPlanner, Knowledge
from predictor.running.decided import VALID_MS, Decided, Wish, changed, dependency_changes
from predictor.running.lead import LeadTimes
from predictor.running.learning import MINUTES, Learning, Seen
from predictor.running.measures import PredictorMeasures
from predictor.running.minded import Minded
from predictor.running.outcomes import Outcomes
from predictor.running.presence import NOBODY, presence_of
from predictor.running.programming import programming_s
from predictor.running.rates import RatePlanner
from predictor.running.requests import request_changes
from predictor.series.loads import Keep, Loads
from predictor.series.scrape import Page
from predictor.series.window import Window

Rates: TypeAlias = tuple[int | None, int | None]  # max_bps, guaranteed_bps
Admit: TypeAlias = Callable[
    [Lookups, Mapping[str, Rates]], Mapping[str, tuple[int | None, int | None, str]]
]
View: TypeAlias = Callable[[], AbstractContextManager[Lookups]]

RECENT_S: Final = 180  # seconds of demand that a tick looks at
HISTORY_S: Final = 3600
LEARNED_S: Final = 900  # that dependencies are learned from
SURGES_S: Final = 420  # that parents' surges are seen in
STALE_S: Final = 15.0
LEAST_MINUTES: Final = 120  # of policies, however many there are
FIRST_SAMPLES: Final = 600_000  # of all policies' minutes, that are learned from at the start
ADMITTED_MS: Final = 10_000  # after which plans are admitted anew, for links may have changed
RATE_LEAD_S: Final = 5.0  # how long before the need a rate is to be in the switches


class Engine:
    """One predictor's mind. Times are milliseconds since 1970."""

    def __init__(
        self,
        rows: Minded,
        learning: Learning,
        *,
        owns: Callable[[str], bool],
        admit: Admit,
        measures: PredictorMeasures,
        tick_s: float,
        counters_s: float,
    ) -> None:
        """counters_s: how often controllers read the counters of switches."""
        self.loads = Loads(Keep(minutes=MINUTES), counters_every_s=counters_s)
        self.outcomes = Outcomes(measures)
        self.wishes: tuple[Wish, ...] = ()
        self._rows = rows
        self._learning = learning
        self._owns = owns
        self._admit = admit
        self._measures = measures
        self._leads = LeadTimes(tick_s)
        self._containers = ContainerPlanner(self._leads)
        self._rates = RatePlanner(lead_s=RATE_LEAD_S)
        self._calendar = Calendar(rows.schedules)
        self._planned: tuple[str, ...] = ()
        self._rated: tuple[str, ...] = ()
        self._asked: Mapping[str, Rates] = {}
        self._asked_ms = 0
        self._given: Mapping[str, tuple[int | None, int | None, str]] = {}
        self._lock = threading.Lock()  # of the loads

    def heard(self, page: Page, at_ms: int, source: str) -> None:
        """A page of a controller's metrics."""
        with self._lock, self._timed("samples"):
            self.loads.add(page, at_ms, source)
        self._leads.programmed(programming_s(page))

    def recall(self) -> None:
        """Learn from the history that the loads were filled with."""
        with self._lock:
            names = self.loads.services
        self._learning.recall(self._window(self.loads.demand, 60, MINUTES, names))
        self._learning.recall_calls(self._window(self.loads.rate, 60, MINUTES, names))

    def series(self, kind: str, name: str, step_s: float, steps: int) -> SeriesView | None:
        """The youngest samples of a service or policy; None: nothing is known of it."""
        with self._lock:
            of = self.loads.demand if kind == SERVICE else self.loads.bits
            known = self.loads.services if kind == SERVICE else self.loads.policies
            if name not in known:
                return None
            window = of(step_s, steps, [name])
        unit = "requests" if kind == SERVICE else "bps"
        return SeriesView(kind, name, window.step_s, window.end_ms, window.values[0], unit)

    # --------------------------------------------------------------------------- learning

    def learn(self, now_s: float) -> bool:
        """What takes longer; whether there are new forecasts by minutes."""
        rows = self._rows
        with self._timed("learning"):
            is_minute = self._learning.step(self._seen(rows), rows.rules, now_s)
            if is_minute:
                policies = self._provisioned(rows)
                steps = max(LEAST_MINUTES, min(MINUTES, FIRST_SAMPLES // max(1, len(policies))))
                with self._lock:
                    bits = self.loads.bits(60, steps, policies)
                self._rates.learn_minute(bits, rows.provisionings)
        return is_minute

    def forecasts(self) -> tuple[ForecastView, ...]:
        """By minutes, one a service and one a policy whose rates follow the forecast."""
        return self._learning.views() + self._rates.forecasts()

    def _seen(self, rows: Minded) -> Seen:
        ends = {name: policy.ends for name, policy in rows.policies.items()}
        with self._lock:
            names = self.loads.services
            talks = self.loads.talking(ends)
            minute_ms = self.loads.demand(60, 1, ()).end_ms
        mine = tuple(name for name in names if self._owns(name))
        return Seen(
            minute_ms,
            demand=partial(self._window, self.loads.demand, 60, MINUTES, mine),
            rates=partial(self._window, self.loads.rate, 60, 1, mine),
            seconds=lambda of: self._window(self.loads.rate, 1, LEARNED_S, _those(of, names)),
            minutes=lambda of: self._window(self.loads.rate, 60, MINUTES, _those(of, names)),
            talks=talks or None,
        )

    def _window(
        self, of: Callable[..., Window], step_s: float, steps: int, names: tuple[str, ...]
    ) -> Window:
        with self._lock:
            return of(step_s, steps, names)

    # ------------------------------------------------------------------------------- ticks

    def tick(self, view: View, now_ms: int) -> Decided:
        """What is to be written now. view: opens the database's replica, for a moment each."""
        with view() as lookups:
            rows = self._rows = Minded.of(lookups, self._owns)
            self._leads.learn(lookups.all(PrewarmRequest))
        self._calendar.set(rows.schedules)
        is_stale = not self.loads.fresh(now_ms, STALE_S)
        with self._timed("containers"):
            plans = self._container_plans(rows, now_ms)
        with self._timed("rates"):
            rates = self._rate_plans(rows, now_ms, is_stale=is_stale)
        self._measure(plans.values(), rates.values(), now_ms)
        with view() as lookups, self._timed("rows"):
            return self._decided(
                lookups, plans, self._admitted(lookups, rates, rows, now_ms), now_ms
            )

    def _container_plans(self, rows: Minded, now_ms: int) -> Mapping[str, ContainerPlan]:
        names = tuple(scaling.service for scaling in rows.scalings)
        if names != self._planned:  # services have come, perhaps from another predictor
            self._planned = names
            self._containers.remember(rows.plans)
        with self._lock:
            demand = self.loads.demand(1, RECENT_S, names)
        known = self._knowledge()
        plans = self._containers.plan(demand, rows.scalings, known, now_ms)
        leads_s = {each.service: self._leads.lead_s(each.service, each) for each in rows.scalings}
        self.outcomes.leads(leads_s)
        leads_ms = {name: round(lead_s * 1000) for name, lead_s in leads_s.items()}
        due = self._calendar.due(now_ms, leads_ms)
        until_ms = now_ms + VALID_MS
        return merge_containers(plans, due, rows.overrides, now_ms, until_ms, limits=rows.scalings)

    def _rate_plans(self, rows: Minded, now_ms: int, *, is_stale: bool) -> Mapping[str, RatePlan]:
        with self._lock:
            bits = self.loads.bits(1, RECENT_S, self._provisioned(rows))
        if bits.names != self._rated:  # policies have come, perhaps from another predictor
            self._rated = bits.names
            self._rates.remember(rows.rate_plans)
        plans = self._rates.plan(
            bits,
            rows.provisionings,
            rows.limits,
            self._bits_history,
            now_ms,
            is_stale=is_stale,
        )
        due = self._calendar.due(now_ms, round(RATE_LEAD_S * 1000))
        own = {name: (each.max_bps, each.guaranteed_bps) for name, each in rows.policies.items()}
        merged = merge_rates(plans, due, now_ms, now_ms + VALID_MS, own=own)
        self.outcomes.policies(merged)
        return merged

    def _admitted(
        self, lookups: Lookups, rates: Mapping[str, RatePlan], rows: Minded, now_ms: int
    ) -> tuple[RatePlan, ...]:
        known = {name: plan for name, plan in rates.items() if name in rows.policies}
        asked = {name: (plan.max_bps, plan.guaranteed_bps) for name, plan in known.items()}
        if asked != self._asked or now_ms - self._asked_ms > ADMITTED_MS:
            self._given = self._admit(lookups, asked) if asked else {}
            self._asked, self._asked_ms = asked, now_ms
        given = self._given
        return tuple(
            replace(
                plan,
                max_bps=given[name][0],
                guaranteed_bps=given[name][1],
                refused=given[name][2][:MAX_REASON],
            )
            for name, plan in known.items()
        )

    def _decided(
        self,
        lookups: Lookups,
        plans: Mapping[str, ContainerPlan],
        rates: tuple[RatePlan, ...],
        now_ms: int,
    ) -> Decided:
        rows, planned = self._rows, {rate.policy for rate in rates}
        asked = {each.service for each in lookups.all(PrewarmRequest) if self._owns(each.service)}
        requests = request_changes(
            lookups,
            plans,
            asked.union(plans),
            self._leads,
            now_ms=now_ms,
            make_id=lambda: uuid.uuid4().hex,
        )
        put, undone = dependency_changes(self._learning.dependencies, lookups, self._owns)
        scalings = {each.service: each for each in rows.scalings}
        presence = presence_of(lookups)
        self.wishes = tuple(
            Wish(name, scalings[name].target, _asked_for(plan, presence.get(name, NOBODY)))
            for name, plan in plans.items()
            if name in scalings and scalings[name].target and scalings[name].mode != "observe"
        )
        return Decided(
            plans=changed(plans.values(), lambda key: lookups.get(ContainerPlan, key), now_ms),
            rates=changed(rates, lambda key: lookups.get(RatePlan, key), now_ms),
            requests=requests.put,
            dependencies=put,
            ended=requests.delete,
            undone=undone,
            idle=tuple(each.service for each in rows.plans if each.service not in plans),
            unplanned=tuple(each.policy for each in rows.rate_plans if each.policy not in planned),
        )

    def _knowledge(self) -> Knowledge:
        learning = self._learning
        steps = SURGES_S if learning.dependencies else 0
        with self._lock:
            rates = self.loads.rate(1, steps, self.loads.services)
            busy_s = self.loads.service_times() if steps else {}
        return Knowledge(
            learning.minutes, learning.dependencies, learning.warm, self._history, rates, busy_s
        )

    def _history(self, names: tuple[str, ...]) -> Window:
        with self._lock:
            return self.loads.demand(1, HISTORY_S, names)

    def _bits_history(self, names: tuple[str, ...]) -> Window:
        with self._lock:
            return self.loads.bits(1, HISTORY_S, names)

    def _provisioned(self, rows: Minded) -> tuple[str, ...]:
        return tuple(name for name in rows.provisionings if name in rows.policies)

    def _timed(self, part: str) -> AbstractContextManager[object]:
        return self._measures.tick_seconds.labels(part).time()

    def _measure(
        self, plans: Iterable[ContainerPlan], rates: Iterable[RatePlan], now_ms: int
    ) -> None:
        measures, lead, last_ms = self._measures, self._containers.lead, self.loads.last_ms
        measures.series.labels("service").set(len(self.loads.services))
        measures.series.labels("policy").set(len(self.loads.policies))
        if last_ms is not None:
            measures.sample_age_seconds.set(max(0, now_ms - last_ms) / 1000)
        measures.stale_plans.labels("containers").set(sum(plan.stale for plan in plans))
        measures.stale_plans.labels("rates").set(sum(plan.stale for plan in rates))
        if lead is not None:
            for name, demand in zip(lead.names, lead.demand.tolist(), strict=True):
                measures.forecast_demand.labels(name).set(demand)


def _those(wanted: Collection[str] | None, names: tuple[str, ...]) -> tuple[str, ...]:
    """The wanted ones of the names that there are; None: all."""
    return names if wanted is None else tuple(name for name in names if name in wanted)


def _asked_for(plan: ContainerPlan, there: Standing) -> int | None:
    """What a driver is asked for: where metrics are missing no fewer than there are."""
    if not plan.stale:
        return plan.containers
    return max(plan.containers, there.present) or None
