"""The benchmarks, as root: what prewire promises in figures, beside what it is compared with.

Every part builds its own network and runs all of prewire on it, one part after the other; without
a name, all parts run. Quote ratios: absolute figures are this machine's, and include what its other
programs took. Exits 1 where a part cannot be run, 0 also where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks import (
    allocation,
    apply_latency,
    bandwidth_forecast,
    dependencies,
    forecast,
    gateway,
    inflight,
    long_tail,
    meters,
    page,
    predictor_cost,
    qos_guarantee,
    qos_limits,
    replay_bursty,
    replay_busy,
    reports,
    restart,
    shares,
    surface,
    surges,
    sustained,
)
from benchmarks.errors import BenchmarkFailed
from benchmarks.report import Outcome, machine
from nib.errors import NibError
from prewire.errors import CommandFailed
from topologies.errors import NetworkError

PARTS: Final[dict[str, Callable[[int | None, int | None], Outcome]]] = {
    "gateway": gateway.measure,
    "sustained": sustained.measure,
    "shares": shares.measure,
    "inflight": inflight.measure,
    "reports": reports.measure,
    "apply": apply_latency.measure,
    "restart": restart.measure,
    "meters": meters.measure,
    "allocation": allocation.measure,
    "limits": qos_limits.measure,
    "guarantee": qos_guarantee.measure,
    "guarantee-dpdk": qos_guarantee.measure_dpdk,
    "forecast": forecast.measure,
    "dependencies": dependencies.measure,
    "long-tail": long_tail.measure,
    "bandwidth": bandwidth_forecast.measure,
    "replay-bursty": replay_bursty.measure,
    "replay-busy": replay_busy.measure,
    "predictor-cost": predictor_cost.measure,
    "surges": surges.measure,
    "page": page.measure,
    "watchers": surface.measure_watchers,
    "registration": surface.measure_registration,
}
_EXPECTED: Final = (
    BenchmarkFailed,
    CommandFailed,
    NibError,
    NetworkError,
    subprocess.TimeoutExpired,
)


def main() -> int:
    """The command; returns its exit code. The file is written anew after every part."""
    options = _options()
    found: dict[str, Any] = {"parts": []}
    try:
        found["machine"] = f"{machine()}, load average at the start {os.getloadavg()[0]:.2f}"
        print(found["machine"], end="\n\n", flush=True)
        _write(options.json, found)
        for part in options.parts or PARTS:
            outcome = PARTS[part](options.rounds, options.seconds)
            print(outcome.as_table(), end="\n\n", flush=True)
            found["parts"].append(outcome.as_json())
            _write(options.json, found)
    except _EXPECTED as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


def _write(file: Path | None, found: dict[str, Any]) -> None:
    if file is None:
        return
    try:
        file.write_text(json.dumps(found, indent=2) + "\n")
    except OSError as error:
        raise BenchmarkFailed(f"--json {file}: {error.strerror}") from error


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", metavar="PART", nargs="*", help=", ".join(PARTS) + "; default all")
    parser.add_argument("--rounds", type=_count, help="how often; default: each part's own")
    parser.add_argument("--seconds", type=_count, help="of one load; default: each part's own")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]!r}; parts are {', '.join(PARTS)}")
    return options


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("give 1 or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
