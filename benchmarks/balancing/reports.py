"""From a container's report that it is busy to the changed group on the switch.

In turn one container of three reports `50%` and `100%`. The time runs from before the POST until a
reading of the switch's groups differs from the one before it; groups are read about every
millisecond, from when the POST has returned. Reports come at random times, so the controller's tick
is met at any phase.
"""

from __future__ import annotations

import random
import time
from typing import Final

from benchmarks.balancing.groups import GroupReader
from benchmarks.errors import BenchmarkFailed
from benchmarks.results.report import Outcome, Target, quantiles
from benchmarks.sites.site import Site, running_site

ROUNDS: Final = 200
SEED: Final = 3
_PAUSE_SECONDS: Final = (0.15, 0.3)
"""Between two reports, at random: longer than a tick, so that none waits for the other's."""

_POLL_SECONDS: Final = 0.001
_PATIENCE_SECONDS: Final = 5.0


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` reports, about a third of a second each; `seconds` has no meaning here."""
    del seconds
    posts: list[float] = []
    changes: list[float] = []
    readings: list[float] = []
    draw = random.Random(SEED)
    with running_site() as site:
        site.add_web()
        groups = GroupReader(site.bridge)
        for number in range(rounds or ROUNDS):
            posted, changed, each_ms = _one(site, groups, "50%" if number % 2 == 0 else "100%")
            posts.append(posted)
            changes.append(changed)
            readings.append(each_ms)
            time.sleep(draw.uniform(*_PAUSE_SECONDS))
        groups.close()
    rows = {"POST answered": quantiles(posts), "group changed": quantiles(changes)}
    target = Target("group changed, p50", rows["group changed"]["p50"], 120.0, at_least=False)
    title = f"milliseconds from POST /v1/reports, {len(changes)} reports"
    note = f"a reading every {quantiles(readings)['p50']:.1f} ms, the resolution"
    samples = {"POST answered": posts, "group changed": changes}
    return Outcome("reports", title, rows, (target,), (note,), samples)


def _one(site: Site, groups: GroupReader, words: str) -> tuple[float, float, float]:
    """Milliseconds until the POST returned and until the group changed, and between readings."""
    before = groups.read()
    began = time.perf_counter()
    site.api.report([{"service": "web", "container": "c1", "words": words}])
    posted = time.perf_counter()
    readings = 1
    while groups.read() == before:
        if time.perf_counter() - began > _PATIENCE_SECONDS:
            raise BenchmarkFailed(f"report {words!r}: no group changed in {_PATIENCE_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)
        readings += 1
    changed = time.perf_counter()
    each_s = (changed - posted) / readings
    return 1000 * (posted - began), 1000 * (changed - began), 1000 * each_s
