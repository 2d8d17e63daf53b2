"""What runs found, as a page: the table of all comparisons, the targets, and every part.

`python -m benchmarks.results.pages build/bench/results.json …` writes it into benchmarks/README.md,
between its marks, and the pictures into benchmarks/images. Parts may have been run in several
commands: the page says which were together, on what and when.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.results.report import against, number

Found = Mapping[str, Any]
"""What `python -m benchmarks --to` writes as results.json."""

_HERE: Final = Path(__file__).parents[1]
_BEGIN, _END = "<!-- begin last run -->", "<!-- end last run -->"


def markdown(runs: Sequence[Found], pictures: Path, folder: Path) -> str:
    """The page, in Markdown. pictures: where they are; folder: where the page is, or above it."""
    parts = [part for found in runs for part in found["parts"]]
    lines = [*_machines(runs), *_compared(parts), *_targets(parts)]
    for part in parts:
        lines += _part(part, pictures, folder)
    return "\n".join(lines) + "\n"


def side_by_side(parts: Iterable[Found]) -> str:
    """prewire, its peers and the limit in one table, for a terminal; "" where nothing was."""
    rows = [_beside(part, each) for part in parts for each in part["compared"]]
    if not rows:
        return ""
    rows = [list(_HEAD), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


_HEAD: Final = ("part", "what", "prewire", "peer", "ratio", "asked", "limit")


def _machines(runs: Sequence[Found]) -> Iterator[str]:
    """The first one's whole, of the others what is different."""
    first = runs[0]["machine"]
    for found in runs:
        machine = {
            name: value
            for name, value in found["machine"].items()
            if found is runs[0] or first.get(name) != value
        }
        names = ", ".join(part["part"] for part in found["parts"])
        described = ", ".join(f"{name}: {value}" for name, value in machine.items())
        yield f"*{names}*: {described}.\n"
        for name, why in found.get("failed", {}).items():
            yield f"**{name}** did not run: {why}\n"


def _compared(parts: Iterable[Found]) -> Iterator[str]:
    rows = [_beside(part, each) for part in parts for each in part["compared"]]
    if rows:
        yield "### Side by side\n"
        yield from _table(_HEAD, rows)


def _beside(part: Found, each: Found) -> list[str]:
    limit = "" if each["limit"] is None else f"{number(each['limit'])} ({each['limit_is']})"
    return [
        part["part"],
        each["what"],
        number(each["prewire"]),
        f"{number(each['peer'])} ({each['peer_is']})",
        number(each["ratio"]),
        each["bound"],
        limit,
    ]


def _targets(parts: Iterable[Found]) -> Iterator[str]:
    rows = [
        [
            part["part"],
            each["what"],
            against(each["value"], each["bound"]),
            f"{'at least' if each['at_least'] else 'at most'} {number(each['bound'])}",
            "holds" if each["holds"] else "**missed**",
        ]
        for part in parts
        for each in part["targets"]
    ]
    if rows:
        yield "\n### Targets\n"
        yield from _table(("part", "what", "measured", "asked", ""), rows)


def _part(part: Found, pictures: Path, folder: Path) -> Iterator[str]:
    yield f"\n### {part['part']}\n"
    yield f"{part['title']} (`python -m benchmarks {part['part']}`, {part['took_s']:.0f} s).\n"
    columns = list(next(iter(part["rows"].values()), {}))
    cells = [[name, *(number(row[each]) for each in columns)] for name, row in part["rows"].items()]
    yield from _table(("", *columns), cells)
    for note in part["notes"]:
        yield f"\n{note}"
    picture = pictures / f"{part['part']}.png"
    if picture.exists():
        yield f"\n![{part['part']}: every sample]({picture.relative_to(folder)})"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(head)
    yield _row(head)
    yield "|" + "---|" * len(head)
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def main(argv: list[str]) -> int:
    """The command."""
    if not argv:
        print(__doc__, file=sys.stderr)
        return 2
    images = _HERE / "images"
    images.mkdir(exist_ok=True)
    for source in argv:
        for picture in Path(source).parent.glob("*.png"):
            shutil.copy(picture, images)
    runs = [json.loads(Path(source).read_text()) for source in argv]
    readme = _HERE / "README.md"
    before, _, rest = readme.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    middle = markdown(runs, images, _HERE)
    readme.write_text(f"{before}{_BEGIN}\n{middle}{_END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
