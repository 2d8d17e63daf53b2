"""The generated parts of the documentation.

A page is written by hand but for its generated parts, which stand between two comments:

    <!-- begin NAME -->
    <!-- end NAME -->

`python -m prewire.docs` writes them; `--check` writes nothing, names the pages that are out of
date, and exits 1 where there are any.

Must not know: what a part says (`pipeline`, `interfaces` and others).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from prewire.commands import show
from prewire.docs import (
    dashboards,
    doctor,
    example,
    examples,
    interfaces,
    kinds,
    pipeline,
    recipes,
    schema,
    settings,
    words,
)

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docs"

# Page -> the parts it must have, in any order, and what writes each.
PAGES: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    "cli.md": {"commands": interfaces.commands, "kinds": kinds.kinds},
    "configuration.md": {"settings": settings.reference},
    "doctor.md": {"codes": doctor.codes},
    "how-to.md": {"recipes": recipes.recipes},
    "metrics.md": {
        "controller": interfaces.metrics_table,
        "api": interfaces.api_metrics_table,
        "predictor": interfaces.predictor_metrics_table,
    },
    "pipeline.md": {
        "tables": pipeline.table_list,
        "diagram": pipeline.diagram,
        "registers": pipeline.registers,
        "example": example.commands,
        "flows": pipeline.flows,
        "group": pipeline.group,
    },
    "rest.md": {
        "routes": interfaces.routes,
        "bodies": interfaces.bodies,
    },
    "schema.md": {"tables": schema.tables},
}

# Files beside the pages that are written as a whole.
FILES: Final[Mapping[str, Callable[[], str]]] = {
    "deploy/prewire.toml.example": settings.example_file,
    **dashboards.FILES,
    "prewire/api/examples.json": examples.answers_file,
    "prewire/commands/words.json": words.text,
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


def outdated_files(root: Path = ROOT) -> dict[Path, str]:
    """The files that do not read as they should, or are not there, with how they should."""
    found = {}
    for name, write in FILES.items():
        path, wanted = root / name, write()
        if not path.is_file() or path.read_text(encoding="utf-8") != wanted:
            found[path] = wanted
    return found


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them with `--check`. Returns the exit code."""
    if arguments and list(arguments) != ["--check"]:
        show.complain("usage: python -m prewire.docs [--check]")
        return 2
    changed = outdated() | outdated_files()
    if arguments:
        for path in changed:
            show.complain(f"{path.relative_to(ROOT)} is out of date; run `make docs`")
        return 1 if changed else 0
    for path, text in changed.items():
        path.write_text(text, encoding="utf-8")
        show.lines(f"wrote {path.relative_to(ROOT)}")
    return 0
