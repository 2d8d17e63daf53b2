"""The operator's token of this machine: a file that root reads, made where there is none.

Owns: the file, and the row of the database that knows its hash.
Must not know: HTTP. What the file holds is printed and logged by nobody.

To have another secret, delete the file and start the REST server again.
"""

from __future__ import annotations

import os
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

from nib.access import Token
from nib.database import Nib
from nib.draft import Draft
from nib.errors import FieldError
from prewire.api.access.identity import OPERATOR
from prewire.api.access.known import PREFIX, hash_of, new_secret, now_ms

FILE: Final = "admin.token"

_MODE: Final = 0o600
_NOBODY_ELSES: Final = 0o027  # its group may read, as where an orchestrator provides the file
_NO_NAME: Final = re.compile(r"[^a-z0-9.-]+")
_WAIT_SECONDS: Final = 10.0


def ensured(state_dir: Path) -> str:
    """The secret in the file; made where it is absent, readable by its owner only.

    OSError where it can be neither read nor made; FieldError where the file holds no secret.
    """
    path = state_dir / FILE
    if not path.exists():
        state_dir.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            _make(path)
    return _read(path)


def known_to(nib: Nib, secret: str) -> None:
    """Have the database know the secret as an operator's. NibError where it cannot be told."""
    hashed = hash_of(secret)

    def told(draft: Draft) -> None:
        rows = draft.all(Token)
        if not any(row.hash == hashed and row.role == OPERATOR for row in rows):
            draft.put(Token(name(), OPERATOR, hashed, created_ms=now_ms()))

    nib.write(told).result(_WAIT_SECONDS)


def name() -> str:
    """What it is called: several machines may serve one database."""
    host = _NO_NAME.sub("-", socket.gethostname().lower()).strip("-.")
    return f"admin-{host}"[:63].rstrip("-.")


def _make(path: Path) -> None:
    """Appear with its content; FileExistsError where another process was faster."""
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    beside.unlink(missing_ok=True)
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        with os.fdopen(file, "w") as made:
            made.write(f"{new_secret()}\n")
        os.link(beside, path)
    finally:
        beside.unlink()


def _read(path: Path) -> str:
    remedy = "delete it, and another is made"
    if path.stat().st_mode & _NOBODY_ELSES:
        raise FieldError(str(path), "others may read it", f"{remedy}; the old one is not secret")
    secret = path.read_text("utf-8").strip()
    if not secret.startswith(PREFIX) or len(secret) < 20:
        raise FieldError(str(path), "it holds no token", remedy)
    return secret
