"""How policies and links stand, as Prometheus metrics.

What is guaranteed and what is free comes from the database at the time of a scrape, by the same
arithmetic that guarantees are admitted by (`ryu_apps.provision`); what is used, from two successive
readings of a port.

Must not know: how switches are asked, counters of policies and queues.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nib.database import Nib
from nib.mirror import Lookups
from nib.qos import Policy, PolicyShare
from nib.topology import Port
from qos.gates import open_connections
from qos.provision import LinkState, PolicyState
from ryu_apps.provision import provision

STATES: Final = ("active", "waiting", "short")

_LINK: Final = ["switch", "port"]
_LEAST_SECONDS: Final = 0.05  # between two readings that say how much is sent


class BandwidthStates(Collector):
    """Readings may come, and scrapes go, in any thread."""

    def __init__(self, nib: Nib) -> None:
        self._nib = nib
        self._use = LinkUse()

    def ports(self, dpid: str, entries: Iterable[Any]) -> None:
        """Take a reading of ports."""
        self._use.read(dpid, entries)

    def collect(self) -> Iterator[Metric]:
        """All metrics; the registry calls it at every scrape."""
        families = _Families()
        with self._nib.view() as view:
            found = provision(view)
            for state in found.policies.values():
                families.add_policy(state)
            families.add_rows(view)
            numbers = {port.key: port.number for port in view.all(Port)}
            for (dpid, port), link in found.links.items():
                families.add_link(
                    [dpid, port], link, self._use.bps(dpid, numbers.get((dpid, port)))
                )
        yield from families.all()

    def describe(self) -> Iterator[Metric]:
        """Nothing in advance: names do not depend on it, and the database may not be loaded."""
        return iter(())


class LinkUse:
    """What ports send, in bits a second, between the last two readings of each.

    The time between them is the switch's own, so that a late answer changes nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[tuple[str, int], tuple[float, int]] = {}  # seconds, bytes
        self._bps: dict[tuple[str, int], float] = {}

    def read(self, dpid: str, entries: Iterable[Any]) -> None:
        """A reading of ports."""
        with self._lock:
            for entry in entries:
                now = entry.duration_sec + entry.duration_nsec / 1e9, entry.tx_bytes
                self._note((dpid, entry.port_no), *now)

    def bps(self, dpid: str, port: int | None) -> float | None:
        """What a port sends; None: it was not read twice yet."""
        with self._lock:
            return None if port is None else self._bps.get((dpid, port))

    def _note(self, key: tuple[str, int], at: float, sent: int) -> None:
        since, before = self._last.get(key, (at, sent))
        if at < since or sent < before:  # the port came again
            self._bps.pop(key, None)
        elif key in self._last and at - since < _LEAST_SECONDS:
            return
        elif at > since:
            self._bps[key] = 8 * (sent - before) / (at - since)
        self._last[key] = at, sent


class _Families:
    """The metrics of one scrape."""

    def __init__(self) -> None:
        self._state = GaugeMetricFamily(
            "prewire_policy_state",
            "1 for the state that the policy is in, 0 for the others: active, waiting (for a "
            "container, say), short (its guarantee does not fit on a link of its paths any more).",
            labels=["policy", "state"],
        )
        self._limit = GaugeMetricFamily(
            "prewire_policy_limit_bps",
            "Bits a second of the policy that this switch lets pass, where it is limited.",
            labels=["policy", "switch"],
        )
        self._most = GaugeMetricFamily(
            "prewire_policy_max_bps",
            "Bits a second that the policy may have in all, where it is limited: its own limit, or "
            "a plan's or an override's while that is in force.",
            labels=["policy"],
        )
        self._sure = GaugeMetricFamily(
            "prewire_policy_guaranteed_bps",
            "Bits a second that the policy is guaranteed, where it is: its own guarantee, or what "
            "is in force of a plan or an override.",
            labels=["policy"],
        )
        self._connections = GaugeMetricFamily(
            "prewire_policy_connections",
            "Open connections of the policy, where it limits them: exact near the limit.",
            labels=["policy"],
        )
        self._rate = GaugeMetricFamily(
            "prewire_link_rate_bps",
            "Bits a second that can leave by the port, as stated or as the port says.",
            labels=_LINK,
        )
        self._guaranteed = GaugeMetricFamily(
            "prewire_link_guaranteed_bps",
            "Bits a second of what leaves by the port that are guaranteed to policies.",
            labels=_LINK,
        )
        self._free = GaugeMetricFamily(
            "prewire_link_free_bps",
            "Bits a second of what leaves by the port that no policy and no class is assured of.",
            labels=_LINK,
        )
        self._used = GaugeMetricFamily(
            "prewire_link_used_bps",
            "Bits a second that left by the port between its last two readings.",
            labels=_LINK,
        )

    def all(self) -> tuple[Metric, ...]:
        """In the order of the page."""
        policies = (self._state, self._limit, self._most, self._sure, self._connections)
        return *policies, self._rate, self._guaranteed, self._free, self._used

    def add_policy(self, found: PolicyState) -> None:
        """How a policy stands."""
        policy = found.policy
        for state in STATES:
            self._state.add_metric([policy.name, state], found.state == state)
        if policy.max_bps is not None:
            self._most.add_metric([policy.name], policy.max_bps)
        if policy.guaranteed_bps is not None:
            self._sure.add_metric([policy.name], policy.guaranteed_bps)

    def add_rows(self, view: Lookups) -> None:
        """What the database says of policies in switches."""
        for share in view.all(PolicyShare):
            if share.bps is not None:
                self._limit.add_metric([share.policy, share.switch], share.bps)
        for policy in view.all(Policy):
            if policy.max_connections is not None:
                self._connections.add_metric([policy.name], open_connections(policy.name, view))

    def add_link(self, labels: list[str], link: LinkState, used: float | None) -> None:
        """What a link can carry, and what of it is spoken for."""
        self._guaranteed.add_metric(labels, link.guaranteed_bps)
        if link.rate_bps:
            self._rate.add_metric(labels, link.rate_bps)
            self._free.add_metric(labels, link.free_bps)
        if used is not None:
            self._used.add_metric(labels, used)
