"""The picture of a course: load, containers, rates and latency, ahead and behind.

Must not know: how the course was made. matplotlib is an extra (`prewire[plot]`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

from prewire.errors import CommandFailed
from prewire.rehearsal.course import Course, Request
from prewire.rehearsal.scene import AHEAD, BEHIND, CONTAINERS

_COLOURS: Final = {AHEAD: "#1a7f5a", BEHIND: "#c2571a"}
_NAMES: Final = {AHEAD: "planned ahead", BEHIND: "by the load of now"}


class NoPicture(CommandFailed):
    """matplotlib is not installed."""


def draw(course: Course, file: Path) -> None:
    """Four rows, one time. NoPicture where matplotlib is missing."""
    try:
        import matplotlib  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise NoPicture("matplotlib: not installed; pip install 'prewire[plot]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, rows = plt.subplots(4, 1, figsize=(11, 9), sharex=True, layout="constrained")
    _load(rows[0], course)
    _containers(rows[1], course)
    _rates(rows[2], course)
    _latency(rows[3], course)
    for row in rows:
        row.axvspan(0, course.starts()[0] - course.loads.period / 2, color="0.93", zorder=0)
        row.grid(axis="y", color="0.88")
        row.spines[["top", "right"]].set_visible(False)
    rows[3].set_xlabel("seconds (grey: still learning)")
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _load(row: Any, course: Course) -> None:
    counts = Counter(int(each.at) for each in course.requests[AHEAD])
    seconds = range(int(course.loads.seconds) + 1)
    row.fill_between(seconds, [counts[s] for s in seconds], step="post", color="0.6")
    row.set_ylabel("requests/s\nto each service")


def _containers(row: Any, course: Course) -> None:
    times = [each.at for each in course.samples]
    for name in (BEHIND, AHEAD):
        ready = [each.ready[name] for each in course.samples]
        row.step(times, ready, where="post", color=_COLOURS[name], label=_NAMES[name])
    row.set_ylabel("containers\nready")
    row.set_ylim(0, CONTAINERS + 1.2)
    row.legend(loc="upper left", ncols=2, frameon=False)


def _rates(row: Any, course: Course) -> None:
    bits = 8 * course.loads.padding / 1e6
    counts = Counter(int(each.at) for each in course.requests[AHEAD])
    seconds = range(int(course.loads.seconds) + 1)
    offered = [counts[s] * bits for s in seconds]
    row.fill_between(seconds, offered, step="post", color="0.8", label="offered")
    times = [each.at for each in course.samples]
    rates = [each.rate_bps / 1e6 for each in course.samples]
    row.step(times, rates, where="post", color=_COLOURS[AHEAD], label="meter and guarantee")
    row.set_ylabel("Mbit/s")
    row.legend(loc="upper left", ncols=2, frameon=False)


def _latency(row: Any, course: Course) -> None:
    for name in (BEHIND, AHEAD):
        answered: list[Request] = [each for each in course.requests[name] if each.status == 200]
        times, took = [each.at for each in answered], [each.took for each in answered]
        label = f"{_NAMES[name]}: p99 in surges {course.p99(name):.2f} s"
        row.plot(times, took, ".", markersize=3, color=_COLOURS[name], label=label)
    row.set_yscale("log")
    row.set_ylim(0.1, 30)
    row.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    row.set_ylabel("seconds to\nthe answer")
    row.legend(loc="upper left", ncols=2, frameon=False)
