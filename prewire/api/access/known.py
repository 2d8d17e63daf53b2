"""The tokens of the database, at hand: by the hash of their secret, and by subject.

Owns: what a secret looks like, and its hash.
Must not know: HTTP, what a role may do.

The tables are replaced whole in the nib thread, so that a request reads one without a lock.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from typing import Final

from nib.access import Token
from nib.database import Nib
from nib.watch import Batch
from prewire.api.access.identity import Identity

PREFIX: Final = "pw_"  # lets scanners of source and logs find a secret that got out
_BYTES: Final = 32


def new_secret() -> str:
    """A secret nobody guesses, 256 bits."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def hash_of(secret: str | bytes) -> str:
    """As the database has it."""
    return hashlib.sha256(secret if isinstance(secret, bytes) else secret.encode()).hexdigest()


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


def has_expired(expires_ms: int) -> bool:
    """Whether that time has come; 0 never comes."""
    return 0 < expires_ms <= now_ms()


class KnownTokens:
    """Follows the database; `of` finds an identity by a secret's hash or by a subject."""

    def __init__(self, nib: Nib) -> None:
        self._rows: dict[str, Token] = {}
        self._found: dict[str, Identity] = {}
        self._watch = nib.watch(self._hear)

    def of(self, known_by: str) -> Identity | None:
        """Whose hash or subject this is; None: nobody's. It may have expired."""
        return self._found.get(known_by)

    def holds(self, token: Token | None, name: str) -> bool:
        """Whether this is what is known under the name."""
        return self._rows.get(name) == token

    def close(self) -> None:
        """Follow no more."""
        self._watch.close()

    def _hear(self, batch: Batch) -> None:
        changes = [change for change in batch.changes if change.kind is Token]
        if not changes:
            return
        rows = dict(self._rows)
        for change in changes:
            if isinstance(change.new, Token):
                rows[change.new.name] = change.new
            elif isinstance(change.old, Token):
                rows.pop(change.old.name, None)
        self._rows = rows
        self._found = {
            known_by: identity_of(row, known_by)
            for row in rows.values()
            for known_by in (row.hash, row.subject)
            if known_by
        }


def identity_of(row: Token, known_by: str) -> Identity:
    """Who has this token."""
    return Identity(row.name, row.role, row.services, known_by, row.expires_ms)
