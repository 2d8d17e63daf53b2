"""Weights 3:2:1 over 10,000 new connections, and what moves when a container leaves."""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.results.report import Outcome, Target
from benchmarks.sites.controlled import SERVICE, VIP
from benchmarks.sites.site import Site, running_site
from topologies.processes import run

ROUNDS: Final = 1
CONNECTIONS: Final = 10_000
WEIGHTS: Final = {"c1": 3, "c2": 2, "c3": 1}
_LEAVING: Final = "c3"
_SECONDS: Final = 300.0
_FEWEST_SLOTS: Final = 64


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` of 10,000 connections, one after the other; `seconds` has no meaning here."""
    del seconds
    count = rounds or ROUNDS
    with running_site() as site:
        site.set_service()
        for name, weight in WEIGHTS.items():
            site.set_container(name, weight=weight)
        found = [_connect(site) for _ in range(count)]
        slots, moved = _leave(site)
    rows = {name: _row(name, found, slots) for name in WEIGHTS}
    worst = max(row["error, points"] for row in rows.values())
    return Outcome(
        "shares",
        f"percent of {CONNECTIONS} new connections by weight, {count} rounds",
        rows,
        (
            Target("greatest share error, percentage points", worst, 3.0, at_least=False),
            Target(f"slots moved that were not {_LEAVING}'s", moved, 0, at_least=False),
        ),
    )


def _row(name: str, found: list[Counter[str]], slots: dict[str, int]) -> dict[str, float]:
    """error: the greatest of any round."""
    wanted = 100 * WEIGHTS[name] / sum(WEIGHTS.values())
    shares = [100 * round_[name] / CONNECTIONS for round_ in found]
    return {
        "weight": WEIGHTS[name],
        "wanted": wanted,
        "slots": slots[name],
        "got": sum(shares) / len(shares),
        "error, points": max(abs(share - wanted) for share in shares),
    }


def _connect(site: Site) -> Counter[str]:
    argv = [sys.executable, "-m", "topologies.traffic", "fresh", VIP, "80", str(CONNECTIONS)]
    done = site.net.run("client", argv, timeout_s=_SECONDS)
    if done.returncode:
        raise BenchmarkFailed(f"the client failed: {done.stderr.strip()[-300:]}")
    result = json.loads(done.stdout)
    if result["failures"]:
        raise BenchmarkFailed(f"{result['failures']} of {CONNECTIONS} connections failed")
    return Counter(result["answered"])


def _leave(site: Site) -> tuple[dict[str, int], int]:
    """Slots by container; how many of those that stay had slots that changed when one left."""
    listed = site.api.call("GET", f"{SERVICE}/containers")["items"]
    slots = {each["id"]: int(each["slots"]) for each in listed}
    before = _buckets(site.bridge)
    site.api.call("DELETE", f"{SERVICE}/containers/{_LEAVING}?drain=0&wait=applied")
    after = _buckets(site.bridge)
    gone = set(before) - set(after)
    if len(before) != len(after) or len(gone) != 1:
        raise BenchmarkFailed(f"the group changed otherwise than by {_LEAVING} leaving: {gone}")
    pairs = zip(before, after, strict=True)
    return slots, sum(was != now and was not in gone for was, now in pairs)


def _buckets(bridge: str) -> list[str]:
    """The buckets of the one group with slots, in their order."""
    text = run(["ovs-ofctl", "-O", "OpenFlow13", "dump-groups", bridge])
    groups = [line.strip().split(",bucket=")[1:] for line in text.splitlines()]
    with_slots = [buckets for buckets in groups if len(buckets) >= _FEWEST_SLOTS]
    if len(with_slots) != 1:
        raise BenchmarkFailed(f"{len(with_slots)} groups have slots, not one")
    return with_slots[0]
