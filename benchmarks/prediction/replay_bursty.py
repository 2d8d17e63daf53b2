"""A bursty service second by second: which requests wait for a container, and what that costs.

Every arrival of the hour is scored, also those before anything is learned. A request takes 1 s, a
container one at a time, a cold start 3 s. Data: Azure LLM inference trace 2023, code (Azure Public
Dataset, CC-BY 4.0). Exits 1 where data are missing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.prediction.replays import arrivals, command, least_queued, rows
from benchmarks.prediction.traces import traces
from benchmarks.results.report import Outcome, Target
from predictor.replay.pool import pool
from predictor.replay.replay import run, workloads_of_arrivals
from predictor.replay.results import Report
from predictor.replay.simulator import Setting

SERVICE_S, COLD_START_S = 1.0, 3.0
SECONDS = 3600.0
AFFORDABLE = 4.4  # times the oracle's container-seconds


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """The replay as rows; neither rounds nor seconds have a meaning here."""
    del rounds, seconds
    return found(traces())[0]


def found(directory: Path) -> tuple[Outcome, Report]:
    """All policies, all settings."""
    loads = workloads_of_arrivals({"code": arrivals(directory)}, SERVICE_S)
    with pool() as workers:
        report = run(loads, Setting(SECONDS, cold_start_s=COLD_START_S), mapper=workers.map)
    ours = report.curves()["prewire"]
    target = Target(
        f"queued share at {AFFORDABLE} times the oracle's cost",
        least_queued(ours, AFFORDABLE),
        0.05,
        at_least=False,
    )
    title = "a bursty service, cold start 3 s"
    return Outcome("replay-bursty", title, rows(report), (target,)), report


if __name__ == "__main__":
    sys.exit(command("replay_bursty", __doc__, found))
