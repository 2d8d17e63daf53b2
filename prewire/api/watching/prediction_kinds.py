"""Plans and what they are made of, as watchers see them.

Owns: which rows change which plan, schedule or override, and when time does.
Must not know: watchers, HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from nib.intent import Container, Service
from nib.mirror import Lookups, RowChange
from nib.observed import Health
from nib.plans import (
    ContainerPlan,
    Dependency,
    PolicyRate,
    Predictor,
    PrewarmRequest,
    RatePlan,
    Shard,
)
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from nib.qos import Policy
from nib.records import Record
from predictor.routes.answers import override_out, provisioning_out, scaling_out, schedule_out
from predictor.routes.dependency_answers import dependency_out
from predictor.routes.plan_answers import (
    container_plan_out,
    predictor_list,
    prewarm_request_out,
    rate_plan_out,
)
from prewire.api.watching.gateway_kinds import of_service
from prewire.api.watching.kinds import (
    Keyed,
    Kind,
    Touch,
    Touched,
    by,
    everything,
    one_unit,
    soonest,
    whole,
)

_SERVICE: Final = "services/"
_POLICY: Final = "policies/"


def _of_policy(record: Record) -> str:
    return str(cast(Any, record).policy)


def _name(record: Record) -> str:
    return str(cast(Any, record).name)


def _joined(record: Record) -> str:
    return "/".join(cast("tuple[str, ...]", record.key))


def _appeared(change: RowChange, _view: Lookups) -> Touched:
    """Everything, where the row is new or gone; what it says does not matter."""
    return None if change.old is None or change.new is None else ()


# What changes a service's plan beside what the service has, and likewise a policy's.
_PLANNED: Final[dict[type[Record], Touch]] = dict.fromkeys(
    (ContainerPlan, PrewarmRequest, Container, Health), by(of_service)
) | {Service: by(_name)}
_RATED: Final[dict[type[Record], Touch]] = dict.fromkeys((RatePlan, PolicyRate), by(_of_policy)) | {
    Policy: by(_name)
}


def _prefixed(prefix: str, name: Touch) -> Touch:
    return lambda change, view: [prefix + each for each in name(change, view) or ()]


def _plan_units(view: Lookups) -> Iterator[str]:
    yield from (_SERVICE + plan.service for plan in view.all(ContainerPlan))
    yield from (_POLICY + plan.policy for plan in view.all(RatePlan))


def _plans(unit: str, view: Lookups, now_ms: int) -> Iterator[Keyed]:
    plan = _plan(unit, view)
    if isinstance(plan, ContainerPlan):
        yield unit, container_plan_out(plan, view, now_ms)
    elif plan is not None:
        yield unit, rate_plan_out(plan, view, now_ms)


def _plan(unit: str, view: Lookups) -> ContainerPlan | RatePlan | None:
    kind, _, name = unit.partition("/")
    return view.get(ContainerPlan, name) if kind == "services" else view.get(RatePlan, name)


def _plan_due(unit: str, view: Lookups, now_ms: int) -> int | None:
    plan = _plan(unit, view)
    return soonest((plan.from_ms, plan.until_ms), now_ms) if plan is not None else None


def _scalings(name: str, view: Lookups, now_ms: int) -> Iterator[Keyed]:
    row = view.get(Scaling, name)
    if row is not None:
        yield name, scaling_out(row, view, now_ms)


def _provisionings(name: str, view: Lookups, now_ms: int) -> Iterator[Keyed]:
    row = view.get(Provisioning, name)
    if row is not None:
        yield name, provisioning_out(row, view, now_ms)


def _schedules(name: str, view: Lookups, now_ms: int) -> Iterator[Keyed]:
    row = view.get(Schedule, name)
    if row is not None:
        yield name, schedule_out(row, view, now_ms)


def _schedule_due(name: str, view: Lookups, now_ms: int) -> int | None:
    row = view.get(Schedule, name)
    if row is None:
        return None
    shown = schedule_out(row, view, now_ms)
    return soonest((shown.holds_until_ms, shown.next_ms), now_ms)


def _override(unit: str, view: Lookups) -> Override | None:
    kind, _, name = unit.partition("/")
    return view.get(Override, (kind, name))


def _overrides(unit: str, view: Lookups, now_ms: int) -> Iterator[Keyed]:
    row = _override(unit, view)
    if row is not None:
        yield unit, override_out(row, now_ms)


def _override_due(unit: str, view: Lookups, now_ms: int) -> int | None:
    row = _override(unit, view)
    return soonest((row.until_ms,), now_ms) if row is not None else None


def _requests(name: str, view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    row = view.get(PrewarmRequest, name)
    if row is not None:
        yield name, prewarm_request_out(row)


def _dependencies(unit: str, view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    parent, _, child = unit.partition("/")
    key = (parent, child)
    if view.get(Dependency, key) is not None or view.get(DependencyRule, key) is not None:
        yield unit, dependency_out(key, view)


def _predictors(view: Lookups, _now_ms: int) -> Iterator[Keyed]:
    return ((each.name, each) for each in predictor_list(view).items)


KINDS: Final = (
    Kind(
        "plans",
        "/v1/plans",
        {kind: _prefixed(_SERVICE, touch) for kind, touch in _PLANNED.items()}
        | {kind: _prefixed(_POLICY, touch) for kind, touch in _RATED.items()},
        _plan_units,
        _plans,
        _plan_due,
    ),
    Kind(
        "scalings",
        "/v1/scalings",
        {**_PLANNED, Scaling: by(of_service)},
        lambda view: (each.service for each in view.all(Scaling)),
        _scalings,
        lambda name, view, now_ms: _plan_due(_SERVICE + name, view, now_ms),
        filters=("service",),
    ),
    Kind(
        "provisionings",
        "/v1/provisionings",
        {**_RATED, Provisioning: by(_of_policy)},
        lambda view: (each.policy for each in view.all(Provisioning)),
        _provisionings,
        lambda name, view, now_ms: _plan_due(_POLICY + name, view, now_ms),
        filters=("policy",),
    ),
    Kind(
        "schedules",
        "/v1/schedules",
        {Schedule: by(_name), Service: _appeared, Policy: _appeared},
        lambda view: (each.name for each in view.all(Schedule)),
        _schedules,
        _schedule_due,
    ),
    Kind(
        "overrides",
        "/v1/overrides",
        {Override: by(_joined)},
        lambda view: (_joined(each) for each in view.all(Override)),
        _overrides,
        _override_due,
        volatile=frozenset({"seconds_left"}),
    ),
    Kind(
        "prewarm-requests",
        "/v1/prewarm-requests",
        {PrewarmRequest: by(lambda record: cast(PrewarmRequest, record).id)},
        lambda view: (each.id for each in view.all(PrewarmRequest)),
        _requests,
        filters=("service", "state"),
    ),
    Kind(
        "dependencies",
        "/v1/dependencies",
        {Dependency: by(_joined), DependencyRule: by(_joined)},
        lambda view: (
            _joined(each) for kind in (Dependency, DependencyRule) for each in view.all(kind)
        ),
        _dependencies,
    ),
    Kind(
        "predictors",
        "/v1/predictors",
        dict.fromkeys((Predictor, Shard, Scaling), everything),
        one_unit,
        whole(_predictors),
        pace_s=0.25,
    ),
)
