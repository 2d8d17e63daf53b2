"""Keep-alive of rarely called services on a day of Azure Functions, minute by minute.

The second half of the day is scored, the first is history; each function counts as often as such
functions are in the wild (column `names`). Data: Azure Public Dataset 2019, CC-BY 4.0 (Shahrad et
al., USENIX ATC 2020). Targets: a p75 cold ratio of at most 0.33 at no more waste than the fixed
keep-alive of 10 minutes, and at most 0.55 of its waste at its mean cold ratio. Intervals resample
functions. Exits 1 where data are missing.
"""

from __future__ import annotations

import csv
import gzip
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.errors import BenchmarkFailed
from benchmarks.prediction.front import command
from benchmarks.prediction.traces import TRACES, traces
from benchmarks.results.report import Outcome, Row, Target
from predictor.replay.long_tail import OURS, REFERENCE, LongTailResult, TailPoint, run
from predictor.series.window import Floats, Window


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """The back-test as rows; neither rounds nor seconds have a meaning here."""
    del rounds, seconds
    return outcome(run(*azure(traces())))


def outcome(result: LongTailResult) -> Outcome:
    """As rows and targets."""
    return Outcome(
        "long-tail",
        f"cold ratio and idle time of {result.services:,} functions",
        {point.policy: _row(point) for point in result.points},
        (
            Target("p75 cold at waste <= 1", _least_p75(result), 0.33, at_least=False),
            Target(f"waste at the mean of {REFERENCE}", _least_waste(result), 0.55, at_least=False),
        ),
    )


def azure(directory: Path) -> tuple[Window, Floats]:
    """The counts, and how many functions each stands for."""
    names, weights, counts = [], [], []
    try:
        with gzip.open(directory / "azure2019" / "invocations_per_minute.csv.gz", "rt") as file:
            lines = csv.reader(file)
            next(lines)
            for name, _, _, weight, *minutes in lines:
                names.append(name)
                weights.append(float(weight))
                counts.append(np.array(minutes, dtype=np.float64))
    except OSError as error:
        raise BenchmarkFailed(f"no traces in {directory}: {error}; set {TRACES}") from error
    return Window(tuple(names), 60.0, 86_400_000, np.array(counts)), np.array(weights)


def draw(result: LongTailResult, file: Path) -> None:
    """The front: mean and p75 cold ratio over waste, in the format of the file's suffix."""
    import_module("matplotlib").use("Agg")
    figure, panels = import_module("matplotlib.pyplot").subplots(1, 2, figsize=(10, 4))
    for panel, what, title in zip(
        panels, ("mean_cold", "p75_cold"), ("mean cold ratio", "p75 cold ratio"), strict=True
    ):
        ours = [point for point in result.points if point.threshold is not None]
        _curve(panel, ours, what, "hazard keep-alive")
        for point in result.points:
            if point.threshold is None:
                _curve(panel, [point], what, point.policy)
        panel.set_xlabel(f"idle time over that of {REFERENCE}")
        panel.set_ylabel(title)
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file)


def _curve(panel: Any, points: list[TailPoint], what: str, label: str) -> None:
    across, up = [point.waste for point in points], [getattr(point, what) for point in points]
    panel.errorbar(
        [each.value for each in across],
        [each.value for each in up],
        xerr=_bars(across),
        yerr=_bars(up),
        marker="o",
        capsize=2,
        label=label,
    )


def _bars(intervals: list[Any]) -> list[list[float]]:
    return [
        [max(0.0, each.value - each.low) for each in intervals],
        [max(0.0, each.high - each.value) for each in intervals],
    ]


def _row(point: TailPoint) -> Row:
    figures = {"p75 cold": point.p75_cold, "mean cold": point.mean_cold, "waste": point.waste}
    row: dict[str, float] = {}
    for name, figure in figures.items():
        row |= {name: figure.value, f"{name} low": figure.low, f"{name} high": figure.high}
    return row


def _least_p75(result: LongTailResult) -> float:
    """Of ours, where it wastes no more than the reference."""
    fair = [p.p75_cold.value for p in result.points if _is_ours(p) and p.waste.value <= 1]
    return min(fair, default=1.0)


def _least_waste(result: LongTailResult) -> float:
    """Of ours at the reference's mean cold ratio, interpolated along the front."""
    ours = sorted(
        (point.mean_cold.value, point.waste.value) for point in result.points if _is_ours(point)
    )
    mean = next(p.mean_cold.value for p in result.points if p.policy == REFERENCE)
    return float(np.interp(mean, [cold for cold, _ in ours], [waste for _, waste in ours]))


def _is_ours(point: TailPoint) -> bool:
    return point.policy.startswith(OURS)


if __name__ == "__main__":
    sys.exit(command("long_tail", __doc__, lambda where: run(*azure(where)), outcome, draw))
