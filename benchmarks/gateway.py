"""Requests a second through prewire's VIP, beside HAProxy, the same flows by hand, and no balancer.

The same client, switch and nginx containers for all. Rounds are interleaved: each round measures
every subject, in an order of its own from a fixed seed. HAProxy and direct access run on a plain
learning switch, so that prewire's flows do not slow them; HAProxy's packets cross it twice. Where
another than prewire is measured, prewire's processes are paused.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks import wrk
from benchmarks.haproxy import running_haproxy, version
from benchmarks.report import Outcome, Target, ratio, spread
from benchmarks.site import VIP, Site, running_site
from benchmarks.switch import State, Switch

ROUNDS: Final = 7
SECONDS: Final = 4
SEED: Final = 3
_DIRECT_SOURCE: Final = "10.0.3.1"
_NAME: Final = {False: "keep-alive", True: "new connections"}


@dataclass(frozen=True, slots=True)
class _Subject:
    state: State
    url: str


@dataclass(frozen=True, slots=True)
class _Found:
    """A load, and processor time of prewire's processes during it, in percent of one core."""

    load: wrk.Load
    prewire_percent: float


Loads = dict[tuple[str, bool], list[_Found]]
"""By subject, and whether each request has a connection of its own; one a round."""


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """About `rounds` times eight loads of `seconds` each."""
    with running_site() as site, running_haproxy(site.net) as haproxy:
        site.add_web()
        direct = site.net.spec.containers[0]
        site.talk_from(_DIRECT_SOURCE, direct.address)
        subjects = {
            "prewire": _Subject("prewire", f"http://{VIP}/"),
            "ovs-ofctl": _Subject("copy", f"http://{VIP}/"),
            "haproxy": _Subject("plain", haproxy),
            "direct": _Subject("plain", f"http://{direct.address}:{direct.http_port}/"),
        }
        loads = _loads(site, subjects, rounds or ROUNDS, seconds or SECONDS)
    return _outcome(loads, seconds or SECONDS)


def _loads(site: Site, subjects: Mapping[str, _Subject], rounds: int, seconds: int) -> Loads:
    switch = Switch(site)
    order = random.Random(SEED)
    loads: Loads = {(name, new): [] for new in (False, True) for name in subjects}
    for _ in range(rounds):
        for name in order.sample(list(subjects), len(subjects)):
            subject = subjects[name]
            switch.become(subject.state)
            site.check_answer(subject.url)
            for new in (False, True):
                before = site.prewire_seconds()
                load = wrk.load(site.net, subject.url, seconds, new_connections=new)
                percent = 100 * (site.prewire_seconds() - before) / seconds
                loads[name, new].append(_Found(load, percent))
    return loads


def _outcome(loads: Loads, seconds: int) -> Outcome:
    samples = {
        f"{name}, {_NAME[new]}": [each.load.requests_s for each in found]
        for (name, new), found in loads.items()
    }
    rows = {f"{name}, {_NAME[new]}": _row(found) for (name, new), found in loads.items()}
    targets = tuple(
        Target(
            f"prewire / {other}, {mode}",
            ratio(samples[f"prewire, {mode}"], samples[f"{other}, {mode}"]),
            bound,
            at_least=True,
        )
        for other, mode, bound in (
            ("haproxy", "keep-alive", 2.0),
            ("haproxy", "new connections", 1.5),
            ("ovs-ofctl", "keep-alive", 0.95),
            ("ovs-ofctl", "new connections", 0.95),
        )
    )
    rounds = len(next(iter(loads.values())))
    title = (
        f"requests/s, {rounds} interleaved rounds of {seconds} s, wrk with"
        f" {wrk.CONNECTIONS} connections"
    )
    notes = (
        "ovs-ofctl: prewire's own flows, without prewire; haproxy: " + version(),
        "switch µs: processor time of ovs-vswitchd a request; prewire %: of one core, that its"
        " processes took; ratios are medians over rounds",
    )
    return Outcome("gateway", title, rows, targets, notes, samples)


def _row(found: list[_Found]) -> dict[str, float]:
    return {
        **spread([each.load.requests_s for each in found]),
        "p99 ms": median(each.load.p99_ms for each in found),
        "switch µs": median(each.load.switch_us for each in found),
        "prewire %": median(each.prewire_percent for each in found),
        "errors": sum(each.load.errors for each in found),
    }
