"""The command of a part that back-tests policies on a trace, and can draw them.

Must not know: which part, what the trace is of.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from benchmarks.errors import BenchmarkFailed
from benchmarks.prediction.traces import TRACES, traces
from benchmarks.results.report import Outcome


class Result(Protocol):
    """What a back-test found."""

    def as_json(self) -> dict[str, Any]:
        """All of it."""


R = TypeVar("R", bound=Result)


def command(
    part: str,
    description: str | None,
    found: Callable[[Path], R],
    outcome: Callable[[R], Outcome],
    draw: Callable[[R, Path], None],
) -> int:
    """JSON to standard output, a table to standard error; returns the exit code.

    found: from the directory of traces; BenchmarkFailed where they are missing.
    """
    program = f"benchmarks.prediction.{part}"
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    parser.add_argument("traces", nargs="?", type=Path, help=f"directory; default: ${TRACES}")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the policies there")
    options = parser.parse_args()
    try:
        result = found(options.traces or traces())
    except BenchmarkFailed as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    told = outcome(result)
    print(json.dumps({"outcome": told.as_json(), **result.as_json()}, indent=2))
    print(told.as_table(), file=sys.stderr)
    if options.plot:
        draw(result, options.plot)
    return 0
