"""`python -m prewire.docs`: writes the generated parts of the documentation.

A page is written by hand but for its generated parts, which stand between two comments:

    <!-- begin NAME -->
    <!-- end NAME -->

`--check` writes nothing, names the pages that are out of date, and exits 1 where there are any.

Must not know: what a part says (`prewire.docs_pipeline`, `prewire.docs_interfaces`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from prewire import docs_doctor, docs_example, docs_interfaces, docs_pipeline, show

ROOT: Final = Path(__file__).parent.parent
FOLDER: Final = ROOT / "docs"

# Page -> the parts it must have, in any order, and what writes each.
PAGES: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    "cli.md": {"commands": docs_interfaces.commands},
    "doctor.md": {"codes": docs_doctor.codes},
    "operations.md": {
        "settings": docs_interfaces.settings_table,
        "metrics": docs_interfaces.metrics_table,
    },
    "pipeline.md": {
        "tables": docs_pipeline.table_list,
        "diagram": docs_pipeline.diagram,
        "registers": docs_pipeline.registers,
        "example": docs_example.commands,
        "flows": docs_pipeline.flows,
        "group": docs_pipeline.group,
    },
    "rest.md": {
        "metrics": docs_interfaces.api_metrics_table,
        "routes": docs_interfaces.routes,
        "bodies": docs_interfaces.bodies,
    },
}


class PageError(ValueError):
    """A page lacks a part, or has one that nothing writes."""


def filled(page: str, text: str) -> str:
    """The page's text with its generated parts as they should read. PageError names the part."""
    parts = PAGES[page]
    for name in re.findall(r"<!-- begin (\S+) -->", text):
        if name not in parts:
            raise PageError(f"{page}: nothing writes the part {name!r}")
    for name, write in parts.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        before, opened, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not opened or not closed:
            raise PageError(f"{page}: the part {name!r} is missing; add {begin.strip()} and {end}")
        text = f"{before}{begin}\n{write().strip()}\n\n{end}{after}"
    return text


def outdated(folder: Path = FOLDER) -> dict[Path, str]:
    """The pages that do not read as they should, with how they should."""
    found = {}
    for page in PAGES:
        path = folder / page
        text = path.read_text(encoding="utf-8")
        wanted = filled(page, text)
        if wanted != text:
            found[path] = wanted
    return found


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them with `--check`. Returns the exit code."""
    if arguments and list(arguments) != ["--check"]:
        show.complain("usage: python -m prewire.docs [--check]")
        return 2
    changed = outdated()
    if arguments:
        for path in changed:
            show.complain(f"{path.relative_to(ROOT)} is out of date; run `make docs`")
        return 1 if changed else 0
    for path, text in changed.items():
        path.write_text(text, encoding="utf-8")
        show.lines(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
