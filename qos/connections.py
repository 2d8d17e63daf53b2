"""Open connections by policy: which policy a connection is of, and which rows are due.

A row is written only when the gate of its policy (`qos.gates`) could depend on it: with n switches
each may be wrong by one part in 2n of what the policy is away from its gate's turning. So rows are
exact near the limit, and together never on the wrong side of it.

Must not know: how connections are counted, who writes the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.qos import Policy, PolicyConnections
from nib.topology import Switch

# (conntrack zone, container number, client's address) -> open connections
Sources: TypeAlias = Mapping[tuple[int, int, str], int]

_NONE: Final[frozenset[int]] = frozenset()


def limited_containers(view: Lookups) -> frozenset[int]:
    """The numbers of the containers whose connections some policy limits."""
    return view.derived(_limited_containers, Policy, Service, Container)


def _limited_containers(view: Lookups) -> frozenset[int]:
    services = {policy.destination for policy in _limited(view)}
    known = (view.get(Service, name) for name in services if name is not None)
    return _NONE.union(
        container.number
        for service in known
        if service is not None and service.mode == "stateful"
        for container in view.containers_of(service.name)
    )


def governing(client: str, destination: str, view: Lookups) -> Policy | None:
    """The policy of what comes from this address to a service: of the pair, else the
    destination's, else the source's."""
    there = min(view.containers_at(client), key=lambda each: each.number, default=None)
    source = None if there is None else there.service
    for ends in ((source, destination), (None, destination), (source, None)):
        policy = view.policy_between(*ends) if ends != (None, None) else None
        if policy is not None:
            return policy
    return None


def due_rows(
    sources: Sources, switches: Mapping[str, int], view: Lookups, *, exact: bool
) -> list[PolicyConnections]:
    """The rows to write now, counted in these switches (conntrack zone by datapath id).

    exact: also those that no gate depends on, if they differ.
    """
    held = _held(sources, switches, view)
    rows = []
    for policy in _limited(view):
        known = {row.switch: row.open for row in view.policy_connections(policy.name)}
        counted = {dpid: held[policy.name, dpid] for dpid in switches}
        for dpid in _due(policy, counted, known, len(view.all(Switch)), exact=exact):
            rows.append(PolicyConnections(policy.name, dpid, counted[dpid]))
    return rows


def idle_rows(switches: Mapping[str, int], view: Lookups) -> list[PolicyConnections]:
    """Rows of these switches that nobody needs any more: their policy has no limit now."""
    limited = {policy.name for policy in _limited(view)}
    rows = view.all(PolicyConnections)
    return [row for row in rows if row.switch in switches and row.policy not in limited]


def _limited(view: Lookups) -> Iterator[Policy]:
    return (policy for policy in view.all(Policy) if policy.max_connections is not None)


def _held(sources: Sources, switches: Mapping[str, int], view: Lookups) -> Counter[tuple[str, str]]:
    """Open connections by (policy name, datapath id)."""
    dpids = {zone: dpid for dpid, zone in switches.items()}
    held: Counter[tuple[str, str]] = Counter()
    for (zone, number, client), count in sources.items():
        container = view.container_numbered(number)
        if container is None or zone not in dpids:
            continue
        policy = governing(client, container.service, view)
        if policy is not None and policy.max_connections is not None:
            held[policy.name, dpids[zone]] += count
    return held


def _due(
    policy: Policy, counted: Mapping[str, int], known: dict[str, int], of: int, *, exact: bool
) -> set[str]:
    """The switches whose rows are due, of those counted. known: what all said; of: how many."""
    due: set[str] = set()
    while True:
        most = 0 if exact else _allowed(policy, sum(known.values())) // (2 * max(1, of))
        more = {dpid for dpid, count in counted.items() if abs(count - known.get(dpid, 0)) > most}
        if not more:
            return due
        due |= more
        known.update((dpid, counted[dpid]) for dpid in more)


def _allowed(policy: Policy, said: int) -> int:
    """How many connections more or fewer turn the gate; at least 1."""
    most = policy.max_connections or 0
    return most - said if said < most else said - most + 1
