"""A page and the rates of its counters, put together as readings of objects.

What has no counter yet counts nothing: a switch's counter appears with its first event. So its rate
is 0 where other rates are known.

The models are made without being checked: the numbers are ours, and there are many of them.

Must not know: when pages are read, HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final, TypeAlias

import numpy as np

from predictor.series.scrape import Labels, Page
from prewire.readings.answers import (
    ContainerReading,
    Kind,
    LinkReading,
    PolicyReading,
    QueueReading,
    ServiceReading,
)
from prewire.readings.rates import Rates

Reading: TypeAlias = LinkReading | ServiceReading | ContainerReading | PolicyReading | QueueReading
_By: TypeAlias = Mapping[Labels, float]


class Now:
    """What the numbers are at a time (seconds since 1970)."""

    def __init__(self, page: Page, rates: Rates, now: float) -> None:
        self._page, self._rates, self._now = page, rates, now

    def gauge(self, metric: str) -> dict[Labels, float]:
        """By labels; what is no number is left out."""
        family = self._page.family(f"prewire_{metric}")
        pairs = zip(family.series, family.values.tolist(), strict=True)
        return {labels: value for labels, value in pairs if isfinite(value)}

    def state(self, metric: str) -> dict[Labels, str]:
        """The state that each object is in: the last label of the sample that is not 0."""
        family = self._page.family(f"prewire_{metric}")
        held = (family.series[place] for place in np.flatnonzero(family.values > 0))
        return {labels[:-1]: labels[-1] for labels in held}

    def rate(self, metric: str, factor: float = 1.0) -> dict[Labels, float]:
        """A second, times this factor, by labels."""
        found = self._rates.of(f"prewire_{metric}_total", self._now)
        return {labels: factor * value for labels, value in found.items()}

    def counted(self, metric: str) -> tuple[Labels, ...]:
        """The series of a counter."""
        return self._page.family(f"prewire_{metric}_total").series


def links(now: Now) -> list[Reading]:
    """Every port that is counted or whose rate is known."""
    sent, got = now.rate("port_transmit_bytes", 8), now.rate("port_receive_bytes", 8)
    not_sent, not_got = now.rate("port_transmit_dropped"), now.rate("port_receive_dropped")
    rate, sure = now.gauge("link_rate_bps"), now.gauge("link_guaranteed_bps")
    free = now.gauge("link_free_bps")
    return [
        LinkReading.model_construct(
            switch=key[0],
            port=key[1],
            transmit_bps=sent.get(key),
            receive_bps=got.get(key),
            transmit_dropped_pps=not_sent.get(key),
            receive_dropped_pps=not_got.get(key),
            rate_bps=rate.get(key),
            guaranteed_bps=sure.get(key),
            free_bps=free.get(key),
        )
        for key in sorted({*now.counted("port_transmit_bytes"), *rate})
    ]


def services(now: Now) -> list[Reading]:
    """Every service."""
    counts = _by_state(now.gauge("service_containers"))
    inflight = _summed(now.gauge("container_inflight"))
    new, panic = now.rate("service_new_connections"), now.gauge("service_panic")
    refused, demand = now.rate("connections_refused"), now.rate("service_demand_packets")
    carried = now.rate("service_bytes", 8)
    nothing = _nothing(now)
    return [
        ServiceReading.model_construct(
            service=key[0],
            new_connections_per_s=new.get(key, nothing),
            refused_per_s=refused.get(key, nothing),
            without_container_pps=demand.get(key, nothing),
            to_bps=carried.get((*key, "to"), nothing),
            from_bps=carried.get((*key, "from"), nothing),
            inflight=inflight.get(key),
            panic=bool(panic.get(key)),
            containers={state: int(count) for state, count in counts[key].items()},
        )
        for key in sorted(counts)
    ]


def containers(now: Now) -> list[Reading]:
    """Every container."""
    states = now.state("container_state")
    new, carried = now.rate("container_new_connections"), now.rate("container_bytes", 8)
    inflight, connections = now.gauge("container_inflight"), now.gauge("container_connections")
    slots, weights = now.gauge("container_slots"), now.gauge("container_weight")
    nothing = _nothing(now)
    return [
        ContainerReading.model_construct(
            service=key[0],
            container=key[1],
            state=states[key],
            new_connections_per_s=new.get(key, nothing),
            to_bps=carried.get((*key, "to"), nothing),
            from_bps=carried.get((*key, "from"), nothing),
            inflight=inflight.get(key),
            connections=connections.get(key),
            slots=slots.get(key),
            weight=weights.get(key),
        )
        for key in sorted(states)
    ]


def policies(now: Now) -> list[Reading]:
    """Every policy."""
    states, nothing = now.state("policy_state"), _nothing(now)
    offered = _summed(now.rate("policy_offered_bytes", 8))
    passed, dropped = (_summed(now.rate(f"policy_{w}_bytes", 8)) for w in ("passed", "dropped"))
    passed_p, dropped_p = (_summed(now.rate(f"policy_{w}_packets")) for w in ("passed", "dropped"))
    limit, most = _summed(now.gauge("policy_limit_bps")), now.gauge("policy_max_bps")
    sure, connections = now.gauge("policy_guaranteed_bps"), now.gauge("policy_connections")
    return [
        PolicyReading.model_construct(
            policy=key[0],
            state=states[key],
            offered_bps=offered.get(key, nothing),
            passed_bps=passed.get(key, nothing),
            dropped_bps=dropped.get(key, nothing),
            passed_pps=passed_p.get(key, nothing),
            dropped_pps=dropped_p.get(key, nothing),
            limit_bps=limit.get(key),
            max_bps=most.get(key),
            guaranteed_bps=sure.get(key),
            connections=connections.get(key),
        )
        for key in sorted(states)
    ]


def queues(now: Now) -> list[Reading]:
    """Every queue that is counted."""
    bps, pps = now.rate("queue_bytes", 8), now.rate("queue_packets")
    dropped = now.rate("queue_dropped_packets")
    return [
        QueueReading.model_construct(
            switch=key[0],
            port=key[1],
            queue=int(key[2]),
            qos_class=key[3],
            bps=bps.get(key),
            pps=pps.get(key),
            dropped_pps=dropped.get(key),
        )
        for key in sorted(now.counted("queue_bytes"))
        if key[2].isdecimal()  # else it is no controller of ours
    ]


READERS: Final[Mapping[Kind, Callable[[Now], list[Reading]]]] = {
    "links": links,
    "services": services,
    "containers": containers,
    "policies": policies,
    "queues": queues,
}


def _nothing(now: Now) -> float | None:
    """The rate of what has no counter: 0, once rates of ports are known."""
    return 0.0 if now.rate("port_transmit_bytes") else None


def _summed(found: _By) -> dict[Labels, float]:
    """By the first label."""
    sums: dict[Labels, float] = {}
    for labels, value in found.items():
        sums[labels[:1]] = sums.get(labels[:1], 0.0) + value
    return sums


def _by_state(found: _By) -> dict[Labels, dict[str, float]]:
    """By object, then by its last label."""
    counts: dict[Labels, dict[str, float]] = {}
    for labels, value in found.items():
        counts.setdefault(labels[:-1], {})[labels[-1]] = value
    return counts
