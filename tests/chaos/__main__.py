"""`python -m tests.chaos --seed N --minutes M [--only WORD …] [--json FILE]`, as root."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tests.chaos import clocks
from tests.chaos.run import chaos, faults
from tests.chaos.table import Verdict
from tests.needs import NO_OVS
from tests.ovs import is_installed


def main() -> int:
    """0: all survived; 1: something was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the order of faults")
    parser.add_argument("--minutes", type=float, default=20.0, help="for how long (20)")
    parser.add_argument("--only", action="append", default=[], help="faults with this in the name")
    parser.add_argument("--leaves", type=int, default=4, help="switches with hosts (4)")
    parser.add_argument("--json", type=Path, help="a file for everything that was measured")
    parser.add_argument("--list", action="store_true", help="name all faults, and end")
    given = parser.parse_args()
    if given.list:
        sys.stdout.write("\n".join(faults()) + "\n")
        return 0
    for is_there, obstacle in (
        (os.geteuid() == 0, "chaos needs root"),
        (is_installed(), NO_OVS),
        (clocks.has_compiler(), clocks.NONE),
    ):
        if not is_there:
            parser.error(obstacle)
    found = Verdict(given.seed)
    try:
        chaos(found, given.minutes, given.only, given.leaves)
    except KeyboardInterrupt:
        found.at_the_end.append("it was interrupted: nothing was compared")
    sys.stdout.write(f"\n{found.as_text()}\n")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(found.as_json(), indent=1) + "\n", "utf-8")
    return 1 if found.violations else 0


if __name__ == "__main__":
    sys.exit(main())
