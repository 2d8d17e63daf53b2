"""Generated documentation: the examples of the repository, as one page of how-tos.

Must not know: what an example shows; its own page and script say that.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_EXAMPLES: Final = Path(__file__).parents[2] / "examples"
_RUN: Final = re.compile(r"```sh\n[^`]*```\n\n?")
_TO_DOCS: Final = "](../../docs/"


def recipes() -> str:
    """Every example: what it is about, and its script."""
    return "\n".join(_recipe(folder.parent) for folder in sorted(_EXAMPLES.glob("*/run.sh")))


def _recipe(folder: Path) -> str:
    title, _, about = (folder / "README.md").read_text(encoding="utf-8").partition("\n")
    prose = _RUN.sub("", about, count=1).strip().replace(_TO_DOCS, "](")
    prose = re.sub(r"\]\((?!\w+[-\w]*\.md)([\w.]+)\)", rf"](../examples/{folder.name}/\1)", prose)
    script = (folder / "run.sh").read_text(encoding="utf-8").partition('lib.sh"\n')[2].strip()
    return f"## {title.removeprefix('# ')}\n\n{prose}\n\n```bash\n{script}\n```\n"
