"""The rates in force of a policy: its own, or for a while those of a plan or an override.

Must not know: who decides it, links, meters.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from nib.mirror import Lookups
from nib.plans import PolicyRate
from nib.qos import Policy


class RatesInForce(BaseModel):
    """What a policy has now, as REST tells it."""

    max_bps: int | None = Field(description="bits a second at most; null: no limit")
    guaranteed_bps: int | None = Field(description="bits a second that it can always have")
    source: Literal["policy", "plan", "override"] = Field(
        description="what says so: the policy itself, a plan or an override"
    )
    until_ms: int | None = Field(
        description="until then, milliseconds since 1970, or until it is renewed; null: no end"
    )


def rates_with(policy: Policy, rate: PolicyRate) -> tuple[int | None, int | None]:
    """(max_bps, guaranteed_bps) of a policy with the rates decided for it; where the policy has
    changed since, its guarantee gives way."""
    most = policy.max_bps if rate.max_bps is None else rate.max_bps
    sure = policy.guaranteed_bps if rate.guaranteed_bps is None else rate.guaranteed_bps
    if most is not None and sure is not None:
        sure = min(most, sure)
    return most, sure


def rates_in_force(policy: Policy, view: Lookups) -> RatesInForce:
    """What a policy has now."""
    rate = view.get(PolicyRate, policy.name)
    if rate is None:
        most, sure = policy.max_bps, policy.guaranteed_bps
        return RatesInForce(max_bps=most, guaranteed_bps=sure, source="policy", until_ms=None)
    most, sure = rates_with(policy, rate)
    return RatesInForce.model_validate(
        {
            "max_bps": most,
            "guaranteed_bps": sure,
            "source": rate.source,
            "until_ms": rate.until_ms,
        }
    )
