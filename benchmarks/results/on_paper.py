"""What a thousand switches and a million containers would cost, by the slopes of a run.

`python -m benchmarks.results.on_paper results.json` writes the tables of docs/scale.md between its
marks, from the parts `slopes`, `switches` and `shards` of that run, those that it has. The rest of
the page is written by hand, and quotes no figure that is not there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.control.slopes import TERMS
from benchmarks.results.report import number

SWITCHES: Final = 1000
SERVICES: Final = 100_000
CONTAINERS: Final = 1_000_000
SITES: Final = (1, 10, 100)
"""How many equal parts the whole is split into, each with a database and controllers of its own."""

_PAGE: Final = Path(__file__).parents[2] / "docs" / "scale.md"
_BEGIN, _END = "<!-- begin {} -->", "<!-- end {} -->"

# Column of the part `slopes`, what it is called on the page, what it is divided by, the unit then,
# and whether it is of one switch.
_SHOWN: Final = (
    ("flows", "flows of a switch", 1.0, "", True),
    ("controller MiB", "memory of the controller", 1024.0, "GiB", False),
    ("api MiB", "memory of a REST server", 1024.0, "GiB", False),
    ("nib MiB", "memory of the database", 1024.0, "GiB", False),
    ("database KiB", "file of the database", 1024.0**2, "GiB", False),
    ("program: controller ms", "processor time to program all, from nothing", 3.6e6, "h", False),
    ("program: KiB", "sent and received to program all", 1024.0**2, "GiB", False),
    ("change: rules", "rules sent for a new weight, all switches", 1.0, "", False),
    (
        "rest: controller ms/s",
        "processors to read all counters each `stats_seconds`",
        1000.0,
        "",
        False,
    ),
    ("rest: KiB/s", "sent and received for that, a second", 1024.0, "MiB", False),
)

Part = Mapping[str, Any]


def tables(parts: Mapping[str, Part], machine: Mapping[str, str]) -> dict[str, str]:
    """The tables of the page in Markdown, by the name of their marks."""
    found = {"machine": ", ".join(f"{name}: {value}" for name, value in machine.items()) + "."}
    if "slopes" in parts:
        rows = parts["slopes"]["rows"]
        found["slopes"] = "\n".join(_slopes(rows))
        found["paper"] = "\n".join(_paper(rows))
    for name in ("switches", "shards"):
        if name in parts:
            found[name] = "\n".join([*_rows(parts[name]), *_notes(parts[name])])
    return found


def extrapolated(column: str, rows: Mapping[str, Mapping[str, float]], sites: int) -> float:
    """A figure of one of so many equal sites, by its slopes."""
    switches, services, containers = (each / sites for each in (SWITCHES, SERVICES, CONTAINERS))
    sizes = (1.0, switches, services, containers, switches * services, switches * containers)
    return sum(rows[term][column] * size for term, size in zip(TERMS, sizes, strict=True))


def _slopes(rows: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    yield from _head("", *TERMS, "off, %")
    for column in next(iter(rows.values())):
        yield _row(column, *(number(rows[term][column]) for term in (*TERMS, "off, %")))


def _paper(rows: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    yield from _head("", *(f"{sites} site{'s' * (sites > 1)}, each" for sites in SITES))
    for column, name, divisor, unit, of_one in _SHOWN:
        cells = []
        for sites in SITES:
            whole = extrapolated(column, rows, sites) / divisor
            cells.append(number(whole / (SWITCHES / sites) if of_one else whole))
        yield _row(f"{name}, {unit}" if unit else name, *cells)


def _rows(part: Part) -> Iterator[str]:
    yield from _head("", *next(iter(part["rows"].values())))
    for name, row in part["rows"].items():
        yield _row(name, *map(number, row.values()))


def _notes(part: Part) -> Iterator[str]:
    yield ""
    for note in part["notes"]:
        yield f"- {note}"


def _head(*cells: str) -> Iterator[str]:
    yield _row(*cells)
    yield "|" + "---|" * len(cells)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def written(page: str, found: Mapping[str, str]) -> str:
    """The page with these tables between their marks."""
    for name, table in found.items():
        begin, end = _BEGIN.format(name), _END.format(name)
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n{table}\n{end}{after}"
    return page


def main() -> int:
    """The command; returns its exit code."""
    if len(sys.argv) != 2:
        print("usage: python -m benchmarks.results.on_paper RESULTS.json", file=sys.stderr)
        return 2
    run = json.loads(Path(sys.argv[1]).read_text())
    parts = {part["part"]: part for part in run["parts"]}
    _PAGE.write_text(written(_PAGE.read_text(), tables(parts, run["machine"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
