"""What switches counted of policies, as Prometheus metrics.

Takes readings of flows and meters; at a scrape names them by the database's policies. A policy that
no longer exists there is forgotten. No label names a client or a flow.

Must not know: how switches are asked, how totals are kept (`ryu_apps.policy_counts`).
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from nib.database import Nib
from nib.mirror import Lookups
from nib.qos import Policy
from openflow import cookies, tables
from openflow.cookies import Kind
from ryu_apps.policy_counts import Counted, FlowCount, MeterCount, PolicyCount, PolicyCounts
from ryu_apps.reports import NotOurs, flow_of

# What is counted, and what a packet of it is.
_COUNTED: Final = (
    ("offered", "that came under the policy at this switch, whether they passed or not"),
    ("passed", "of the policy that this switch let pass"),
    ("dropped", "of the policy that this switch dropped, over one of its limits"),
)
_UNITS: Final = ("packets", "bytes")  # in the order of Counted


class PolicyReadings(Collector):
    """Readings may come, and scrapes go, in any thread."""

    def __init__(self, nib: Nib) -> None:
        self._nib = nib
        self._lock = threading.Lock()
        self._counts: dict[str, PolicyCounts] = {}  # by datapath id
        self._names: Mapping[int, str] = {}  # of policies, by number
        self._gone: set[int] = set()  # numbers that nobody has now

    def read(self, dpid: str, flows: Iterable[Any], meters: Iterable[Any]) -> None:
        """Take a whole reading of a switch: of its flows first, then of its meters."""
        found = [count for entry in flows if (count := flow_count(entry)) is not None]
        with self._lock, self._nib.view() as view:
            self._learn_names(view)
            self._of(dpid).read(found, map(meter_count, meters))

    def last_of(self, dpid: str, meters: Collection[Any]) -> None:
        """Take the last reading of meters whose counters start again at zero."""
        with self._lock:
            self._of(dpid).last_of(map(meter_count, meters))

    def clear(self) -> None:
        """Forget all, as a controller that has read nothing yet."""
        with self._lock:
            self._counts.clear()

    def collect(self) -> Iterator[Metric]:
        """All metrics; the registry calls it at every scrape."""
        families = {(what, unit): _family(what, unit) for what, _ in _COUNTED for unit in _UNITS}
        with self._lock, self._nib.view() as view:
            self._learn_names(view)
            for dpid, counts in self._counts.items():
                for number, count in counts.counts().items():
                    if number in self._names:
                        for key, family in families.items():
                            family.add_metric([self._names[number], dpid], _value(count, *key))
        yield from families.values()

    def describe(self) -> Iterator[Metric]:
        """Nothing in advance: names do not depend on it, and the database may not be loaded."""
        return iter(())

    def _learn_names(self, view: Lookups) -> None:
        """A policy may have the number of one that is gone, and none of its counts."""
        names = view.derived(_names_in, Policy)
        if names is self._names:
            return
        gone = {number for number, name in self._names.items() if names.get(number) != name}
        again = self._gone & names.keys()
        self._names, self._gone = names, (self._gone | gone) - names.keys()
        for counts in self._counts.values():
            counts.begin(gone | again)

    def _of(self, dpid: str) -> PolicyCounts:
        return self._counts.setdefault(dpid, PolicyCounts())


def flow_count(entry: Any) -> FlowCount | None:
    """The reading of a flow that finds a policy's packets; None: of another flow."""
    cookie = cookies.read(entry.cookie)
    if cookie is None or cookie.kind is not Kind.POLICY or entry.table_id != tables.POLICE.number:
        return None
    try:
        flow = flow_of(entry)
    except NotOurs:
        return None
    counted = (entry.packet_count, entry.byte_count)
    return FlowCount(cookie.number, flow.key, bool(flow.actions), counted)


def meter_count(entry: Any) -> MeterCount:
    """The reading of a meter."""
    bands = entry.band_stats
    return MeterCount(
        entry.meter_id,
        (entry.packet_in_count, entry.byte_in_count),
        (sum(band.packet_band_count for band in bands), sum(b.byte_band_count for b in bands)),
    )


def _names_in(view: Lookups) -> Mapping[int, str]:
    return {policy.number: policy.name for policy in view.all(Policy)}


def _family(what: str, unit: str) -> CounterMetricFamily:
    text = f"{unit.capitalize()} {dict(_COUNTED)[what]}."
    return CounterMetricFamily(f"prewire_policy_{what}_{unit}", text, labels=["policy", "switch"])


def _value(count: PolicyCount, what: str, unit: str) -> int:
    counted: Counted = getattr(count, what)
    return counted[_UNITS.index(unit)]
