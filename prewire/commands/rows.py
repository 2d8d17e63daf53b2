"""How tables show objects of REST: rows with values as people write them.

Pure: a JSON object in, a mapping of columns' keys to values out. Rates read as 10M, times as RFC
3339, durations as 20m.
Must not know: where objects are from, how a table is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from nib.rates import show_rate
from nib.times import show_duration, show_instant

Object = Mapping[str, Any]

POLICY_RATES: Final = ("guaranteed_bps", "max_bps", "metered_bps", "allocated_bps")

# In place of the rates in force of a policy that is gone.
UNKNOWN_RATES: Final[Object] = {
    "max_bps": None, "guaranteed_bps": None, "source": "", "until_ms": None,
}  # fmt: skip


def rate_or(value: int | None, otherwise: str) -> str:
    """A rate for people, or what is said where there is none."""
    return otherwise if value is None else show_rate(value)


def policy(found: Object) -> Object:
    """Rates as people write them, and anyone by that name."""
    rates = {key: show_rate(found[key]) for key in POLICY_RATES if found[key] is not None}
    ends = {key: found[key] or "anyone" for key in ("source", "destination")}
    return {**found, **rates, **ends}


def link_rate(found: Object) -> Object:
    return {**found, "bps": show_rate(found["bps"])}


def scaling(found: Object) -> Object:
    plan = found["plan"] or {}
    return {
        **found,
        "planned": plan.get("containers"),
        "by": plan.get("source"),
        "stale": plan.get("stale"),
    }


def provisioning(found: Object) -> Object:
    in_force = found["in_force"] or UNKNOWN_RATES
    return {
        **found,
        "floor_bps": rate_or(found["floor_bps"], ""),
        "ceiling_bps": rate_or(found["ceiling_bps"], ""),
        "max_bps": rate_or(in_force["max_bps"], "no limit"),
        "guaranteed_bps": rate_or(in_force["guaranteed_bps"], ""),
        "by": in_force["source"],
        "stale": found["plan"] and found["plan"]["stale"],
    }


def ahead(found: Object) -> Object:
    """A schedule or an override."""
    row = {**found, **{key: rate_or(found[key], "") for key in ("max_bps", "guaranteed_bps")}}
    if "cron" not in found:
        left = round(found["seconds_left"])
        until = show_instant(found["until_ms"])
        return row | {"until": until, "left": show_duration(left) if left else "over"}
    holds, next_ms = found["holds_until_ms"], found["next_ms"]
    of = f"service {found['service']}" if found["service"] else f"policy {found['policy']}"
    return row | {
        "of": of,
        "duration": show_duration(found["duration_seconds"]),
        "now": f"until {show_instant(holds)}" if holds is not None else "",
        "next": show_instant(next_ms) if next_ms is not None else "never",
    }


def lag(found: Object) -> str:
    """By how long a parent rises before its child."""
    return "" if found["lag_ms"] is None else show_duration(found["lag_ms"] / 1000)


def dependency(found: Object) -> Object:
    return {
        **found,
        "lag": lag(found),
        "gain": f"{found['gain_permille'] / 10:g} %" if found["gain_permille"] else "",
        "slope": f"{found['slope_permille'] / 1000:g}" if found["slope_permille"] else "",
    }


def all_plans(answer: Any) -> list[Any]:
    """Those of services, then those of policies, each with its kind and name."""
    named = (("services", "service"), ("policies", "policy"))
    return [
        {"kind": member, "name": each[one], **each}
        for member, one in named
        for each in answer[member]
    ]


def held(found: Object) -> dict[str, Any]:
    """From when until when a plan holds."""
    until = show_instant(found["until_ms"]) + ("" if found["valid"] else " (over)")
    return {"from": show_instant(found["from_ms"]), "until": until}


def plan(found: Object) -> Object:
    if found["kind"] == "services":
        count = found["containers"]
        return {**found, **held(found), "planned": f"{count} container{'' if count == 1 else 's'}"}
    rates = [
        f"{word} {show_rate(found[key])}"
        for word, key in (("max", "max_bps"), ("guarantee", "guaranteed_bps"))
        if found[key] is not None
    ]
    told = "; ".join(each for each in (found["reason"], found["refused"]) if each)
    return {**found, **held(found), "planned": ", ".join(rates) or "as the policy", "reason": told}


def request(found: Object) -> Object:
    ended = found["ended_ms"]
    took = f"{(ended - found['requested_ms']) / 1000:g} s" if ended is not None else ""
    return {
        **found,
        "requested": show_instant(found["requested_ms"]),
        "needed": show_instant(found["needed_ms"]),
        "took": took,
    }


def link(found: Object) -> Object:
    return {**found, "capacity": rate_or(found["capacity_bps"], "")}


def host(found: Object) -> Object:
    joined = {key: ", ".join(found[key]) for key in ("addresses", "containers")}
    return {**found, **joined}


def bandwidth(found: Object) -> Object:
    """A link with its rates as people write them."""
    rates = {key: show_rate(found[key]) for key in ("rate_bps", "guaranteed_bps", "free_bps")}
    if not found["rate_bps"]:
        rates |= {"rate_bps": "unknown", "free_bps": ""}
    by_class = ", ".join(
        f"{each['class']} {show_rate(each['guaranteed_bps'])}+{show_rate(each['free_bps'])}"
        for each in found["classes"]
    )
    return {**found, **rates, "by_class": by_class}


def demand(found: Object) -> Object:
    return {**found, "at": show_instant(found["at_ms"])}


def predictor(found: Object) -> Object:
    shards = ", ".join(map(str, found["shards"]))
    return {**found, "since": show_instant(found["since_ms"]), "shards": shards}


def event(found: Object) -> Object:
    return {**found, "at": show_instant(found["at_ms"])}
