"""Every subject of `gateway` and `gateway-dpdk` under the same loads, round by round.

Each round measures every subject, in an order of its own from a fixed seed: what drifts on the
machine in minutes meets all of them alike, which one stretch for each does not give. HAProxy, nginx
and direct access run on a plain learning switch, so that prewire's flows do not slow them; a
proxy's packets cross it twice. Where another than prewire is measured, prewire's processes are
paused.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.balancing.gateway_site import GatewaySite
from benchmarks.load import paced_load, wrk
from benchmarks.load.paced_load import Offer
from benchmarks.peers import hand_written
from benchmarks.peers.haproxy import running_haproxy
from benchmarks.peers.nginx_stream import running_nginx_stream
from benchmarks.sites.controlled import VIP
from benchmarks.sites.switch import Switch

ROUNDS: Final = 6
SECONDS: Final = 10
"""A minute of each load on each subject."""

SEED: Final = 3
KEEP_ALIVE, NEW, PACED = "keep-alive", "new connections", "paced"
_DIRECT_SOURCE: Final = "10.0.3.1"
_NAT_SOURCE: Final = "10.0.3.2"


@dataclass(frozen=True, slots=True)
class Found:
    """A load, and processor time of prewire's processes during it, in percent of one core."""

    load: wrk.Load
    prewire_percent: float


Loads = dict[tuple[str, str], list[Found]]
"""By subject and kind of load; one a round."""


@dataclass(frozen=True, slots=True)
class Subject:
    """state: what the switch becomes for it; url: where it answers."""

    state: str
    url: str


@contextmanager
def subjects(site: GatewaySite) -> Iterator[dict[str, Subject]]:
    """By name; all answer inside the body, once the switch is what they need."""
    net = site.net
    direct = net.spec.containers[0]
    site.add_web()
    site.talk_from(_DIRECT_SOURCE, direct.address)
    site.talk_from(_NAT_SOURCE, hand_written.NAT_VIP)
    with (
        running_haproxy(net, "tcp") as tcp,
        running_haproxy(net, "http") as http,
        running_nginx_stream(net) as stream,
    ):
        yield {
            "prewire": Subject("prewire", f"http://{VIP}/"),
            "ovs-ofctl copy": Subject("copy", f"http://{VIP}/"),
            "by hand": Subject("by hand", f"http://{VIP}/"),
            "by hand, ct(nat)": Subject("ct(nat)", f"http://{hand_written.NAT_VIP}/"),
            "haproxy tcp": Subject("plain", tcp),
            "haproxy http": Subject("plain", http),
            "nginx stream": Subject("plain", stream),
            "direct": Subject("plain", f"http://{direct.address}:{direct.http_port}/"),
        }


def loads(
    site: GatewaySite, given: Mapping[str, Subject], rounds: int, seconds: int
) -> tuple[Loads, float]:
    """Closed loops of both kinds, then an open one; and the rate of that, in requests a second."""
    programs = {
        "by hand": hand_written.by_hand(site.net.spec),
        "ct(nat)": hand_written.by_nat(site.net.spec),
    }
    switch = Switch(site, site.tools, programs)
    order = random.Random(SEED)
    found: Loads = {(name, kind): [] for kind in (KEEP_ALIVE, NEW, PACED) for name in given}

    def visit(load: Callable[[str, Subject], None]) -> None:
        for name in order.sample(list(given), len(given)):
            switch.become(given[name].state)
            site.check_answer(given[name].url)
            load(name, given[name])

    def closed(name: str, subject: Subject) -> None:
        for kind in (KEEP_ALIVE, NEW):
            found[name, kind].append(_closed(site, subject.url, seconds, kind))

    for _ in range(rounds):
        visit(closed)
    slowest = min(median(_rates(found[name, KEEP_ALIVE])) for name in given)
    rate = paced_load.rate_below(slowest)

    def paced(name: str, subject: Subject) -> None:
        offer = Offer(rate, seconds, SEED + len(found[name, PACED]))
        found[name, PACED].append(_paced(site, subject.url, offer))

    for _ in range(rounds):
        visit(paced)
    return found, rate


def _closed(site: GatewaySite, url: str, seconds: int, kind: str) -> Found:
    def run() -> wrk.Load:
        return wrk.load(
            site.net,
            url,
            seconds,
            new_connections=kind == NEW,
            switch_seconds=site.switch_seconds,
        )

    return _beside(site, seconds, run)


def _paced(site: GatewaySite, url: str, offer: Offer) -> Found:
    def run() -> wrk.Load:
        return paced_load.load(site.net, url, offer, site.switch_seconds)

    return _beside(site, offer.seconds, run)


def _beside(site: GatewaySite, seconds: int, run: Callable[[], wrk.Load]) -> Found:
    before = site.prewire_seconds()
    load = run()
    return Found(load, 100 * (site.prewire_seconds() - before) / seconds)


def _rates(found: list[Found]) -> list[float]:
    return [each.load.requests_s for each in found]
