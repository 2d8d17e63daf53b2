"""Whether predictors that share the services cost less each: whole engines on workers of Dask.

Each engine is in a worker process of its own, with a history of a day and a page a second. Sharing:
each plans for its part and reads the pages of all, as prewire's predictors share by beats. Sites:
each has only its own site's services and pages. Figures are processor time and memory of the
dearest worker, not how long it took.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import zlib
from typing import Any, Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.results.report import Outcome, Row

SERVICES: Final = 2000
"""Half of them must be more than the policies of `predictor_cost_site`."""
WORKERS: Final = (1, 2)
ROUNDS: Final = 10

Part = tuple[int, int]
"""Which of how many."""


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` ticks of every engine; `seconds` has no meaning here."""
    del seconds
    count = rounds or ROUNDS
    rows: dict[str, Row] = {}
    for workers in WORKERS:
        parts = [(at, workers) for at in range(workers)]
        rows[f"sharing by {workers}"] = _dearest([(SERVICES, part, count) for part in parts])
        rows[f"sites: {workers}"] = _dearest([(SERVICES // workers, (0, 1), count) for _ in parts])
    rows[f"sites: 1, {SERVICES // 2} services"] = _dearest([(SERVICES // 2, (0, 1), count)])
    return Outcome(
        "shards",
        f"{SERVICES} services; ms of processor time and MB of the dearest engine",
        rows,
        notes=("plan: a tick without reading; read: the page of a second; learn: once a minute",),
    )


def _dearest(engines: list[tuple[int, Part, int]]) -> Row:
    """The greatest figures of engines at work in processes of their own at a time."""
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - optional, slow to import
    except ImportError:
        raise BenchmarkFailed("no Dask; pip install 'prewire[cluster]'") from None
    with (
        tempfile.TemporaryDirectory(prefix="prewire-bench-") as directory,
        LocalCluster(
            n_workers=len(engines),
            threads_per_worker=1,
            dashboard_address=None,
            memory_limit=0,
            local_directory=directory,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        futures = [client.submit(engine, *given, pure=False) for given in engines]
        found = client.gather(futures, errors="raise")
    return {name: max(each[name] for each in found) for name in found[0]}


def engine(services: int, part: Part, count: int) -> dict[str, float]:
    """One, in this process: what its ticks and minutes cost."""
    from benchmarks.prediction import predictor_cost_site as costs  # noqa: PLC0415 - in a worker

    which, of = part

    def owns(name: str) -> bool:
        return zlib.crc32(name.encode()) % of == which

    site = costs.Site(services, is_global=False, owns=owns)
    try:
        spent: dict[str, Any] = costs.ticks(site, count)
        learned = costs.minutes(site, 2)
    finally:
        site.close()
    return {
        "services": services / of,
        "read ms": statistics.median(spent["parse"]) + statistics.median(spent["samples"]),
        "plan ms": statistics.median(spent["tick"]),
        "learn ms": 1000 * statistics.median(learned),
        "peak MB": costs.peak_mb(),
    }
