"""A process made ready for its work: what is there to stay is not looked through again.

A full garbage collection walks all objects there are, those of a framework, the database's rows and
compiled flows among them, and whoever waits for the process waits meanwhile: 0.3 s and more where
it is a few hundred thousand. What is there at the beginning stays as long as the process does; what
comes and goes later is freed by its reference counts, but for cycles, and those mostly die young.
Cycles wait for a collection of the young, and of those that have outlived one: 5,000 and 15,000
objects at most, some megabytes, and no pause of more than some ten milliseconds.

Must not know: what the process does.
"""

from __future__ import annotations

import gc
from typing import Final

_THRESHOLDS: Final = (5_000, 2, 500)  # of new objects; of collections of them; of these


def settle() -> None:
    """Leave what is there now to itself, and look for garbage less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
