"""How much of its processors the machine was without: what was measured meanwhile says nothing.

A virtual machine's host may give them to others of its machines; Linux counts that as *steal*
(proc(5)). A test that measures rates or gaps, and fails meanwhile, is tried again; then it fails.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final, NamedTuple

import pytest

TRIES: Final = 3
SOME: Final = 0.03  # of all processors' time: a failure may come of it

_STEAL: Final = 8  # the word of a line of /proc/stat


class Moment(NamedTuple):
    """at: monotonic; stolen: since the start of the machine, on the average of its processors."""

    at: float
    stolen: float


def now() -> Moment:
    """In seconds."""
    words = Path("/proc/stat").read_text(encoding="ascii").split(maxsplit=_STEAL + 1)
    stolen = int(words[_STEAL]) / os.sysconf("SC_CLK_TCK") / (os.cpu_count() or 1)
    return Moment(time.monotonic(), stolen)


class Disturbance:
    """Since the test began, or its module, whichever was worse."""

    def __init__(self) -> None:
        self._module: Path | None = None
        self._since: tuple[Moment, Moment] = (now(), now())

    def begin(self, item: pytest.Item) -> None:
        """A test begins, or is tried again."""
        of_module = self._since[0] if item.path == self._module else now()
        self._module = item.path
        self._since = of_module, now()

    def share(self) -> float:
        """The part of the time that was taken."""
        ends = now()
        return max(
            (ends.stolen - begun.stolen) / max(ends.at - begun.at, 0.1) for begun in self._since
        )

    def is_some(self) -> bool:
        """Whether a failure may come of it."""
        return self.share() > SOME
