"""The id of the request that is worked at: one word that the log lines of all processes share.

Owns: the variable of the context, and which ids of others are taken.
Must not know: HTTP, gRPC, logs.
"""

from __future__ import annotations

import random
import re
from contextvars import ContextVar
from typing import Final

REQUEST: Final[ContextVar[str]] = ContextVar("request", default="")

# No secret, so no call of the system for each.
_DRAW: Final = random.Random()  # noqa: S311
_TAKEN: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(given: str) -> str:
    """The id that somebody gave, where it is 1 to 64 letters, digits, dots, dashes or underscores;
    else a new one of 16 hex digits."""
    return given if _TAKEN.fullmatch(given) else f"{_DRAW.getrandbits(64):016x}"
