"""Much work at once, without Python's search for garbage in cycles.

A switch's rules are hundreds of thousands of objects, none in a cycle. While they are made, the
collector goes through all of them again and again, which takes as long as making them does.

Must not know: what the work is.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def uncollected(work: Callable[P, T]) -> Callable[P, T]:
    """The same work, with the collector off until it is done."""

    @wraps(work)
    def quietly(*args: P.args, **kwargs: P.kwargs) -> T:
        if not gc.isenabled():
            return work(*args, **kwargs)
        gc.disable()
        try:
            return work(*args, **kwargs)
        finally:
            gc.enable()

    return quietly
