"""`prewire replay`: services' load under each policy, each with several settings.

Must not know: files, the command line, who computes (a mapper is given).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from predictor.replay.policies.families import FAMILIES, Given, Knobs
from predictor.replay.policies.oracle import oracle_containers
from predictor.replay.results import Point, Report
from predictor.replay.simulator import Outcome, Setting, simulate
from predictor.replay.statistics import blocks, ratio_interval
from predictor.replay.workloads import Workload, poisson, quiet
from predictor.series.window import Floats, Window

BLOCK_S = 120.0  # of the bootstrap
Mapper = Callable[[Callable[["Job"], Outcome], Sequence["Job"]], Iterable[Outcome]]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One policy with one setting; goes to a worker as it is."""

    family: str
    knobs: Knobs
    workloads: tuple[Workload, ...]
    setting: Setting
    given: Given


def workloads_of_counts(window: Window, service_s: float, seed: int = 1) -> tuple[Workload, ...]:
    """Counts a step, each spread over its step by a seeded Poisson process; every request takes
    service_s seconds. Unknown and negative counts are none."""
    rng = np.random.default_rng(seed)
    made = []
    for name, counts in zip(window.names, window.values, strict=True):
        arrivals = poisson(counts, window.step_s, rng)
        made.append(Workload(name, arrivals, np.full(arrivals.size, service_s)))
    return tuple(made)


def workloads_of_arrivals(arrivals: Mapping[str, Floats], service_s: float) -> tuple[Workload, ...]:
    """Arrival times, seconds from the start, in any order."""
    return tuple(
        Workload(name, np.sort(np.asarray(times, dtype=np.float64)), np.full(len(times), service_s))
        for name, times in arrivals.items()
    )


def run(
    workloads: Sequence[Workload],
    setting: Setting,
    families: Sequence[str] = tuple(FAMILIES),
    mapper: Mapper = map,
    seed: int = 1,
) -> Report:
    """Every setting of every family. ValueError for a family that there is not, or no service."""
    unknown = sorted(set(families) - set(FAMILIES))
    if unknown:
        raise ValueError(f"no policy {unknown[0]!r}: there are {', '.join(FAMILIES)}")
    if not workloads:
        raise ValueError("no service to replay: give at least one")
    given = _given(workloads, setting)
    jobs = [
        Job(family, knobs, tuple(workloads), setting, given)
        for family in families
        for knobs in FAMILIES[family].knobs
    ]
    oracle = oracle_containers(given.peak, given.lead_steps, setting.concurrency) * setting.step_s
    best = oracle.astype(np.float64)
    rng = np.random.default_rng(seed)
    points = tuple(
        point(job, outcome, best, rng)
        for job, outcome in zip(jobs, mapper(play, jobs), strict=True)
    )
    first = _first(setting)
    return Report(
        services=len(workloads),
        requests=int(sum(workload.arrivals.size for workload in workloads)),
        seconds=setting.seconds,
        scored_from_s=setting.score_from_s,
        concurrency=setting.concurrency,
        cold_start_s=setting.cold_start_s,
        programming_s=setting.programming_s,
        oracle_container_seconds=float(best[:, first:].sum()),
        points=points,
    )


def play(job: Job) -> Outcome:
    """One job."""
    policy = FAMILIES[job.family].make(job.given, job.knobs.values)
    return simulate(job.workloads, policy, job.setting)


def point(job: Job, outcome: Outcome, oracle_s: Floats, rng: np.random.Generator) -> Point:
    """What came of a job, from where scoring begins on."""
    setting, first = job.setting, _first(job.setting)
    block = max(1, round(BLOCK_S / setting.step_s))
    queued, requests, cost, best = (
        blocks(values[:, first:], block)
        for values in (outcome.queued, outcome.requests, outcome.cost, oracle_s)
    )
    total = float(requests.sum())
    return Point(
        policy=job.family,
        setting=job.knobs.label,
        queued=ratio_interval(queued, requests, rng),
        cost=ratio_interval(cost, best, rng),
        requests=int(total),
        container_seconds=float(cost.sum()),
        waited_s=float(outcome.waited_s[:, first:].sum()) / max(total, 1.0),
    )


def _given(workloads: Sequence[Workload], setting: Setting) -> Given:
    return Given(
        names=tuple(workload.name for workload in workloads),
        service_s=np.array([_mean(workload.service_s) for workload in workloads]),
        setting=setting,
        peak=np.array([quiet(workload, setting.edges).peak for workload in workloads]),
    )


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else 0.0


def _first(setting: Setting) -> int:
    return round(setting.score_from_s / setting.step_s)
