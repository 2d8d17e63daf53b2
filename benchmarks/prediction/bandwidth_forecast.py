"""Rates provisioned from the forecast, on a week of the Abilene backbone's 144 pairs.

The first half of the week is learned from, the second is scored, in steps of five minutes. Data:
Y. Zhang's Abilene traffic matrices. Targets, by one setting: load above the rate in at most 1.2 %
of steps, at the worst pair 3 %, and idle rate of at most 0.44 of the load. Intervals resample
blocks of six hours. Exits 1 where data are missing.
"""

from __future__ import annotations

import gzip
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.errors import BenchmarkFailed
from benchmarks.prediction.front import command
from benchmarks.prediction.traces import TRACES, traces
from benchmarks.results.report import Outcome, Row, Target
from predictor.replay.rates import RatePoint, RatesResult, run
from predictor.series.window import Window

STEP_S: Final = 300.0
VIOLATIONS: Final = 0.012
WORST: Final = 0.03
IDLE: Final = 0.44


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """The back-test as rows; neither rounds nor seconds have a meaning here."""
    del rounds, seconds
    return outcome(run(abilene(traces())))


def outcome(result: RatesResult) -> Outcome:
    """As rows, and the targets at the best setting: see `best`."""
    point = best(result)
    return Outcome(
        "bandwidth",
        f"rates of {result.pairs} pairs, {result.scored_steps:,} steps of {result.step_s:g} s",
        {each.policy: _row(each) for each in result.points},
        (
            Target(f"violations, {point.policy}", point.violations.value, VIOLATIONS, False),
            Target(f"worst pair, {point.policy}", point.worst.value, WORST, False),
            Target(f"idle over load, {point.policy}", point.idle.value, IDLE, False),
        ),
    )


def best(result: RatesResult) -> RatePoint:
    """The least idle of ours within both bounds of violations; else that with fewest of them."""
    ours = [point for point in result.points if point.ours]
    within = [p for p in ours if p.violations.value <= VIOLATIONS and p.worst.value <= WORST]
    if within:
        return min(within, key=lambda point: point.idle.value)
    return min(ours, key=lambda point: point.violations.value)


def abilene(directory: Path) -> Window:
    """The pairs' bit rates."""
    try:
        with gzip.open(directory / "abilene" / "week1_od_bps.csv.gz", "rt") as file:
            names = tuple(next(file).strip().split(","))
            values = np.loadtxt(file, delimiter=",").T
    except OSError as error:
        raise BenchmarkFailed(f"no traces in {directory}: {error}; set {TRACES}") from error
    return Window(names, STEP_S, round(values.shape[1] * STEP_S * 1000), values)


def draw(result: RatesResult, file: Path) -> None:
    """Violations over idle, in the format of the file's suffix."""
    import_module("matplotlib").use("Agg")
    figure, panels = import_module("matplotlib.pyplot").subplots(1, 2, figsize=(11, 4.5))
    for panel, what, bound in ((panels[0], "violations", VIOLATIONS), (panels[1], "worst", WORST)):
        for point in result.points:
            up, across = getattr(point, what), point.idle
            panel.errorbar(
                [across.value],
                [up.value],
                xerr=[[across.value - across.low], [across.high - across.value]],
                yerr=[[max(0.0, up.value - up.low)], [max(0.0, up.high - up.value)]],
                marker="o" if point.ours else "s",
                capsize=2,
                label=point.policy,
            )
        panel.axhline(bound, color="grey", linestyle=":")
        panel.axvline(IDLE, color="grey", linestyle=":")
        panel.set_xlabel("idle rate over load")
        panel.set_ylabel("share of steps above the rate" + (", worst pair" * (what == "worst")))
        panel.set_yscale("log")
        panel.grid(alpha=0.3)
    panels[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(file)


def _row(point: RatePoint) -> Row:
    figures = {"violations": point.violations, "worst": point.worst, "idle": point.idle}
    row: dict[str, float] = {}
    for name, figure in figures.items():
        row |= {name: figure.value, f"{name} low": figure.low, f"{name} high": figure.high}
    return row


if __name__ == "__main__":
    sys.exit(
        command("bandwidth_forecast", __doc__, lambda where: run(abilene(where)), outcome, draw)
    )
