"""How forecasts and prewarm requests turned out, as metrics.

Must not know: how either is made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from nib.plans import ContainerPlan, PrewarmRequest, RatePlan
from predictor.outward.life import in_time, is_open
from predictor.running.measures import PredictorMeasures

_KEPT: Final = 100


class Outcomes:
    """Counts what was decided and what became of it."""

    def __init__(self, measures: PredictorMeasures) -> None:
        self._measures = measures
        self._leads: Mapping[str, float] = {}
        self._policies: frozenset[str] = frozenset()
        self._verdicts: deque[bool] = deque(maxlen=_KEPT)

    def leads(self, leads_s: Mapping[str, float]) -> None:
        """The lead time of each service that is minded, in seconds."""
        self._measures.forget_services(self._leads.keys() - leads_s.keys())
        for name, lead_s in leads_s.items():
            if self._leads.get(name) != lead_s:
                self._measures.lead_seconds.labels(name).set(lead_s)
        self._leads = leads_s

    def policies(self, names: Collection[str]) -> None:
        """The policies whose rates are planned."""
        self._measures.forget_policies(self._policies.difference(names))
        self._policies = frozenset(names)

    def planned(self, plans: Iterable[ContainerPlan], rates: Iterable[RatePlan]) -> None:
        """Plans that were made or changed."""
        for plan in plans:
            self._measures.decisions.labels("containers", plan.source).inc()
            self._measures.planned_containers.labels(plan.service).set(plan.containers)
        for rate in rates:
            self._measures.decisions.labels("rates", rate.source).inc()
            for name, bps in (("max", rate.max_bps), ("guaranteed", rate.guaranteed_bps)):
                self._measures.planned_rate(rate.policy, name, bps)

    def requested(self, requests: Iterable[PrewarmRequest]) -> None:
        """Requests that are new, or have come further."""
        for request in requests:
            self._measures.requests.labels(request.state).inc()
            if is_open(request):
                continue
            if request.state == "ready" and request.ended_ms is not None:
                took_ms = request.ended_ms - request.requested_ms
                self._measures.readiness_seconds.observe(max(0, took_ms) / 1000)
            verdict = in_time(request)
            if verdict is not None:
                self._count(verdict)

    def _count(self, verdict: bool) -> None:
        self._verdicts.append(verdict)
        self._measures.in_time.labels("yes" if verdict else "no").inc()
        self._measures.ready_in_time_ratio.set(sum(self._verdicts) / len(self._verdicts))
