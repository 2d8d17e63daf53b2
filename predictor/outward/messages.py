"""Rows and views as messages of prewire.v1.

Must not know: who asked, or gRPC calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nib.plans import ContainerPlan, Dependency, Predictor, PrewarmRequest, RatePlan
from predictor.outward.generated import predictor_pb2 as pb
from predictor.outward.log import Key
from predictor.outward.views import POLICY, SERVICE, ForecastView, SeriesView

KINDS: Final[Mapping[str, pb.Kind.ValueType]] = {
    SERVICE: pb.KIND_SERVICE,
    POLICY: pb.KIND_POLICY,
}
KIND_NAMES: Final = {number: name for name, number in KINDS.items()}
STATES: Final[Mapping[str, pb.PrewarmRequest.State.ValueType]] = {
    "requested": pb.PrewarmRequest.STATE_REQUESTED,
    "accepted": pb.PrewarmRequest.STATE_ACCEPTED,
    "ready": pb.PrewarmRequest.STATE_READY,
    "expired": pb.PrewarmRequest.STATE_EXPIRED,
}


def container_plan(row: ContainerPlan) -> pb.ContainerPlan:
    """How many containers a service is to have."""
    return pb.ContainerPlan(
        service=row.service,
        containers=row.containers,
        from_ms=row.from_ms,
        until_ms=row.until_ms,
        source=row.source,
        reason=row.reason,
        stale=row.stale,
        made_ms=row.made_ms,
    )


def rate_plan(row: RatePlan) -> pb.RatePlan:
    """What a policy is to have."""
    return pb.RatePlan(
        policy=row.policy,
        from_ms=row.from_ms,
        until_ms=row.until_ms,
        source=row.source,
        max_bps=row.max_bps,
        guaranteed_bps=row.guaranteed_bps,
        reason=row.reason,
        refused=row.refused,
        stale=row.stale,
        made_ms=row.made_ms,
    )


def prewarm_request(row: PrewarmRequest) -> pb.PrewarmRequest:
    """That containers be started."""
    return pb.PrewarmRequest(
        id=row.id,
        service=row.service,
        containers=row.containers,
        missing=row.missing,
        requested_ms=row.requested_ms,
        needed_ms=row.needed_ms,
        deadline_ms=row.deadline_ms,
        state=STATES[row.state],
        accepted_ms=row.accepted_ms,
        accepted_by=row.accepted_by,
        ended_ms=row.ended_ms,
        reason=row.reason,
    )


def forecast(view: ForecastView) -> pb.Forecast:
    """Quantiles of a load."""
    return pb.Forecast(
        kind=KINDS[view.kind],
        name=view.name,
        unit=view.unit,
        made_ms=view.made_ms,
        step_s=view.step_s,
        horizons=view.horizons,
        quantiles=view.quantiles,
        values=view.values.ravel().tolist(),
        model=view.model,
        stale=view.stale,
    )


def series(view: SeriesView) -> pb.Series:
    """A load as it was."""
    return pb.Series(
        kind=KINDS[view.kind],
        name=view.name,
        unit=view.unit,
        step_s=view.step_s,
        end_ms=view.end_ms,
        values=view.values.tolist(),
    )


def dependency(row: Dependency) -> pb.Dependency:
    """A rise at one service that precedes one at another."""
    return pb.Dependency(
        parent=row.parent,
        child=row.child,
        lag_ms=row.lag_ms,
        source=row.source,
        gain=row.gain_permille / 1000,
        slope=row.slope_permille / 1000,
    )


def predictor_info(row: Predictor, shards: list[int]) -> pb.PredictorInfo:
    """A predictor that runs, and what it minds."""
    return pb.PredictorInfo(
        name=row.name,
        address=row.address,
        metrics=row.metrics,
        since_ms=row.since_ms,
        shards=sorted(shards),
    )


def gone(key: Key) -> pb.Gone:
    """A thing that is there no more."""
    kind, name = key
    return pb.Gone(kind=KINDS.get(kind, pb.KIND_SERVICE), name=name)


def plan_event(key: Key, row: ContainerPlan | RatePlan | None) -> pb.PlanEvent:
    """A plan as it is now."""
    if isinstance(row, ContainerPlan):
        return pb.PlanEvent(containers=container_plan(row))
    return pb.PlanEvent(gone=gone(key)) if row is None else pb.PlanEvent(rates=rate_plan(row))


def request_event(key: Key, row: PrewarmRequest | None) -> pb.PrewarmRequestEvent:
    """A prewarm request as it is now."""
    if row is None:
        return pb.PrewarmRequestEvent(gone=gone(key))
    return pb.PrewarmRequestEvent(request=prewarm_request(row))


def forecast_event(key: Key, view: ForecastView | None) -> pb.ForecastEvent:
    """A forecast as it is now."""
    if view is None:
        return pb.ForecastEvent(gone=gone(key))
    return pb.ForecastEvent(forecast=forecast(view))
