"""How good forecasts are on a day of Azure Functions, one to ten minutes ahead, and what they cost.

300 functions are drawn with a fixed seed from those called in at least seven of ten minutes of the
first half of the day; the second half is scored, minute by minute, from what was known before.
Data: Azure Public Dataset 2019, CC-BY 4.0 (Shahrad et al., USENIX ATC 2020). Targets, by the same
system: WAPE and scaled pinball loss of .95 at most 0.21, coverage error at most 0.015; for 5,000
services 0.3 s (light experts) and 3 s (global model) of processor time a minute, and 500 MB.
Exits 1 where data are missing.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.errors import BenchmarkFailed
from benchmarks.prediction.long_tail import azure
from benchmarks.prediction.traces import TRACES, traces
from benchmarks.results.report import Outcome, Target
from predictor.models.contract import HORIZONS, QUANTILES
from predictor.models.forecaster import Forecaster
from predictor.models.global_model import available, fit
from predictor.models.refit import drawn
from predictor.replay.backtest import OURS, BacktestResult, backtest
from predictor.replay.backtest_plot import draw
from predictor.series.window import Window

SERIES: Final = 300
SEED: Final = 2019
ACTIVE: Final = 0.7  # of the minutes of the first half
SERVICES: Final = 5_000  # whose cost is measured
_BACKS: Final = range(13, -1, -1)  # steps of the forecaster; the first ten learn nothing yet
_GOOD: Final = 0.21
_COVERAGE: Final = 0.015


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """The back-test and the cost; neither rounds nor seconds have a meaning here."""
    del rounds, seconds
    window, _ = azure(traces())
    costs = cost(window)  # first: its memory is the most that the process ever had
    return outcome(backtest(sample(window)), costs)


def sample(window: Window, series: int = SERIES, seed: int = SEED) -> Window:
    """The functions drawn."""
    half = window.values[:, : window.steps // 2]
    active = np.flatnonzero((half > 0).mean(axis=1) >= ACTIVE)
    rows = np.random.default_rng(seed).choice(active, min(series, len(active)), replace=False)
    names = tuple(window.names[row] for row in rows)
    return Window(names, window.step_s, window.end_ms, window.values[rows])


def cost(window: Window) -> dict[str, float]:
    """Processor seconds of one step for 5,000 services, and the most memory so far."""
    rows = np.arange(SERVICES) % len(window.names)
    many = Window(
        tuple(f"service-{row}" for row in range(SERVICES)),
        window.step_s,
        window.end_ms,
        window.values[rows],
    )
    del window
    forecaster = Forecaster()
    light = [_seconds(partial(forecaster.step, many.before(back))) for back in _BACKS]
    found = {"light_s": float(np.median(light[-4:]))}
    if not available():
        model = fit([drawn(many, SEED)], HORIZONS, QUANTILES, rows=10_000)
        found["global_s"] = _seconds(lambda: model.forecast(many, HORIZONS, QUANTILES))
    found["memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {name: round(each, 3) for name, each in found.items()}


def outcome(result: BacktestResult, costs: dict[str, float]) -> Outcome:
    """As rows and targets."""
    ours = result.figures[OURS]
    return Outcome(
        "forecast",
        f"errors over the load: {result.series} functions, {result.origins} minutes",
        {name: _row(figures) for name, figures in result.figures.items()},
        (
            Target("WAPE", ours["wape"], _GOOD, at_least=False),
            Target("WAPE, mean of functions", ours["wape_per_series"], _GOOD, at_least=False),
            Target(
                "scaled pinball .95, mean of functions",
                ours["pinball_95_per_series"],
                _GOOD,
                at_least=False,
            ),
            Target("coverage error .95", ours["coverage_error_95"], _COVERAGE, at_least=False),
            Target("light experts, s", costs["light_s"], 0.3, at_least=False),
            Target("global model, s", costs.get("global_s", np.inf), 3.0, at_least=False),
            Target("memory, MB", costs["memory_mb"], 500.0, at_least=False),
        ),
        (*result.notes, *(f"{name}: skipped, {why}" for name, why in result.skipped.items())),
    )


def _row(figures: dict[str, object]) -> dict[str, float]:
    return {name: each for name, each in figures.items() if isinstance(each, float)}


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.prediction.forecast", description=__doc__
    )
    parser.add_argument("traces", nargs="?", type=Path, help=f"directory; default: ${TRACES}")
    parser.add_argument("--series", type=int, default=SERIES, help="how many functions")
    parser.add_argument("--seed", type=int, default=SEED, help="of the draw")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw errors over horizons there")
    options = parser.parse_args()
    try:
        window, _ = azure(options.traces or traces())
    except BenchmarkFailed as error:
        print(f"benchmarks.prediction.forecast: {error}", file=sys.stderr)
        return 1
    costs = cost(window)
    result = backtest(sample(window, options.series, options.seed))
    if options.plot is not None:
        draw(result, options.plot)
    found = outcome(result, costs)
    targets = [
        {"what": each.what, "value": each.value, "bound": each.bound, "holds": each.holds}
        for each in found.targets
    ]
    print(json.dumps({**result.as_json(), "cost": costs, "targets": targets}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
