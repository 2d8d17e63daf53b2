"""Which policy and class govern a packet, and what its limits are where it comes in.

Pure: what a packet met and a view of the database in, a value out.

Must not know: how the packet was followed, what classes do to a switch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nib.mirror import Lookups
from nib.plans import PolicyRate
from nib.qos import Policy, PolicyShare, QosClass
from openflow import cookies
from openflow.cookies import Cookie, Kind
from openflow.network import Hop
from openflow.tables import MARK, POLICE
from openflow.values import ApplyMeter, Flow
from qos.classes import class_number, classes_of
from qos.provision import class_of
from ryu_apps.provision import provision


@dataclass(frozen=True, slots=True)
class ExplainedPolicy:
    """What governs a packet. policy: "" where none speaks of it, so that its class is the default.

    switch: where it is policed; guaranteed_bps, max_bps: as in force; rates_by: "plan" or
    "override" where they are not the policy's own, until rates_until_ms (since 1970); share_bps,
    share_pps: what that switch lets through, None = all; meters: those it has to pass there; state,
    reason: as of the policy.
    """

    policy: str
    qos_class: str
    dscp: int
    queue: int
    switch: str
    guaranteed_bps: int | None = None
    max_bps: int | None = None
    rates_by: str = ""
    rates_until_ms: int | None = None
    max_pps: int | None = None
    share_bps: int | None = None
    share_pps: int | None = None
    meters: tuple[int, ...] = ()
    state: str = ""
    reason: str = ""


def policy_of(hops: Iterable[Hop], view: Lookups) -> ExplainedPolicy | None:
    """The policy and class of a packet; None where it met neither, or was dropped before."""
    met = list(_met(hops))
    policed = [(dpid, flow, cookie) for dpid, flow, cookie in met if cookie.kind == Kind.POLICY]
    marked = [(dpid, cookie) for dpid, flow, cookie in met if flow.table == MARK.number]
    policy = view.policy_numbered(policed[0][2].number) if policed else None
    if policy is not None:
        meters = _meters(flow for dpid, flow, _ in policed if dpid == policed[0][0])
        return _governed(policy, policed[0][0], meters, view)
    of_class = class_numbered(marked[0][1].number, view) if marked else None
    if of_class is None:
        return None
    return ExplainedPolicy("", of_class.name, of_class.dscp, of_class.queue, marked[0][0])


def class_numbered(number: int, view: Lookups) -> QosClass | None:
    """The class that this number stands for in switches."""
    return next((each for each in classes_of(view).values() if class_number(each) == number), None)


def is_closed_gate(flow: Flow) -> bool:
    """Whether a flow drops the new connections of a policy."""
    cookie = cookies.read(flow.cookie)
    is_policy = cookie is not None and cookie.kind == Kind.POLICY
    return is_policy and flow.table == POLICE.number and not flow.actions


def _met(hops: Iterable[Hop]) -> Iterator[tuple[str, Flow, Cookie]]:
    """The flows of policies and classes that took the packet, with the switch."""
    for hop in hops:
        for step in hop.result.steps:
            cookie = cookies.read(step.flow.cookie) if step.flow else None
            if step.flow and cookie and cookie.kind in (Kind.POLICY, Kind.CLASS):
                yield hop.place.switch, step.flow, cookie


def _meters(flows: Iterable[Flow]) -> tuple[int, ...]:
    return tuple(
        action.meter_id
        for flow in flows
        for action in flow.actions
        if isinstance(action, ApplyMeter)
    )


def _governed(policy: Policy, dpid: str, meters: tuple[int, ...], view: Lookups) -> ExplainedPolicy:
    of_class = class_of(policy, classes_of(view))
    share = view.get(PolicyShare, (policy.name, dpid))
    stands = provision(view).policies[policy.name]
    rate = view.get(PolicyRate, policy.name)
    return ExplainedPolicy(
        policy=policy.name,
        qos_class=of_class.name,
        dscp=of_class.dscp,
        queue=of_class.queue,
        switch=dpid,
        guaranteed_bps=stands.policy.guaranteed_bps,
        max_bps=stands.policy.max_bps,
        rates_by=rate.source if rate else "",
        rates_until_ms=rate.until_ms if rate else None,
        max_pps=policy.max_pps,
        share_bps=share.bps if share else None,
        share_pps=share.pps if share else None,
        meters=meters,
        state=stands.state,
        reason=stands.reason,
    )
