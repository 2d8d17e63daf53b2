"""The rates in force of policies: their own, or for a while those of a plan or of an operator's
override.

What a policy itself says is intent, and is never changed by either. An override wins over a plan,
whole: what it says nothing of is as the policy itself says. Pure: the time is an argument, in
milliseconds since 1970.

Must not know: links, who makes plans, meters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from nib.in_force import rates_with
from nib.mirror import Lookups
from nib.plans import PolicyRate, RatePlan
from nib.prewarm import Override
from nib.qos import Policy
from nib.rates import show_rate
from qos.classes import DEFAULT

PLAN: Final = "plan"
OVERRIDE: Final = "override"


def policies_in_force(view: Lookups) -> Mapping[str, Policy]:
    """Every policy by name, with the rates that are in force; the same object for the same rows."""
    return view.derived(_policies_in_force, Policy, PolicyRate)


def policy_in_force(policy: Policy, view: Lookups) -> Policy:
    """One policy with the rates that are in force; itself where they are its own."""
    rate = view.get(PolicyRate, policy.name)
    return policy if rate is None else with_rates(policy, rate)


def with_rates(policy: Policy, rate: PolicyRate) -> Policy:
    """The policy with these rates; where the policy has changed since, its guarantee gives way."""
    most, sure = rates_with(policy, rate)
    return replace(policy, max_bps=most, guaranteed_bps=sure)


def in_force(
    policy: Policy, plan: RatePlan | None, override: Override | None, now_ms: int
) -> PolicyRate | None:
    """What is asked for the policy at this time; None: nothing but what it says itself.

    Whether links can carry it, `qos.planned` says.
    """
    if override is not None and now_ms < override.until_ms:
        return _overridden(policy, override)
    if plan is not None and plan.from_ms <= now_ms < plan.until_ms:
        most, sure = planned(policy, plan.max_bps, plan.guaranteed_bps)
        return rate_of(policy, PLAN, plan.until_ms, most, sure)
    return None


def next_change_ms(plan: RatePlan | None, override: Override | None, now_ms: int) -> int | None:
    """When `in_force` may give something else for the same rows; None: never."""
    times = [override.until_ms] if override is not None else []
    if plan is not None:
        times += [plan.from_ms, plan.until_ms]
    return min((ms for ms in times if ms > now_ms), default=None)


def planned(
    policy: Policy, max_bps: int | None, guaranteed_bps: int | None
) -> tuple[int | None, int | None]:
    """The limit and the guarantee that a plan comes to, of which it may say only one.

    A guarantee keeps within the policy's own limit; a planned limit is not below what is
    guaranteed. A policy that cannot have a guarantee gets none.
    """
    asked = guaranteed_bps if may_guarantee(policy) else None
    most = policy.max_bps if max_bps is None else max_bps
    sure = policy.guaranteed_bps if asked is None else asked
    if most is None or sure is None or sure <= most:
        return most, sure
    return (most, most) if max_bps is None else (sure, sure)


def why_planned(policy: Policy, max_bps: int | None, guaranteed_bps: int | None) -> str:
    """Why `planned` gives something else than it is given; "" where it does not."""
    most, sure = planned(policy, max_bps, guaranteed_bps)
    if guaranteed_bps is not None and not may_guarantee(policy):
        return f"class {policy.qos_class}, and what goes to anyone, can be guaranteed nothing"
    if guaranteed_bps is not None and sure is not None and sure < guaranteed_bps:
        limit = show_rate(sure)
        return f"a guarantee of {show_rate(guaranteed_bps)} is asked for, its limit is {limit}"
    if max_bps is not None and most is not None and most > max_bps:
        limit = show_rate(max_bps)
        return f"a limit of {limit} is asked for, {show_rate(most)} are guaranteed"
    return ""


def may_guarantee(policy: Policy) -> bool:
    """Whether a policy can have a guarantee: see `qos.contradictions`."""
    return policy.destination is not None and policy.qos_class != DEFAULT


def rate_of(
    policy: Policy, source: str, until_ms: int, max_bps: int | None, guaranteed_bps: int | None
) -> PolicyRate | None:
    """The row that gives a policy these rates; None where they are its own."""
    most = None if max_bps == policy.max_bps else max_bps
    sure = None if guaranteed_bps == policy.guaranteed_bps else guaranteed_bps
    if most is None and sure is None:
        return None
    return PolicyRate(policy.name, source, until_ms, most, sure)


def _overridden(policy: Policy, override: Override) -> PolicyRate | None:
    """What an operator says wins over what the policy says of the other rate."""
    asked = override.guaranteed_bps if may_guarantee(policy) else None
    most = policy.max_bps if override.max_bps is None else override.max_bps
    sure = policy.guaranteed_bps if asked is None else asked
    if most is not None and sure is not None and sure > most:
        most, sure = (most, most) if asked is None else (sure, sure)
    return rate_of(policy, OVERRIDE, override.until_ms, most, sure)


def _policies_in_force(view: Lookups) -> Mapping[str, Policy]:
    return {policy.name: policy_in_force(policy, view) for policy in view.all(Policy)}
