"""What the replay benchmarks share: traces, rows, and the command."""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.errors import BenchmarkFailed
from benchmarks.prediction.traces import TRACES, traces
from benchmarks.results.report import Outcome, Row
from predictor.replay.plots import pareto_plot
from predictor.replay.results import Point, Report
from predictor.series.window import Floats, Window

DAY_MS: Final = 86_400_000


def arrivals(directory: Path) -> Floats:
    """Of the bursty service, seconds; BenchmarkFailed where there are none."""
    rows = _rows(directory / "azure_llm2023" / "code.csv.gz")
    return np.array([float(row[0]) for row in rows])


def busiest(directory: Path, services: int) -> Window:
    """A day of the busiest functions, in minutes; BenchmarkFailed where there is none."""
    rows = _rows(directory / "azure2019" / "invocations_per_minute.csv.gz")
    counts = {row[0]: np.array(row[4:], dtype=np.float64) for row in rows}
    names = sorted(counts, key=lambda name: -float(counts[name].sum()))[:services]
    return Window(tuple(names), 60.0, DAY_MS, np.array([counts[name] for name in names]))


def _rows(file: Path) -> list[list[str]]:
    try:
        with gzip.open(file, "rt") as opened:
            return list(csv.reader(opened))[1:]
    except OSError as error:
        raise BenchmarkFailed(f"no trace {file}: {error}; set {TRACES}") from error


def rows(report: Report, prefix: str = "") -> dict[str, Row]:
    """A row for each setting of each policy."""
    return {
        f"{prefix}{point.policy}, {point.setting}": {
            "queued": point.queued.value,
            "queued low": point.queued.low,
            "queued high": point.queued.high,
            "cost": point.cost.value,
            "cost low": point.cost.low,
            "cost high": point.cost.high,
            "mean wait s": point.waited_s,
        }
        for point in report.points
    }


def least_queued(points: Iterable[Point], cost: float) -> float:
    """The least share that waits among the settings that cost no more; 1 where none does."""
    return min((p.queued.value for p in points if p.cost.value <= cost), default=1.0)


def usual(report: Report, policy: str, setting: str) -> Point:
    """That point."""
    return next(p for p in report.points if (p.policy, p.setting) == (policy, setting))


def command(
    name: str, description: str | None, found: Callable[[Path], tuple[Outcome, Report]]
) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    parser.add_argument("traces", nargs="?", type=Path, help=f"directory; default: ${TRACES}")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the curves there")
    options = parser.parse_args()
    try:
        outcome, report = found(options.traces or traces())
    except BenchmarkFailed as error:
        print(f"benchmarks.{name}: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"outcome": outcome.as_json(), **report.as_json()}, indent=2))
    print(outcome.as_table(), file=sys.stderr)
    if options.plot:
        pareto_plot(report.curves(), options.plot, outcome.title)
    return 0
