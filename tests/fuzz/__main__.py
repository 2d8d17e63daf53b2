"""Fuzzes parsers with atheris: `python -m tests.fuzz [TARGET…] [--seconds N]`.

Each target runs in a process of its own for so many seconds, on seeds made anew. Prints a table;
ends with 1 where a target crashed, and tells the input and the traceback. Where atheris cannot be
imported it says so, and ends with 0.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.fuzz.running import Result, run
from tests.fuzz.table import NAMES

_COLUMNS: Final = "{:22} {:>11} {:>9} {:>8} {:>9} {:>7} {:>8}"


def main() -> int:
    """The exit status."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(NAMES))
    options.add_argument("--seconds", type=int, default=60, help="of each target; default: 60")
    options.add_argument("--seed", type=int, default=1, help="of libFuzzer; default: 1")
    given = options.parse_args()
    strange = set(given.targets) - set(NAMES)
    if strange:
        options.error(f"there is no target {strange.pop()}; there are {', '.join(NAMES)}")
    if importlib.util.find_spec("atheris") is None:
        _say("fuzzing is skipped: atheris is not installed; it has no package for every Python")
        return 0
    heads = ("target", "executions", "CPU s", "MiB", "features", "inputs", "crashes")
    _say(_COLUMNS.format(*heads))
    results = [_shown(name, given.seconds, given.seed) for name in given.targets or NAMES]
    for result in results:
        if result.crash:
            _say(f"\n{result.name}\n{result.crash}")
    return int(any(result.crash for result in results))


def _shown(name: str, seconds: int, seed: int) -> Result:
    with TemporaryDirectory(prefix="prewire-fuzz-") as scratch:
        result = run(name, seconds, seed, Path(scratch))
    figures = (result.executions, round(result.cpu_s), result.memory_mib)
    crashes = int(bool(result.crash))
    _say(_COLUMNS.format(name, *figures, result.features, result.inputs, crashes))
    return result


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


sys.exit(main())
