"""Who asks: an identity as a value.

Must not know: how it was found out (token, JWT, certificate), what a role may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

VIEWER: Final = "viewer"
REGISTRAR: Final = "registrar"
OPERATOR: Final = "operator"

Scope = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """name: as in logs and events. services: where a registrar may register.

    known_by: what it was looked up by, a token's hash or a subject; expires_ms: milliseconds since
    1970, 0: never. until_ms: likewise, when the JWT ends that a subject's row was found by.
    """

    name: str
    role: str
    services: frozenset[str] = frozenset()
    known_by: str = ""
    expires_ms: int = 0
    until_ms: int = field(default=0, compare=False)


# Where access is open, everybody is this.
ANYBODY: Final = Identity("", OPERATOR)
