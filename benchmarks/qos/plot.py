"""The picture of a guarantee: a full link, and what changes when the pair gets its guarantee.

`python -m benchmarks.qos.plot docs/images/qos.svg`, as root, with matplotlib (`pip install
'prewire[bench]'`). The link of 100 Mb/s is offered 20 Mb/s by a pair of services and 200 Mb/s by
others all the time; the policy is set by REST half way.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.qos import guarantee
from benchmarks.qos.setting import Trips, probe
from benchmarks.sites.site import running_site
from topologies import iperf

SECONDS: Final = 24
_MARGIN_S: Final = 2.0
_PROBES_S: Final = 100


@dataclass(frozen=True, slots=True)
class Course:
    """One run. Times are of `time.monotonic`; switched: when the policy was acknowledged."""

    began: float
    switched: float
    pair: iperf.Flow
    others: tuple[iperf.Flow, ...]
    trips: Trips


def main(argv: list[str]) -> int:
    """The command."""
    if len(argv) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    with guarantee.prepared(running_site()) as (site, _):
        pair = guarantee.start_pair(site, SECONDS + 4 * _MARGIN_S)
        time.sleep(_MARGIN_S)
        bulk = guarantee.start_bulk(site, SECONDS + _MARGIN_S)
        time.sleep(_MARGIN_S)
        began = time.monotonic()
        probing = probe(site.net, "c3", "c1", SECONDS * _PROBES_S, 1000 / _PROBES_S)
        time.sleep(SECONDS / 2)
        guarantee.guarantee(site)
        switched = time.monotonic()
        trips = probing.trips()
        flows = tuple(load.flow() for load in bulk)
        course = Course(began, switched, pair.flow(), flows, trips)
    draw(course, Path(argv[0]))
    return 0


def draw(course: Course, file: Path) -> None:
    """Throughput above, round trips below."""
    import matplotlib as mpl  # noqa: PLC0415 - of this picture alone

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, (above, below) = pyplot.subplots(2, 1, sharex=True, figsize=(8, 5.5))
    _throughput(above, course)
    _latency(below, course)
    at = course.switched - course.began
    for axes in (above, below):
        axes.axvline(at, color="black", linestyle=":", linewidth=1)
        axes.grid(alpha=0.3)
        axes.set_xlim(0, SECONDS)
    above.annotate("guarantee set", (at, 98), (6, 0), textcoords="offset points", fontsize=9)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def _throughput(axes: Any, course: Course) -> None:
    flows = {"pair, guaranteed 20": (course.pair,), "others, 200 offered": course.others}
    for label, members in flows.items():
        times = [course.began + step / 4 for step in range(4 * SECONDS)]
        sums = [sum(_rate_at(each, at) for each in members) / 1e6 for at in times]
        axes.plot([at - course.began for at in times], sums, label=label, linewidth=1.4)
    axes.axhline(20, color="grey", linestyle="--", linewidth=0.8)
    axes.set_ylabel("received, Mb/s")
    axes.set_ylim(0, 110)
    axes.legend(loc="center right", fontsize=9)


def _rate_at(flow: iperf.Flow, at: float) -> float:
    return next((bps for begin, end, bps in flow.received if begin <= at < end), 0.0)


def _latency(axes: Any, course: Course) -> None:
    answered = [(at - course.began, 1000 * trip) for at, trip in course.trips.probes if trip]
    lost = [at - course.began for at, trip in course.trips.probes if trip is None]
    axes.plot(*zip(*answered, strict=True), ".", markersize=3, label="round trip of the pair")
    top = 1.3 * max(ms for _, ms in answered)
    axes.plot(lost, [top] * len(lost), "x", color="tab:red", markersize=4, label="lost")
    axes.set_yscale("log")
    axes.set_ylabel("round trip, ms")
    axes.set_xlabel("seconds")
    axes.legend(loc="upper right", fontsize=9)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
