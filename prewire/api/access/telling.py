"""What the log says of who asks: who changed what, and who was refused.

Owns: the words, and how often a refusal is told.
Must not know: how it is known who asks. No secret, no query and no body is ever told.
"""

from __future__ import annotations

import logging
from typing import Final

from prewire.api.access.identity import Identity, Scope
from prewire.api.access.refusals import Refusal

AUDIT: Final = logging.getLogger("prewire.audit")
LOG: Final = logging.getLogger(__name__)

_SILENT_SECONDS: Final = 60.0
_MAX_KEPT: Final = 1000
_LONGEST: Final = 400  # of a path


class Telling:
    """One server's lines. A refusal is told once a minute for each client and reason."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], tuple[float, int]] = {}

    def changed(self, identity: Identity, scope: Scope, status: int) -> None:
        """Somebody changed something."""
        if AUDIT.isEnabledFor(logging.INFO):
            AUDIT.info("changed", extra={**_asked(identity, scope), "status": status})

    def refused(self, refusal: Refusal, scope: Scope, now_s: float) -> None:
        """A request was refused; the same again is only counted for a while."""
        client = client_of(scope)
        key = (client, refusal.name)
        told_at, more = self._told.get(key, (now_s - _SILENT_SECONDS, 0))
        if now_s - told_at < _SILENT_SECONDS:
            self._told[key] = told_at, more + 1
            return
        if len(self._told) >= _MAX_KEPT:
            self._told.clear()
        self._told[key] = now_s, 0
        again = f"; {more} more since the last line" if more else ""
        LOG.warning("refused: %s%s", refusal, again, extra=_asked(None, scope))


def _asked(identity: Identity | None, scope: Scope) -> dict[str, str]:
    """Who asked for what, as fields of a line."""
    who = {} if identity is None else {"actor": identity.name or "anybody", "role": identity.role}
    return {
        **who,
        "client": client_of(scope),
        "method": scope["method"],
        "path": path_of(scope),
    }


def client_of(scope: Scope) -> str:
    """The address it came from."""
    client = scope.get("client")
    return client[0] if client else "unknown"


def path_of(scope: Scope) -> str:
    """The path as it was sent, so that no sign of it breaks a line; without the query."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("ascii", "backslashreplace")
    return raw[:_LONGEST].decode("ascii", "backslashreplace")
