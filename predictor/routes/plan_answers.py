"""What REST answers of decisions: plans, rates in force, prewarm requests, predictors.

Owns: the JSON objects of answers, made from a view of the database and the time. Nothing is decided
here.

Must not know: requests, who wrote a row.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nib.in_force import RatesInForce, rates_in_force
from nib.mirror import Lookups
from nib.paging import ALL, Next, Page
from nib.plans import (
    ContainerPlan,
    Predictor,
    PrewarmRequest,
    RatePlan,
    Shard,
    shard_of,
)
from nib.prewarm import Scaling
from nib.qos import Policy
from nib.records import field_values
from predictor.outward.life import in_time, is_open
from predictor.outward.present import standing

Source = Literal["load", "forecast", "dependency", "schedule", "override", "keep-alive", "limit"]


class ContainerPlanOut(BaseModel):
    """How many containers a service is to have, and has."""

    service: str
    containers: int = Field(description="how many it is to have")
    present: int = Field(description="how many are registered and not draining")
    ready: int = Field(description="how many of them take new connections")
    source: Source = Field(description="what decided it")
    reason: str = Field(description="how; or empty")
    from_ms: int = Field(description="it holds from then, milliseconds since 1970")
    until_ms: int = Field(description="until then; nobody heeds it any more after that")
    valid: bool = Field(description="whether it holds now")
    stale: bool = Field(description="made again from the last good one: metrics are missing")
    made_ms: int = Field(description="when it was made")
    request: str | None = Field(description="id of the prewarm request that is open; or null")


class RatePlanOut(BaseModel):
    """What a policy is to have, by its forecast, schedules and overrides; and has."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "policy": "to-web",
                    "max_bps": 80000000,
                    "guaranteed_bps": 10000000,
                    "source": "forecast",
                    "reason": "p99 of 72.7M and 10 %",
                    "refused": "",
                    "from_ms": 1795322807852,
                    "until_ms": 1795322837852,
                    "valid": True,
                    "stale": False,
                    "made_ms": 1795322807852,
                    "in_force": {
                        "max_bps": 80000000,
                        "guaranteed_bps": 10000000,
                        "source": "plan",
                        "until_ms": 1795322837852,
                    },
                }
            ]
        }
    )

    policy: str
    max_bps: int | None = Field(description="bits a second at most; null: as the policy says")
    guaranteed_bps: int | None = Field(description="that it can always have; null: likewise")
    source: Source = Field(description="what decided it")
    reason: str = Field(description="how; or empty")
    refused: str = Field(description="why it is not what the forecast asks for; empty where it is")
    from_ms: int = Field(description="it holds from then, milliseconds since 1970")
    until_ms: int = Field(description="until then; nobody heeds it any more after that")
    valid: bool = Field(description="whether it holds now")
    stale: bool = Field(description="made again from the last good one: metrics are missing")
    made_ms: int = Field(description="when it was made")
    in_force: RatesInForce | None = Field(description="null: there is no such policy any more")


class PlanList(BaseModel):
    """Plans by name: those of services, then those of policies."""

    services: list[ContainerPlanOut]
    policies: list[RatePlanOut]
    next: Next = None


class PrewarmRequestOut(BaseModel):
    """That containers be started, and what became of it."""

    id: str
    service: str
    containers: int = Field(description="how many there are to be")
    missing: int = Field(description="how many were not there when it was made")
    state: Literal["requested", "accepted", "ready", "expired"]
    accepted_by: str = Field(description="who took it; or empty")
    requested_ms: int = Field(description="when it was made, milliseconds since 1970")
    needed_ms: int = Field(description="when the forecast needs them")
    deadline_ms: int = Field(description="when it expires")
    accepted_ms: int | None = Field(description="when it was taken; or null")
    ended_ms: int | None = Field(description="when all were ready, or it expired; or null")
    in_time: bool | None = Field(
        description="ready when they were needed; null: not over yet, or not needed any more"
    )
    reason: str = Field(description="why it was made; or empty")


class PrewarmRequestList(BaseModel):
    """Prewarm requests, the newest first."""

    items: list[PrewarmRequestOut]
    next: Next = None


class PredictorOut(BaseModel):
    """A predictor, and what it minds."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "host1-4711",
                    "address": "127.0.0.1:8690",
                    "metrics": "http://127.0.0.1:8691/metrics",
                    "since_ms": 1795322807852,
                    "shards": [0, 1, 2, 3],
                    "services": 12,
                }
            ]
        }
    )

    name: str
    address: str = Field(description="of its gRPC server; or empty")
    metrics: str = Field(description="the URL of its metrics; or empty")
    since_ms: int = Field(description="when it began, milliseconds since 1970")
    shards: list[int] = Field(description="the shares of services and policies it minds")
    services: int = Field(description="how many services with a scaling are in them")


class PredictorList(BaseModel):
    """All predictors, by name."""

    items: list[PredictorOut]
    next: Next = None


def container_plan_out(plan: ContainerPlan, view: Lookups, now_ms: int) -> ContainerPlanOut:
    """A service's plan, beside what it has."""
    has = standing(view, plan.service)
    return ContainerPlanOut.model_validate(
        {
            **field_values(plan),
            "present": has.present,
            "ready": has.ready,
            "valid": plan.from_ms <= now_ms < plan.until_ms,
            "request": view.derived(_open_requests, PrewarmRequest).get(plan.service),
        }
    )


def _open_requests(view: Lookups) -> dict[str, str]:
    """Service -> id of its newest request that is not over."""
    waiting = [each for each in view.all(PrewarmRequest) if is_open(each)]
    return {each.service: each.id for each in sorted(waiting, key=lambda each: each.requested_ms)}


def rate_plan_out(plan: RatePlan, view: Lookups, now_ms: int) -> RatePlanOut:
    """A policy's plan, beside what it has."""
    policy = view.get(Policy, plan.policy)
    return RatePlanOut.model_validate(
        {
            **field_values(plan),
            "valid": plan.from_ms <= now_ms < plan.until_ms,
            "in_force": policy and rates_in_force(policy, view),
        }
    )


def plan_list(view: Lookups, now_ms: int, page: Page = ALL) -> PlanList:
    """Plans of services by name, then those of policies."""
    plans: list[ContainerPlan | RatePlan] = [*view.all(ContainerPlan), *view.all(RatePlan)]
    part = page.cut(plans, _place)
    return PlanList(
        services=[
            container_plan_out(plan, view, now_ms)
            for plan in part.rows
            if isinstance(plan, ContainerPlan)
        ],
        policies=[
            rate_plan_out(plan, view, now_ms) for plan in part.rows if isinstance(plan, RatePlan)
        ],
        next=part.next,
    )


def _place(plan: ContainerPlan | RatePlan) -> tuple[int, str]:
    return int(isinstance(plan, RatePlan)), plan.key


def prewarm_request_out(request: PrewarmRequest) -> PrewarmRequestOut:
    """A request, and whether its containers were there in time."""
    return PrewarmRequestOut.model_validate({**field_values(request), "in_time": in_time(request)})


def prewarm_request_list(
    view: Lookups, service: str | None, state: str | None, page: Page = ALL
) -> PrewarmRequestList:
    """Those of a service and in a state, or all, the newest first."""
    found = [
        each
        for each in view.all(PrewarmRequest)
        if service in (None, each.service) and state in (None, each.state)
    ]
    part = page.cut(found, lambda each: (-each.requested_ms, each.id))
    items = [prewarm_request_out(each) for each in part.rows]
    return PrewarmRequestList(items=items, next=part.next)


def predictor_list(view: Lookups, page: Page = ALL) -> PredictorList:
    """All predictors, by name, each with what it minds."""
    held: dict[str, list[int]] = {}
    for shard in sorted(view.all(Shard), key=lambda shard: shard.number):
        held.setdefault(shard.holder, []).append(shard.number)
    services = Counter(shard_of(scaling.service) for scaling in view.all(Scaling))
    part = page.cut(view.all(Predictor), lambda each: each.name)
    return PredictorList(
        items=[
            PredictorOut(
                name=each.name,
                address=each.address,
                metrics=each.metrics,
                since_ms=each.since_ms,
                shards=held.get(each.name, []),
                services=sum(services[number] for number in held.get(each.name, ())),
            )
            for each in part.rows
        ],
        next=part.next,
    )
