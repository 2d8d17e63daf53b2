"""What a guarantee gives on a link that is offered twice what it carries.

The link is the switch's port to a container, stated at 100 Mb/s. A pair of services has 20 Mb/s of
it guaranteed, in class `interactive`, and sends as much. Half of the other load is of a policy in
class `bulk`, half of no policy. Round trips are of small datagrams between the pair, every 5 ms.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.qos.setting import (
    Site,
    Trips,
    add_services,
    await_queues,
    delete_policy,
    echoing,
    probe,
    set_policy,
    state_rate,
)
from benchmarks.results.report import Outcome, Row, Target, quantiles, ratio
from benchmarks.sites.dpdk_site import running_dpdk_site
from benchmarks.sites.site import running_site
from topologies import iperf

ROUNDS: Final = 3
SECONDS: Final = 5
LINK_BPS: Final = 100_000_000
GUARANTEED_BPS: Final = 20_000_000

_PROBES_S: Final = 200
_MARGIN_S: Final = 1.0
_BULK: Final = (("c2", 5202), ("gateway", 5203))


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in a time: bits a second of the pair and of the others, and round trips."""

    pair: float
    others: float
    trips: Trips


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """About 4 times `rounds` times `seconds` and 8 more."""
    return _measure("guarantee", running_site(), rounds or ROUNDS, seconds or SECONDS)


def measure_dpdk(rounds: int | None, seconds: int | None) -> Outcome:
    """The same on a switch with DPDK ports, which are policed and never shaped."""
    return _measure("guarantee-dpdk", running_dpdk_site(), rounds or ROUNDS, seconds or SECONDS)


def _measure(part: str, network: AbstractContextManager[Site], count: int, length: int) -> Outcome:
    idle: list[Trips] = []
    before: list[Seen] = []
    loaded: list[Seen] = []
    tcp: list[Seen] = []
    with prepared(network) as (site, method):
        for _ in range(count):
            guarantee(site)
            idle.append(_probe(site, length))
            loaded.append(under_load(site, length))
            tcp.append(under_load(site, length, start_tcp))
            take_back(site)
            before.append(under_load(site, length))
    title = (
        f"a guarantee of 20 on a link of 100 Mb/s, offered 200 more, {count} rounds of {length} s"
    )
    rows = {
        "idle": _row(idle, [0.0], [0.0]),
        "loaded, no guarantee": _row_of(before),
        "loaded, guaranteed": _row_of(loaded),
        "the pair by TCP": _row_of(tcp),
    }
    return _outcome((part, title, method), rows, idle, loaded)


@contextmanager
def prepared(network: AbstractContextManager[Site]) -> Iterator[tuple[Site, str]]:
    """The network with the link's rate stated, and how it is enforced.

    Neither the pair nor the others have a policy; another makes that ports have queues at all.
    """
    with ExitStack() as stack:
        site = stack.enter_context(network)
        ports = (iperf.PORT, *(port for _, port in _BULK))
        stack.enter_context(iperf.serving(site.net, "c1", *ports))
        stack.enter_context(echoing(site.net, "c1"))
        add_services(site)
        state_rate(site, "c1", LINK_BPS)
        set_policy(site, "other", source="db", destination="batch", **{"class": "bulk"})
        yield site, await_queues(site, "c1")


def guarantee(site: Site) -> None:
    """Give the pair its guarantee, and half of the others the class `bulk`."""
    set_policy(site, "bulk", source="batch", destination="db", **{"class": "bulk"})
    fields = {"class": "interactive", "guaranteed_bps": GUARANTEED_BPS}
    set_policy(site, "pair", source="shop", destination="db", **fields)
    await_queues(site, "c1")


def take_back(site: Site) -> None:
    """Take both back."""
    delete_policy(site, "pair")
    delete_policy(site, "bulk")
    await_queues(site, "c1")


def start_pair(site: Site, seconds: float) -> iperf.Load:
    """The pair sends what it is guaranteed."""
    to = site.net.spec.host("c1").address
    return iperf.start_udp(site.net, "c3", to, GUARANTEED_BPS, seconds)


def start_bulk(site: Site, seconds: float) -> list[iperf.Load]:
    """The others send twice what the link carries."""
    to = site.net.spec.host("c1").address
    return [
        iperf.start_udp(site.net, host, to, LINK_BPS, seconds, port=port) for host, port in _BULK
    ]


def start_tcp(site: Site, seconds: float) -> iperf.Load:
    """The pair sends what it can, by one connection."""
    return iperf.start_tcp(site.net, "c3", site.net.spec.host("c1").address, seconds)


def under_load(
    site: Site, length: float, start: Callable[[Site, float], iperf.Load] = start_pair
) -> Seen:
    """Everybody sends; what is seen while all do.

    The pair begins first and ends last: iperf3 settles both by a connection of its own.
    """
    pair = start(site, length + 6 * _MARGIN_S)
    time.sleep(_MARGIN_S)
    bulk = start_bulk(site, length + 3 * _MARGIN_S)
    time.sleep(_MARGIN_S)
    began = time.monotonic()
    trips = _probe(site, length)
    ended = time.monotonic()
    others = sum(load.flow().rate(began, ended) for load in bulk)
    return Seen(pair.flow().rate(began, ended), others, trips)


def _probe(site: Site, length: float) -> Trips:
    count = round(length * _PROBES_S)
    return probe(site.net, "c3", "c1", count, 1000 / _PROBES_S).trips()


def _row(trips: Sequence[Trips], pair: Sequence[float], others: Sequence[float]) -> Row:
    quantile = [quantiles(each.ms) for each in trips]
    return {
        "pair Mb/s": median(pair) / 1e6,
        "others Mb/s": median(others) / 1e6,
        "p50 ms": median(each["p50"] for each in quantile),
        "p99 ms": median(each["p99"] for each in quantile),
        "p99 least": min(each["p99"] for each in quantile),
        "p99 greatest": max(each["p99"] for each in quantile),
        "probes": sum(len(each.probes) for each in trips),
        "lost": sum(each.lost for each in trips),
    }


def _outcome(
    of: tuple[str, str, str],
    rows: Mapping[str, Row],
    idle: Sequence[Trips],
    loaded: Sequence[Seen],
) -> Outcome:
    part, title, method = of
    pairs = [each.pair / GUARANTEED_BPS for each in loaded]
    p99 = {
        "idle p99 ms": [quantiles(each.ms)["p99"] for each in idle],
        "loaded p99 ms": [quantiles(each.trips.ms)["p99"] for each in loaded],
    }
    grown = ratio(p99["loaded p99 ms"], p99["idle p99 ms"])
    targets = (
        Target("received / guaranteed", median(pairs), 0.97, at_least=True),
        Target("p99, loaded / idle", grown, 3.0, at_least=False),
    )
    samples = {"received / guaranteed": pairs, **p99}
    return Outcome(part, title, rows, targets, (f"enforced by {method}",), samples)


def _row_of(seen: Sequence[Seen]) -> Row:
    trips = [each.trips for each in seen]
    return _row(trips, [each.pair for each in seen], [each.others for each in seen])
