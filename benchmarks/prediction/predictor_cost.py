"""What a predictor costs by itself: a tick, a minute, its memory; with 5,000 and 10,000 services.

Each run is a process of its own (`predictor_cost_site`), so that memory is what the whole
predictor ever had. Times are of the processor.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import Any, Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.results.report import Outcome, Target

SERVICES: Final = (5_000, 10_000)
ROUNDS: Final = 20
_PARTS: Final = ("parse", "samples", "containers", "rates", "rows", "tick")
_RUN_S: Final = 600

_TICK_MS: Final = 300.0
_MINUTE_S: Final = 3.0
_MEMORY_MB: Final = 500.0


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` ticks each; `seconds` has no meaning here."""
    del seconds
    count = rounds or ROUNDS
    found = {
        f"{services} services, {kind}": _run(services, count, kind)
        for services in SERVICES
        for kind in ("light", "global")
    }
    rows = {name: _row(each) for name, each in found.items()}
    light, full = (rows[f"{SERVICES[0]} services, {kind}"] for kind in ("light", "global"))
    return Outcome(
        "predictor-cost",
        f"processor ms of a tick by part, and of a minute's learning, medians of {count} ticks; "
        "most MB of the process",
        rows,
        (
            Target("a tick with its page, 5,000 services, ms", light["tick ms"], _TICK_MS, False),
            Target("a minute, global model, s", full["minute ms"] / 1000, _MINUTE_S, False),
            Target("memory, light models, MB", light["peak MB"], _MEMORY_MB, at_least=False),
            Target("memory, global model, MB", full["peak MB"], _MEMORY_MB, at_least=False),
        ),
        ("the refit itself runs in a process of its own, which is not counted",),
        {name: each["ticks"]["tick"] for name, each in found.items()},
    )


def _run(services: int, count: int, kind: str) -> dict[str, Any]:
    arguments = [str(services), str(count), kind]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.prediction.predictor_cost_site", *arguments],
        capture_output=True,
        text=True,
        timeout=_RUN_S,
        check=False,
    )
    if done.returncode:
        raise BenchmarkFailed(f"the predictor's engine failed: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _row(found: dict[str, Any]) -> dict[str, float]:
    row = {f"{part} ms": statistics.median(found["ticks"][part]) for part in _PARTS}
    row["tick ms"] += row["parse ms"] + row["samples ms"]
    row["minute ms"] = 1000 * statistics.median(found["minutes"])
    return row | {"peak MB": found["peak_mb"]}
