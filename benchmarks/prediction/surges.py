"""The closed loop: the same surges to two services, one planned ahead, one by the load of now.

By itself, `python -m benchmarks.prediction.surges docs/images/surges.png`, as root, draws the
picture of one run and prints its figures as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.results.report import Outcome, Target, spread
from benchmarks.sites.site import running_site
from prewire.rehearsal.course import Course, Sample
from prewire.rehearsal.picture import draw
from prewire.rehearsal.run import rehearse
from prewire.rehearsal.scene import AHEAD, BEHIND, CONTAINERS, Loads

ROUNDS: Final = 3
_SURGES: Final = 8
_LEARNED: Final = 4


def measure(rounds: int | None, seconds: int | None) -> Outcome:
    """`rounds` runs of eight surges; `seconds` has no meaning here."""
    del seconds
    courses = [course() for _ in range(rounds or ROUNDS)]
    ratios = [each.p99(AHEAD) / each.p99(BEHIND) for each in courses]
    in_time = [each.ready_in_time() for each in courses]
    rows = {
        "p99 in surges, ahead / behind": spread(ratios),
        "requests ready in time": spread(in_time),
        "p99 ahead, seconds": spread([each.p99(AHEAD) for each in courses]),
        "p99 behind, seconds": spread([each.p99(BEHIND) for each in courses]),
    }
    targets = (
        Target(
            "p99 in surges, ahead / behind",
            rows["p99 in surges, ahead / behind"]["median"],
            0.5,
            at_least=False,
        ),
        Target(
            "requests ready in time", rows["requests ready in time"]["median"], 0.95, at_least=True
        ),
    )
    title = f"{_SURGES} surges, figures from number {_LEARNED + 1} on"
    samples = {"ratio": ratios, "in time": in_time}
    return Outcome("surges", title, rows, targets, samples=samples)


def course() -> Course:
    """One run."""
    with (
        running_site(2 * CONTAINERS, stats_seconds=1.0) as site,
        tempfile.TemporaryDirectory(prefix="prewire-surges-") as directory,
    ):
        loads = Loads(surges=_SURGES, learned=_LEARNED)
        return rehearse(site.settings, site.net, Path(directory), loads, _silent)


def _silent(at: float, seen: Sample) -> None:
    """Nobody watches."""


def main(argv: list[str]) -> int:
    """The command."""
    if len(argv) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    found = course()
    draw(found, Path(argv[0]))
    print(json.dumps(found.as_json(), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
