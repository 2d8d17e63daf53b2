"""The token that programs of a network send to prewire's REST API, by their environment.

PREWIRE_TOKEN, or what the file PREWIRE_TOKEN_FILE holds, or the operator's token in
PREWIRE_STATE_DIR, which processes of prewire have from their parent.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def headers(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What to send along; nothing where there is no token."""
    token = environment.get("PREWIRE_TOKEN") or _in_file(environment)
    return {"Authorization": f"Bearer {token.strip()}"} if token else {}


def _in_file(environment: Mapping[str, str]) -> str:
    named = environment.get("PREWIRE_TOKEN_FILE")
    if named:
        return Path(named).read_text("utf-8")
    state = environment.get("PREWIRE_STATE_DIR")
    own = Path(state) / "admin.token" if state else None
    return own.read_text("utf-8") if own and os.access(own, os.R_OK) else ""
