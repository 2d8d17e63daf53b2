"""How exactly a limit is kept: what passes of a policy's UDP and TCP, by iperf3.

The limit is `max_bps` of a policy for what goes from one service to another, set by REST and kept
by a meter where it comes in. UDP is offered at 1.5 times the limit; what passes is counted at the
receiver in whole Ethernet frames, as meters count. Of TCP it is goodput. Counted is from when the
burst, one second of the rate, is used up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from benchmarks.qos.setting import add_services, delete_policy, set_policy
from benchmarks.results.report import Outcome, Target, spread
from benchmarks.sites.site import Site, running_site
from topologies import iperf

ROUNDS: Final = 3
SECONDS: Final = 6
LIMITS: Final[Mapping[str, int]] = {"10 Mb/s": 10_000_000, "100 Mb/s": 100_000_000}

BURSTS_MS: Final = (10, 100)
"""Shorter than by default, to see what TCP makes of the smaller limit then."""

_OFFERED: Final = 1.5
_BURST_SECONDS: Final = 3.0  # one of the rate, at half of the rate too many, and one to spare
_TO: Final = "c1"
_FROM: Final = "c3"


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """About 6 times `rounds` times `seconds` and 3 more."""
    count, length = rounds or ROUNDS, seconds or SECONDS
    found: dict[str, list[float]] = {}
    with running_site() as site, iperf.serving(site.net, _TO):
        add_services(site)
        for _ in range(count):
            for name, limit in LIMITS.items():
                with _limited(site, limit):
                    found.setdefault(f"UDP, {name}", []).append(_udp(site, limit, length))
                with _limited(site, limit):
                    found.setdefault(f"TCP, {name}", []).append(_tcp(site, length))
            for burst_ms in BURSTS_MS:
                with _limited(site, min(LIMITS.values()), burst_ms=burst_ms):
                    row = f"TCP, 10 Mb/s, burst {burst_ms} ms"
                    found.setdefault(row, []).append(_tcp(site, length))
    return _outcome(found, f"{count} rounds of {length} s")


@contextmanager
def _limited(site: Site, limit: int, **more: int) -> Iterator[None]:
    """The pair has a limit inside the body. Its meter begins with a full bucket."""
    set_policy(site, "limited", source="shop", destination="db", max_bps=limit, **more)
    yield
    delete_policy(site, "limited")


def _udp(site: Site, limit: int, length: int) -> float:
    seconds = length + _BURST_SECONDS
    to = site.net.spec.host(_TO).address
    flow = iperf.start_udp(site.net, _FROM, to, _OFFERED * limit, seconds).flow()
    return flow.steady(_BURST_SECONDS)


def _tcp(site: Site, length: int) -> float:
    seconds = length + _BURST_SECONDS
    flow = iperf.start_tcp(site.net, _FROM, site.net.spec.host(_TO).address, seconds).flow()
    return flow.steady(_BURST_SECONDS)


def _outcome(found: Mapping[str, list[float]], length: str) -> Outcome:
    rows, targets = {}, []
    for name, rates in found.items():
        protocol, limited, *shorter = name.split(", ")
        limit = LIMITS[limited]
        kept = spread([rate / limit for rate in rates])
        rows[name] = {"Mb/s": spread(rates)["median"] / 1e6, **kept}
        if shorter:
            continue
        if protocol == "TCP":
            targets.append(Target(f"{name}: goodput / limit", kept["median"], 0.85, at_least=True))
        else:
            targets.append(Target(f"{name}: passed / limit", kept["median"], 0.97, at_least=True))
            targets.append(Target(f"{name}: passed / limit", kept["median"], 1.03, at_least=False))
    title = f"what passes of a limit (median, least, greatest part of it), {length}"
    return Outcome("limits", title, rows, tuple(targets), samples=dict(found))
