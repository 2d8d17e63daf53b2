"""What REST answers of classes, policies and rates of links: rows, and how they stand.

Owns: the JSON objects of answers, made from a view of the database and what links provide. Nothing
is decided here.

Must not know: requests, who wrote a row, paths.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nib.in_force import RatesInForce, rates_in_force
from nib.mirror import Lookups
from nib.paging import ALL, Next, Page
from nib.qos import LinkRate, Policy, PolicyShare, QosClass
from nib.records import field_values
from nib.topology import Port, Switch
from qos.classes import PRESETS, TRAFFIC, classes_of
from qos.pipeline import bit_meter
from qos.provision import LinkKey, PolicyState, Provision, Reach


class ClassOut(BaseModel):
    """A class as it is."""

    name: str
    dscp: int = Field(description="the mark of its packets")
    queue: int = Field(description="its queue at every port")
    priority: int = Field(description="of what a link has to spare, 0 first")
    min_percent: int = Field(description="of a link's rate, what is kept for it")
    max_percent: int = Field(description="of a link's rate, at most")
    weight: int = Field(description="of its policies, where policies share a link")
    origin: Literal["built-in", "changed", "stated"] = Field(
        description="`changed`: a built-in class with other values; `stated`: no built-in one"
    )
    policies: int = Field(description="how many policies are of it")
    generation: int = Field(description="the change that stored it last; 0: none did")


class ClassList(BaseModel):
    """All classes, by queue."""

    items: list[ClassOut]
    next: Next = None


class TrafficOut(BaseModel):
    """A kind of traffic, and what suits it."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: str
    qos_class: str = Field(alias="class")
    burst_ms: int = Field(description="what may come at once, in ms of the limit")


class TrafficList(BaseModel):
    """All kinds of traffic that there are presets for."""

    items: list[TrafficOut]
    next: Next = None


class PolicyShareOut(BaseModel):
    """What one switch lets through of a policy's traffic that comes in there."""

    switch: str = Field(description="its datapath id")
    switch_name: str
    bps: int | None = Field(description="bits a second; null: no limit")
    pps: int | None = Field(description="packets a second; null: no limit")


class PathLinkOut(BaseModel):
    """One way out of a switch."""

    switch: str = Field(description="its datapath id")
    switch_name: str
    port: str = Field(description="the port's name")


class PolicyOut(BaseModel):
    """A policy as it is, and how it stands."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: str
    source: str | None = Field(description="the service it comes from; null: anyone")
    destination: str | None = Field(description="the service it goes to; null: anyone")
    qos_class: str = Field(alias="class", description="its class")
    guaranteed_bps: int | None = Field(description="bits a second that it can always have")
    max_bps: int | None = Field(description="bits a second at most")
    max_pps: int | None = Field(description="packets a second at most")
    max_connections: int | None = Field(description="open at a time to the destination, TCP")
    burst_ms: int = Field(description="what may come at once, in ms of the limit")
    generation: int = Field(description="the change that stored it last")
    state: Literal["active", "waiting", "short"] = Field(
        description="`waiting`: a service or container is missing; `short`: links have changed and "
        "cannot carry the guarantee any more"
    )
    reason: str = Field(description="why it waits or is short, or what else limits it; or empty")
    links: list[PathLinkOut] = Field(description="where its guarantee is kept")
    allocated_bps: int | None = Field(
        description="its fair part of these links, beside other policies; null: nothing bounds it"
    )
    metered_bps: int | None = Field(description="what is let through in all; null: not metered")
    shares: list[PolicyShareOut] = Field(description="of the limits, by switch it comes in at")
    bit_meter: int | None = Field(description="OpenFlow id of its meter of bits, where it has one")
    packet_meter: int | None = Field(description="OpenFlow id of its meter of packets, likewise")
    connections: int | None = Field(description="open ones; null: nobody counts them")
    in_force: RatesInForce


class PolicyList(BaseModel):
    """All policies, by name."""

    items: list[PolicyOut]
    next: Next = None


class LinkRateOut(BaseModel):
    """What a port can carry outward, as it was stated."""

    switch: str = Field(description="the datapath id")
    switch_name: str
    port: str
    bps: int = Field(description="bits a second of whole Ethernet frames")
    state: Literal["active", "waiting"] = Field(description="`waiting`: there is no such port now")
    reason: str = Field(description="why it waits; or empty")
    generation: int = Field(description="the change that stored it last")


class LinkRateList(BaseModel):
    """All rates that were stated, by switch and port."""

    items: list[LinkRateOut]
    next: Next = None


def class_out(each: QosClass, view: Lookups) -> ClassOut:
    """A class, built-in or stated."""
    return _class_out(each, view, view.derived(_users, Policy)[each.name])


def class_list(view: Lookups, page: Page = ALL) -> ClassList:
    """All classes, by queue."""
    users = view.derived(_users, Policy)
    part = page.cut(classes_of(view).values(), lambda each: each.queue)
    items = [_class_out(each, view, users[each.name]) for each in part.rows]
    return ClassList(items=items, next=part.next)


def _class_out(each: QosClass, view: Lookups, policies: int) -> ClassOut:
    is_stated = view.get(QosClass, each.name) is not None
    origin = "stated" if each.name not in PRESETS else "changed" if is_stated else "built-in"
    return ClassOut.model_validate({**field_values(each), "origin": origin, "policies": policies})


def traffic_list(page: Page = ALL) -> TrafficList:
    """What a policy's traffic can be, by name."""
    part = page.cut(TRAFFIC.items(), lambda item: item[0])
    items = [
        TrafficOut.model_validate({"name": name, "class": qos_class, "burst_ms": burst_ms})
        for name, (qos_class, burst_ms) in part.rows
    ]
    return TrafficList(items=items, next=part.next)


def _users(view: Lookups) -> Counter[str]:
    return Counter(policy.qos_class for policy in view.all(Policy))


def policy_list(view: Lookups, provision: Provision, page: Page = ALL) -> PolicyList:
    """All policies, by name."""
    part = page.cut(view.all(Policy), lambda policy: policy.name)
    items = [policy_out(policy, view, provision) for policy in part.rows]
    return PolicyList(items=items, next=part.next)


def policy_out(policy: Policy, view: Lookups, provision: Provision) -> PolicyOut:
    """A policy, and how it stands."""
    found = provision.policies.get(policy.name) or _gone(policy)
    shares = sorted(view.shares_of(policy.name), key=lambda share: share.switch)
    counted = view.policy_connections(policy.name)
    allocated = found.allocated_bps
    return PolicyOut.model_validate(
        {
            **field_values(policy),
            "class": policy.qos_class,
            "state": found.state,
            "reason": found.reason,
            "links": [_link_out(key, view) for key in sorted(found.reach.links)],
            "allocated_bps": None if allocated is None else round(allocated),
            "metered_bps": found.metered_bps,
            "shares": [_share_out(share, view) for share in shares],
            "bit_meter": _meter(policy, shares, "bps"),
            "packet_meter": _meter(policy, shares, "pps"),
            "connections": sum(each.open for each in counted) if counted else None,
            "in_force": rates_in_force(policy, view),
        }
    )


def _gone(policy: Policy) -> PolicyState:
    """How a policy stands that another request deleted since."""
    return PolicyState(policy, "waiting", "it was deleted meanwhile", Reach({}, frozenset()))


def _link_out(key: LinkKey, view: Lookups) -> PathLinkOut:
    dpid, port = key
    return PathLinkOut(switch=dpid, switch_name=_switch_name(dpid, view), port=port)


def _share_out(share: PolicyShare, view: Lookups) -> PolicyShareOut:
    name = _switch_name(share.switch, view)
    return PolicyShareOut(switch=share.switch, switch_name=name, bps=share.bps, pps=share.pps)


def _switch_name(dpid: str, view: Lookups) -> str:
    switch = view.get(Switch, dpid)
    return switch.name if switch else ""


def _meter(policy: Policy, shares: list[PolicyShare], field: str) -> int | None:
    """The id of the meter of this limit, if any switch has one."""
    if all(getattr(share, field) is None for share in shares):
        return None
    return bit_meter(policy.number) + (field == "pps")


def link_rate_list(view: Lookups, page: Page = ALL) -> LinkRateList:
    """All rates that were stated, by switch and port."""
    part = page.cut(view.all(LinkRate), lambda rate: rate.key)
    items = [link_rate_out(rate, view) for rate in part.rows]
    return LinkRateList(items=items, next=part.next)


def link_rate_out(rate: LinkRate, view: Lookups) -> LinkRateOut:
    """One rate, and whether there is such a port."""
    switch = view.get(Switch, rate.switch)
    reason = "" if view.get(Port, rate.key) else f"the switch has no port {rate.port}"
    if switch is None:
        reason = f"switch {rate.switch} is not known"
    return LinkRateOut(
        switch=rate.switch,
        switch_name=switch.name if switch else "",
        port=rate.port,
        bps=rate.bps,
        state="waiting" if reason else "active",
        reason=reason,
        generation=rate.generation,
    )
