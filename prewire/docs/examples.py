"""Examples of answers for the OpenAPI description: those of the page on REST, which a test holds to
what the server answers.

Must not know: how the description shows them.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from nib.database import Nib
from prewire.api import server as rest

PAGE: Final = Path(__file__).parents[2] / "docs" / "rest.md"
_EXAMPLE: Final = re.compile(r"```sh\n(curl .+)\n```\n\n```\n(\d+)\n((?:[^`\n].*\n)*)```")


def answers_file() -> str:
    """For each operation, as in "GET /v1/services", its first example of each kind of answer."""
    paths = _paths()
    found: dict[str, dict[str, Any]] = {}
    for command, status, body in _EXAMPLE.findall(PAGE.read_text(encoding="utf-8")):
        if body.strip():
            kind = status if status.startswith("2") else f"{status[0]}XX"
            found.setdefault(_operation(command, paths), {}).setdefault(kind, json.loads(body))
    return json.dumps(dict(sorted(found.items())), indent=1) + "\n"


def _paths() -> list[str]:
    """Those of the server's routes, the plainest first."""
    with closing(Nib("unix:/nowhere", "docs")) as nib:
        paths = rest.application(nib).openapi()["paths"]
    return sorted(paths, key=lambda path: path.count("{"))


def _operation(command: str, paths: Iterable[str]) -> str:
    """What a curl command asks for, its path as the description has it."""
    words = shlex.split(command)
    method = words[words.index("-X") + 1]
    path = urlsplit(next(word for word in words if "://" in word)).path
    return f"{method} {next(each for each in paths if _fits(path, each))}"


def _fits(path: str, template: str) -> bool:
    pattern = "/".join("[^/]+" if "{" in part else part for part in template.split("/"))
    return re.fullmatch(pattern, path) is not None
