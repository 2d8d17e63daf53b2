"""Back-tests and replays of users' own data, from files to results.

Owns: which data are meant, how far the work is, where it is computed, and files of results.
Must not know: how forecasts and policies are judged, the command line.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from predictor.replay.backtest import BacktestResult, backtest
from predictor.replay.backtest_plot import draw
from predictor.replay.plots import pareto_plot
from predictor.replay.policies.families import FAMILIES
from predictor.replay.pool import Pool, PoolError, pool
from predictor.replay.replay import Job, run, workloads_of_arrivals, workloads_of_counts
from predictor.replay.results import Report
from predictor.replay.simulator import Outcome, Setting
from predictor.replay.workloads import Workload
from predictor.series.inputs import InputError, read_arrivals, read_counts, read_prometheus
from predictor.series.window import Window
from prewire.commands import progress
from prewire.errors import CommandFailed

_PICTURES: Final = (".png", ".svg", ".pdf")
_BATCH: Final = 16  # replays sent to a cluster at a time

POLICIES: Final = tuple(FAMILIES)


@dataclass(frozen=True, slots=True)
class Source:
    """What data are meant: a file, or what a query to a Prometheus server gives.

    busiest: only so many series, those with the most; None: all.
    """

    place: str
    step_s: float = 60.0
    query: str | None = None
    label: str | None = None
    since_s: float = 7 * 86_400.0
    busiest: int | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """Where results go besides the terminal. CommandFailed where nothing can be written there."""

    as_json: Path | None
    plot: Path | None

    def __post_init__(self) -> None:
        for path in (self.as_json, self.plot):
            if path is not None and not path.absolute().parent.is_dir():
                raise CommandFailed(f"{path}: there is no folder {path.parent}; make it first")
        if self.plot is None:
            return
        if self.plot.suffix not in _PICTURES:
            kinds = ", ".join(_PICTURES)
            raise CommandFailed(f"plot: {self.plot}: is no kind of picture; end it in {kinds}")
        if find_spec("matplotlib") is None:
            remedy = "pip install 'prewire[plot]', or leave --plot out"
            raise CommandFailed(f"plot: matplotlib is not installed; {remedy}")

    def write_json(self, result: dict[str, Any]) -> None:
        """The result, where that is asked for."""
        if self.as_json is not None:
            self.as_json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


# ------------------------------------------------------------------------------- data


def counts(source: Source) -> Window:
    """Counts a step. CommandFailed says what is wrong with the data, and what to do."""
    with _expected():
        if "://" in source.place:
            found = _queried(source)
        else:
            found = read_counts(Path(source.place), source.step_s)
    return _busiest(found, source.busiest)


def _queried(source: Source) -> Window:
    if source.query is None:
        raise CommandFailed("query: a Prometheus server is asked by a query; give --query")
    end_ms = round(time.time() * 1000)
    return asyncio.run(
        read_prometheus(
            source.place,
            source.query,
            end_ms - round(source.since_s * 1000),
            end_ms,
            step_s=source.step_s,
            label=source.label,
        )
    )


def _busiest(window: Window, most: int | None) -> Window:
    if most is None or most >= len(window.names):
        return window
    load = np.nan_to_num(window.values).sum(axis=1)
    rows = np.sort(np.argsort(-load, kind="stable")[:most])
    names = tuple(window.names[row] for row in rows)
    return replace(window, names=names, values=window.values[rows])


def workloads(
    source: Source, *, are_arrivals: bool, service_s: float, seed: int
) -> tuple[tuple[Workload, ...], float]:
    """Requests of services, and how many seconds of them there are. CommandFailed likewise."""
    if not are_arrivals:
        window = counts(source)
        return workloads_of_counts(window, service_s, seed), window.steps * window.step_s
    with _expected():
        found = read_arrivals(Path(source.place))
    begin = min(float(times[0]) for times in found.values())
    chosen = sorted(found, key=lambda name: -found[name].size)[: source.busiest]
    times = {name: found[name] - begin for name in chosen}
    end = max(float(each[-1]) for each in times.values())
    return workloads_of_arrivals(times, service_s), float(np.floor(end) + 1)


# ------------------------------------------------------------------------------- judging


def judged_forecasts(
    window: Window, cluster: str | None, files: Files, **options: Any
) -> BacktestResult:
    """A back-test here, or on a Dask cluster. options: of `backtest`."""
    with _expected(), progress.bar("back-test") as told:
        if cluster is None:
            result = backtest(window, progress=told, **options)
        else:
            with pool(cluster) as workers:
                result = workers.map(_backtest, [(window, options)])[0]
    files.write_json(result.as_json())
    if files.plot is not None:
        draw(result, files.plot)
    return result


def _backtest(job: tuple[Window, dict[str, Any]]) -> BacktestResult:
    window, options = job
    return backtest(window, **options)


def judged_policies(
    loads: Sequence[Workload],
    setting: Setting,
    families: Sequence[str],
    cluster: str | None,
    files: Files,
    *,
    workers: int | None = None,
    seed: int = 1,
) -> Report:
    """A replay under each policy, in local processes or on a Dask cluster."""
    with _expected(), progress.bar("replay") as told, pool(cluster, workers) as computed:
        mapper = _in_batches(computed, _BATCH if cluster else os.cpu_count() or 1, told)
        result = run(loads, setting, families, mapper, seed)
    files.write_json(result.as_json())
    if files.plot is not None:
        pareto_plot(result.curves(), files.plot)
    return result


def _in_batches(
    workers: Pool, size: int, told: Callable[[float], None]
) -> Callable[[Callable[[Job], Outcome], Sequence[Job]], Iterable[Outcome]]:
    """A mapper that tells how far it is."""

    def mapper(play: Callable[[Job], Outcome], jobs: Sequence[Job]) -> Iterator[Outcome]:
        for first in range(0, len(jobs), size):
            yield from workers.map(play, jobs[first : first + size])
            told(min(first + size, len(jobs)) / len(jobs))

    return mapper


@contextmanager
def _expected() -> Iterator[None]:
    """Errors that tell the user what is wrong, as a command's."""
    try:
        yield
    except (InputError, PoolError, ValueError) as error:
        raise CommandFailed(str(error)) from None
