"""What REST answers of capacity intent: rows, and how they stand.

Owns: the JSON objects of answers, made from a view of the database and the time. Nothing is decided
here.

Must not know: requests, who wrote a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from nib.errors import FieldError
from nib.in_force import RatesInForce, rates_in_force
from nib.intent import Service
from nib.mirror import Lookups
from nib.paging import Next
from nib.plans import ContainerPlan, RatePlan
from nib.prewarm import Override, Provisioning, Scaling, Schedule
from nib.qos import Policy
from nib.records import field_values
from predictor.outward.present import standing
from predictor.planning.schedules import Calendar, next_start
from predictor.routes.plan_answers import (
    ContainerPlanOut,
    RatePlanOut,
    container_plan_out,
    rate_plan_out,
)


class ScalingOut(BaseModel):
    """How a service scales, and how it stands."""

    service: str
    mode: Literal["plan", "react", "observe"] = Field(
        description="`observe`: forecast and plan, but request nothing"
    )
    concurrency: int = Field(description="requests that a container works at in parallel")
    target_percent: int = Field(description="how full a container is to be")
    quantile_permille: int = Field(
        description="of the most load within the lead time, what there is to be room for"
    )
    min_containers: int = Field(description="never fewer")
    max_containers: int = Field(description="never more")
    hold_seconds: int = Field(description="how long containers are kept after the last need")
    cold_start_ms: int | None = Field(
        description="how long a container takes to start; null: as measured"
    )
    target: str = Field(description="who starts containers; empty: whoever subscribes")
    generation: int = Field(description="the change that stored it last")
    present: int = Field(description="containers that are registered and not draining")
    ready: int = Field(description="containers that take new connections")
    plan: ContainerPlanOut | None = Field(description="null: nothing is planned yet")


class ScalingList(BaseModel):
    """All scalings, by service."""

    items: list[ScalingOut]
    next: Next = None


class ProvisioningOut(BaseModel):
    """Which rates of a policy follow the forecast, and how it stands."""

    policy: str
    rates: Literal["max", "guaranteed", "both"] = Field(description="which of the policy's rates")
    headroom_percent: int = Field(description="added to the forecast")
    quantile_permille: int = Field(description="of the load, what there is to be room for")
    floor_bps: int = Field(description="never less, bits a second")
    ceiling_bps: int | None = Field(
        description="never more; null: what the policy says, or links can carry"
    )
    generation: int = Field(description="the change that stored it last")
    plan: RatePlanOut | None = Field(description="null: nothing is planned yet")
    in_force: RatesInForce | None = Field(description="null: there is no such policy any more")


class ProvisioningList(BaseModel):
    """All provisionings, by policy."""

    items: list[ProvisioningOut]
    next: Next = None


class ScheduleOut(BaseModel):
    """A schedule, and when it holds."""

    name: str
    cron: str = Field(description="minute, hour, day of month, month, day of week")
    timezone: str = Field(description="a name of the IANA database")
    duration_seconds: int = Field(description="for how long each time")
    service: str | None = Field(description="whose containers; or null")
    policy: str | None = Field(description="whose rates; or null")
    containers: int | None = Field(description="of a service, at least")
    max_bps: int | None = Field(description="of a policy, at least, bits a second")
    guaranteed_bps: int | None = Field(description="of a policy, at least")
    generation: int = Field(description="the change that stored it last")
    state: Literal["active", "waiting"] = Field(
        description="`waiting`: what it is of is not there; `active` says nothing of the time"
    )
    reason: str = Field(description="why it waits; or empty")
    holds_until_ms: int | None = Field(description="it holds now, until then; null: it does not")
    next_ms: int | None = Field(
        description="when it begins next, milliseconds since 1970; null: never again"
    )


class ScheduleList(BaseModel):
    """All schedules, by name."""

    items: list[ScheduleOut]
    next: Next = None


class OverrideOut(BaseModel):
    """An operator's word for a while."""

    kind: Literal["service", "policy"]
    name: str
    containers: int | None = Field(description="of a service")
    max_bps: int | None = Field(description="of a policy, bits a second; null: as planned")
    guaranteed_bps: int | None = Field(description="of a policy; null: as planned")
    until_ms: int = Field(description="when it ends, milliseconds since 1970")
    seconds_left: float = Field(description="until then; 0: it is over")
    reason: str
    generation: int = Field(description="the change that stored it last")


class OverrideList(BaseModel):
    """All overrides, by kind and name."""

    items: list[OverrideOut]
    next: Next = None


def scaling_out(scaling: Scaling, view: Lookups, now_ms: int) -> ScalingOut:
    """A scaling, with the service's plan and what it has."""
    has = standing(view, scaling.service)
    plan = view.get(ContainerPlan, scaling.service)
    return ScalingOut.model_validate(
        {
            **field_values(scaling),
            "present": has.present,
            "ready": has.ready,
            "plan": plan and container_plan_out(plan, view, now_ms),
        }
    )


def provisioning_out(provisioning: Provisioning, view: Lookups, now_ms: int) -> ProvisioningOut:
    """A provisioning, with the policy's plan and what is in force."""
    plan = view.get(RatePlan, provisioning.policy)
    policy = view.get(Policy, provisioning.policy)
    return ProvisioningOut.model_validate(
        {
            **field_values(provisioning),
            "plan": plan and rate_plan_out(plan, view, now_ms),
            "in_force": policy and rates_in_force(policy, view),
        }
    )


def schedule_out(schedule: Schedule, view: Lookups, now_ms: int) -> ScheduleOut:
    """A schedule, and when it holds."""
    reason, times = _missing(schedule, view), _Times()
    try:
        times = _Times.of(schedule, now_ms)
    except FieldError as error:  # it was stored where this time zone is known
        reason = f"{error.field}: {error.message}"
    return ScheduleOut.model_validate(
        {
            **field_values(schedule),
            "state": "waiting" if reason else "active",
            "reason": reason,
            "holds_until_ms": times.holds_until_ms,
            "next_ms": times.next_ms,
        }
    )


@dataclass(frozen=True, slots=True)
class _Times:
    """When a schedule holds, as far as that is known."""

    holds_until_ms: int | None = None
    next_ms: int | None = None

    @classmethod
    def of(cls, schedule: Schedule, now_ms: int) -> _Times:
        """FieldError where its cron line or time zone cannot be read."""
        holding = Calendar((schedule,)).due(now_ms, 0)
        until_ms = max((each.until_ms for each in holding), default=None)
        return cls(until_ms, next_start(schedule, now_ms))


def _missing(schedule: Schedule, view: Lookups) -> str:
    """Why what a schedule is of cannot have anything; or nothing."""
    if schedule.service is not None and view.get(Service, schedule.service) is None:
        return f"there is no service {schedule.service}"
    if schedule.policy is not None and view.get(Policy, schedule.policy) is None:
        return f"there is no policy {schedule.policy}"
    return ""


def override_out(override: Override, now_ms: int) -> OverrideOut:
    """An override, and how long it lasts."""
    left = max(override.until_ms - now_ms, 0) / 1000
    return OverrideOut.model_validate({**field_values(override), "seconds_left": left})
