"""What is to hold: plans, raised by schedules, unless an operator overrides them.

Owns: who wins, and how long it then holds. Pure: time is passed in.
Must not know: how plans are made, the database.

Times are milliseconds since 1970, rates bits a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from nib.plans import MAX_REASON, ContainerPlan, RatePlan
from nib.prewarm import Override, Scaling
from predictor.planning.schedules import Occurrence

Rates: TypeAlias = tuple[int | None, int | None]
_NO_RATES: Final[Rates] = (None, None)


def merge_containers(
    plans: Iterable[ContainerPlan],
    occurrences: Iterable[Occurrence],
    overrides: Iterable[Override],
    now_ms: int,
    until_ms: int,
    *,
    limits: Iterable[Scaling] = (),
) -> dict[str, ContainerPlan]:
    """Of each service with a plan that is not over, a schedule or an override: what holds.

    The most of plan and schedules, up to the service's max_containers; an override wins over all of
    that while it lasts, and what it gives ends with it. until_ms: how long a decision without a
    plan holds.
    """
    found = {plan.service: plan for plan in plans if plan.until_ms > now_ms}
    most = {limit.service: limit.max_containers for limit in limits}
    for occurrence in occurrences:
        service, containers = occurrence.schedule.service, occurrence.schedule.containers
        if service is None or containers is None or occurrence.until_ms <= now_ms:
            continue
        plan = found.get(service)
        if plan is None or containers > plan.containers:
            plan = _scheduled(service, containers, occurrence, plan, (now_ms, until_ms))
            found[service] = _limited(plan, most.get(service))
    for override in overrides:
        if override.kind == "service" and override.containers is not None:
            plan = found.get(override.name)
            if override.until_ms > now_ms:
                found[override.name] = _overridden(override, plan, (now_ms, until_ms))
    return found


def _scheduled(
    service: str,
    containers: int,
    occurrence: Occurrence,
    plan: ContainerPlan | None,
    now_and_until: tuple[int, int],
) -> ContainerPlan:
    now_ms, until_ms = now_and_until
    end = max(now_ms, min(plan.until_ms if plan else until_ms, occurrence.until_ms))
    wanted = f"; {plan.containers} by {plan.source}" if plan else ""
    return ContainerPlan(
        service,
        containers,
        from_ms=now_ms if plan is None else min(plan.from_ms, end),
        until_ms=end,
        source="schedule",
        reason=_short(f"{_when(occurrence)}{wanted}"),
        made_ms=now_ms,
    )


def _limited(plan: ContainerPlan, most: int | None) -> ContainerPlan:
    if most is None or plan.containers <= most:
        return plan
    reason = _short(f"max_containers {most}; {plan.containers} by {plan.reason}")
    return replace(plan, containers=most, source="limit", reason=reason)


def _overridden(
    override: Override, plan: ContainerPlan | None, now_and_until: tuple[int, int]
) -> ContainerPlan:
    now_ms, until_ms = now_and_until
    end = min(plan.until_ms if plan else until_ms, override.until_ms)
    else_ = f", else {plan.containers} by {plan.source}" if plan else ""
    return ContainerPlan(
        override.name,
        override.containers or 0,
        from_ms=now_ms,
        until_ms=max(now_ms, end),
        source="override",
        reason=_short(f"{_by_operator(override)}{else_}"),
        made_ms=now_ms,
    )


def merge_rates(
    plans: Iterable[RatePlan],
    occurrences: Iterable[Occurrence],
    now_ms: int,
    until_ms: int,
    *,
    own: Mapping[str, Rates] | None = None,
) -> dict[str, RatePlan]:
    """Of each policy with a plan that is not over, or a schedule: what holds.

    own: (max_bps, guaranteed_bps) of the policies themselves: what a plan leaves out stays so, and
    a schedule never lowers it; a policy without a limit gets none by a schedule. A guarantee above
    the limit raises the limit. Overrides of rates are not plans: `qos.in_force` puts them first.
    """
    own = own or {}
    found = {plan.policy: plan for plan in plans if plan.until_ms > now_ms}
    for occurrence in occurrences:
        policy = occurrence.schedule.policy
        if policy is None or occurrence.until_ms <= now_ms:
            continue
        rates = own.get(policy, _NO_RATES)
        raised = _raised(occurrence, found.get(policy), rates, (now_ms, until_ms))
        if raised is not None:
            found[policy] = raised
    return found


def _raised(
    occurrence: Occurrence, plan: RatePlan | None, own: Rates, now_and_until: tuple[int, int]
) -> RatePlan | None:
    """None where the schedule asks for nothing more."""
    now_ms, until_ms = now_and_until
    schedule = occurrence.schedule
    before = (plan.max_bps, plan.guaranteed_bps) if plan else _NO_RATES
    limit = _more(before[0] if before[0] is not None else own[0], schedule.max_bps, keep_none=True)
    rate = before[1] if before[1] is not None else own[1]
    guaranteed = _more(rate, schedule.guaranteed_bps, keep_none=False)
    limit = _at_least(limit, guaranteed)
    changed = (_unless(limit, own[0], before[0]), _unless(guaranteed, own[1], before[1]))
    if changed == before:
        return None
    end = max(now_ms, min(plan.until_ms if plan else until_ms, occurrence.until_ms))
    return RatePlan(
        schedule.policy or "",
        from_ms=now_ms if plan is None else min(plan.from_ms, end),
        until_ms=end,
        source="schedule",
        max_bps=changed[0],
        guaranteed_bps=changed[1],
        reason=_short(_when(occurrence)),
        refused=plan.refused if plan else "",
        made_ms=now_ms,
    )


def _more(rate: int | None, wanted: int | None, *, keep_none: bool) -> int | None:
    """The greater; keep_none: a rate of None is no limit, so nothing is more."""
    if wanted is None or (rate is None and keep_none):
        return rate
    return wanted if rate is None else max(rate, wanted)


def _at_least(limit: int | None, guaranteed: int | None) -> int | None:
    """A limit with room for the guarantee; None is none."""
    if limit is None or guaranteed is None:
        return limit
    return max(limit, guaranteed)


def _unless(rate: int | None, own: int | None, before: int | None) -> int | None:
    """None where a plan said nothing and the policy's own rate is enough."""
    return None if before is None and rate == own else rate


def _when(occurrence: Occurrence) -> str:
    schedule = occurrence.schedule
    return f"schedule {schedule.name} from {_clock(occurrence.from_ms)}"


def _by_operator(override: Override) -> str:
    reason = f": {override.reason}" if override.reason else ""
    return f"override until {_clock(override.until_ms)}{reason}"


def _clock(at_ms: int) -> str:
    """A time as text, in UTC; one beyond the calendar as its number."""
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"


def _short(text: str) -> str:
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"
