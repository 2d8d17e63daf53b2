"""The benchmarks, as root: what prewire promises in figures, beside what it is compared with.

Every part builds its own network and runs all of prewire on it, one part after the other; without
a name, all parts run. Quote ratios: absolute figures are this machine's, and include what its other
programs took. Exits 1 where a part cannot be run (the others are), 0 also where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.balancing import gateway, gateway_dpdk, inflight, reports, shares, sustained
from benchmarks.control import (
    apply_latency,
    churn,
    cold,
    programming,
    restart,
    scale,
    slopes,
    switches,
)
from benchmarks.errors import BenchmarkFailed
from benchmarks.prediction import (
    bandwidth_forecast,
    dependencies,
    forecast,
    long_tail,
    predictor_cost,
    replay_bursty,
    replay_busy,
    shards,
    surges,
)
from benchmarks.qos import allocation, guarantee, limits, meters
from benchmarks.results.machine import described, stolen_seconds
from benchmarks.results.pages import markdown, side_by_side
from benchmarks.results.pictures import draw
from benchmarks.results.report import Outcome
from benchmarks.surface import page, rest
from nib.errors import NibError
from prewire.errors import CommandFailed
from topologies.errors import NetworkError

PARTS: Final[dict[str, Callable[[int | None, int | None], Outcome]]] = {
    "programming": programming.measure,
    "cold": cold.measure,
    "churn": churn.measure,
    "switches": switches.measure,
    "scale": scale.measure,
    "slopes": slopes.measure,
    "gateway": gateway.measure,
    "gateway-dpdk": gateway_dpdk.measure,
    "sustained": sustained.measure,
    "shares": shares.measure,
    "inflight": inflight.measure,
    "reports": reports.measure,
    "apply": apply_latency.measure,
    "restart": restart.measure,
    "meters": meters.measure,
    "allocation": allocation.measure,
    "limits": limits.measure,
    "guarantee": guarantee.measure,
    "guarantee-dpdk": guarantee.measure_dpdk,
    "forecast": forecast.measure,
    "dependencies": dependencies.measure,
    "long-tail": long_tail.measure,
    "bandwidth": bandwidth_forecast.measure,
    "replay-bursty": replay_bursty.measure,
    "replay-busy": replay_busy.measure,
    "predictor-cost": predictor_cost.measure,
    "shards": shards.measure,
    "surges": surges.measure,
    "page": page.measure,
    "watchers": rest.measure_watchers,
    "registration": rest.measure_registration,
}
_EXPECTED: Final = (
    BenchmarkFailed,
    CommandFailed,
    NibError,
    NetworkError,
    subprocess.TimeoutExpired,
)
_STOLEN: Final = 0.03  # of all processors' time; more of it makes a part's figures doubtful


def main() -> int:
    """The command; returns its exit code. The files are written anew after every part."""
    options = _options()
    found: dict[str, Any] = {"machine": described(), "parts": [], "failed": {}}
    for name, value in found["machine"].items():
        print(f"{name}: {value}")
    try:
        _write(options, found)
        for place, part in enumerate(options.parts or PARTS, start=1):
            print(f"\n[{place} of {len(options.parts or PARTS)}, {datetime.now():%H:%M:%S}] {part}")
            sys.stdout.flush()
            _run(part, options, found)
            _write(options, found)
    except BenchmarkFailed as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    if table := side_by_side(found["parts"]):
        print(f"\nSIDE BY SIDE\n{table}")
    return 1 if found["failed"] else 0


def _run(part: str, options: argparse.Namespace, found: dict[str, Any]) -> None:
    """One part. What keeps it from running is told; the others run all the same."""
    began, stolen = time.monotonic(), stolen_seconds()
    try:
        outcome = PARTS[part](options.rounds, options.seconds)
    except _EXPECTED as error:
        print(f"benchmarks: {part}: {error}", file=sys.stderr, flush=True)
        found["failed"][part] = str(error)
        return
    took_s = time.monotonic() - began
    share = (stolen_seconds() - stolen) / took_s / (os.cpu_count() or 1)
    if share > _STOLEN:
        note = f"doubtful: {share:.0%} of the processors' time was other machines' meanwhile"
        outcome = replace(outcome, notes=(*outcome.notes, note))
    print(outcome.as_table(), flush=True)
    found["parts"].append(outcome.as_json() | {"took_s": took_s, "stolen": share})


def _write(options: argparse.Namespace, found: dict[str, Any]) -> None:
    try:
        if options.json is not None:
            options.json.write_text(json.dumps(found, indent=2) + "\n")
        if options.to is not None:
            _write_all(options.to, found)
    except OSError as error:
        raise BenchmarkFailed(f"{error.filename}: {error.strerror}") from error


def _write_all(directory: Path, found: dict[str, Any]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(json.dumps(found, indent=2) + "\n")
    for part in found["parts"][-1:]:
        draw(part, directory / f"{part['part']}.png")
    (directory / "README.md").write_text(markdown([found], directory, directory))


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
    parser.add_argument(
        "--to", type=Path, metavar="DIR", help="write figures, a page and pictures there"
    )
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
