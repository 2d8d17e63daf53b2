"""What the database says of the services and policies that one predictor minds.

Must not know: forecasts, plans' making.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from nib.mirror import Lookups
from nib.plans import ContainerPlan, PolicyRate, RatePlan
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from nib.qos import Policy


@dataclass(frozen=True, slots=True)
class Minded:
    """What the database says of the services and policies that are minded."""

    scalings: tuple[Scaling, ...]
    provisionings: Mapping[str, Provisioning]
    policies: Mapping[str, Policy]
    limits: Mapping[str, int]
    schedules: tuple[Schedule, ...]
    overrides: tuple[Override, ...]
    rules: tuple[DependencyRule, ...]
    plans: tuple[ContainerPlan, ...]
    rate_plans: tuple[RatePlan, ...]

    @staticmethod
    def of(view: Lookups, owns: Callable[[str], bool]) -> Minded:
        """As they are now."""
        return Minded(
            tuple(each for each in view.all(Scaling) if owns(each.service)),
            {
                each.policy: _with_ceiling(each, view)
                for each in view.all(Provisioning)
                if owns(each.policy)
            },
            {each.name: each for each in view.all(Policy)},
            _limits(view),
            tuple(s for s in view.all(Schedule) if owns(s.service or s.policy or "")),
            tuple(each for each in view.all(Override) if owns(each.name)),
            view.all(DependencyRule),
            tuple(each for each in view.all(ContainerPlan) if owns(each.service)),
            tuple(each for each in view.all(RatePlan) if owns(each.policy)),
        )


def _limits(view: Lookups) -> Mapping[str, int]:
    """What policies may have at most, as is in force now; without those that have no limit."""
    own = {policy.name: policy.max_bps for policy in view.all(Policy)}
    planned = {rate.policy: rate.max_bps for rate in view.all(PolicyRate) if rate.max_bps}
    return {name: bps for name, bps in (own | planned).items() if bps is not None}


def _with_ceiling(limit: Provisioning, view: Lookups) -> Provisioning:
    """Without a ceiling of its own, what the policy itself is allowed is one."""
    policy = view.get(Policy, limit.policy)
    if limit.ceiling_bps is not None or policy is None or policy.max_bps is None:
        return limit
    ceiling_bps = policy.max_bps
    return replace(limit, ceiling_bps=ceiling_bps, floor_bps=min(limit.floor_bps, ceiling_bps))
