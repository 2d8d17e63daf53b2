"""The token that commands send: where it is looked for, and to whom it is sent.

`--token` before PREWIRE_TOKEN before PREWIRE_TOKEN_FILE before the operator's token of this
machine, which only root reads and which is sent to this machine's own server only.
Must not know: HTTP.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from prewire.errors import CommandFailed

TOKEN: Final = "PREWIRE_TOKEN"  # noqa: S105 - a variable's name
TOKEN_FILE: Final = "PREWIRE_TOKEN_FILE"  # noqa: S105
ADMIN_FILE: Final = "admin.token"

# What `--token` says.
GIVEN: Final[ContextVar[str | None]] = ContextVar("token", default=None)


class Here(Protocol):
    """What settings say of this machine's own server; who only looks for a token loads no more."""

    @property
    def api_url(self) -> str:
        """Where it is reached."""

    @property
    def state_dir(self) -> Path:
        """Where it keeps its files."""


class NoToken(CommandFailed):
    """A token that is named cannot be used; the text says why, and never holds it."""


def token_for(url: str, given: Here) -> str | None:
    """What to send to the server there, with these settings. None: there is none. NoToken."""
    token = GIVEN.get() or os.environ.get(TOKEN)
    if token:
        return _checked(token, "--token" if GIVEN.get() else TOKEN)
    named = os.environ.get(TOKEN_FILE)
    if named:
        return _checked(_read(Path(named)), f"{TOKEN_FILE} {named}")
    own = given.state_dir / ADMIN_FILE
    if _is_own(url, given) and os.access(own, os.R_OK):
        return _checked(_read(own), str(own))
    return None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it holds no text"
        raise NoToken(f"token: {path}: {why}; correct {TOKEN_FILE}") from None


def _checked(token: str, where: str) -> str:
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise NoToken(
            f"token: {where} holds no token; give one that `prewire token create` printed"
        )
    return token


def _is_own(url: str, given: Here) -> bool:
    """Whether the server there is this machine's."""
    if url.rstrip("/") == given.api_url:
        return True
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
