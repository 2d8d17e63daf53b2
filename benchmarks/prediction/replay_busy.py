"""Busy services second by second: which requests wait for a container, and what that costs.

The 50 busiest functions of a day of Azure Functions, two hours of it, minutes spread to seconds by
a seeded Poisson process; the first hour is history, the second is scored. A request takes 0.5 s
(the trace of counts has no durations), a container one at a time, a cold start 3 or 10 s. Data:
Azure Public Dataset 2019, CC-BY 4.0 (Shahrad et al., USENIX ATC 2020).

Negative controls, on every fifth of these services, where there is nothing to learn or metrics are
bad for every policy alike: minutes in random order; a burst of five times the load without any
precursor; metrics 10 s late; 5 % of scrapes lost. Ours must then let wait at most 1.05 times
KPA's share at no more container-seconds. Exits 1 where data are missing.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.prediction.replays import busiest, command, least_queued, rows, usual
from benchmarks.prediction.traces import traces
from benchmarks.results.report import Outcome, Row, Target
from predictor.replay.pool import Pool, pool
from predictor.replay.replay import run, workloads_of_counts
from predictor.replay.results import Report
from predictor.replay.simulator import Setting
from predictor.series.window import Window

SERVICES, EVERY = 50, 5
FIRST_MINUTE, MINUTES = 600, 120
SERVICE_S = 0.5
COLD_STARTS_S = (3.0, 10.0)
SETTING = Setting(MINUTES * 60.0, score_from_s=3600.0)
POLICIES = ("oracle", "kpa", "recent maximum", "prewire")
BURST, BURST_MINUTES = 5.0, 3
CONTROL_BOUND = 1.05


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """The replay as rows; neither rounds nor seconds have a meaning here."""
    del rounds, seconds
    return found(traces())[0]


def found(directory: Path) -> tuple[Outcome, Report]:
    """Both cold starts and the controls; the report is that of the short cold start."""
    day = busiest(directory, SERVICES)
    load = replace(day, values=day.values[:, FIRST_MINUTE : FIRST_MINUTE + MINUTES])
    table: dict[str, Row] = {}
    targets: list[Target] = []
    with pool() as workers:
        reports = [replayed(load, replace(SETTING, cold_start_s=s), workers) for s in COLD_STARTS_S]
        for cold_start_s, report in zip(COLD_STARTS_S, reports, strict=True):
            prefix = f"{cold_start_s:g} s: "
            table |= rows(report, prefix)
            targets += against(report, prefix)
        for name, (changed, setting) in controls(load).items():
            report = replayed(changed, setting, workers)
            table |= rows(report, f"{name}: ")
            targets.append(control(report, name))
    title = "50 busy services, cold start 3 s"
    return Outcome("replay-busy", title, table, tuple(targets)), reports[0]


def replayed(load: Window, setting: Setting, workers: Pool) -> Report:
    """All settings of the policies."""
    return run(workloads_of_counts(load, SERVICE_S), setting, POLICIES, workers.map)


def against(report: Report, prefix: str) -> list[Target]:
    """Ours over KPA's and over the recent maximum's, at no more container-seconds."""
    ours, found = report.curves()["prewire"], []
    for policy, setting, bound in (("kpa", "target 70%", 1 / 3), ("recent maximum", "60 s", 1 / 2)):
        other = usual(report, policy, setting)
        share = least_queued(ours, other.cost.value) / other.queued.value
        found.append(Target(f"{prefix}queued over {policy}'s", share, bound, at_least=False))
    return found


def controls(load: Window) -> dict[str, tuple[Window, Setting]]:
    """What is replayed, by name."""
    rng = np.random.default_rng(7)
    some = Window(load.names[::EVERY], load.step_s, load.end_ms, load.values[::EVERY])
    shuffled = replace(some, values=rng.permuted(some.values, axis=1))
    burst = some.values.copy()
    for row in burst:
        start = int(rng.integers(MINUTES // 2 + 5, MINUTES - BURST_MINUTES))
        row[start : start + BURST_MINUTES] *= BURST
    return {
        "shuffled minutes": (shuffled, SETTING),
        "burst without precursor": (replace(some, values=burst), SETTING),
        "metrics 10 s late": (some, replace(SETTING, late_s=10.0)),
        "5 % of scrapes lost": (some, replace(SETTING, lost=0.05)),
    }


def control(report: Report, name: str) -> Target:
    """Ours over KPA's, at no more container-seconds."""
    kpa = usual(report, "kpa", "target 70%")
    share = least_queued(report.curves()["prewire"], kpa.cost.value) / max(kpa.queued.value, 1e-9)
    return Target(f"{name}: queued over kpa's", share, CONTROL_BOUND, at_least=False)


if __name__ == "__main__":
    sys.exit(command("replay_busy", __doc__, found))
