"""`python -m tests.soak --minutes 60`: as root. Exits 1 where something grows, leaks or falls."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.soak.plot import plot
from tests.soak.run import report, say, soak


def main() -> int:
    """Run a soak as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="under load (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="of changes and faults (default: 1)")
    parser.add_argument("--json", type=Path, help="file for samples, trends and counts")
    parser.add_argument("--plot", type=Path, help="file for a picture: .png, .svg or .pdf")
    given = parser.parse_args()
    outcome = soak(60 * given.minutes, given.seed)
    if given.json:
        given.json.write_text(json.dumps(outcome.document, indent=1) + "\n")
    if given.plot:
        plot(outcome, given.plot)
    say(report(outcome))
    return 1 if outcome.verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
