"""Register a container once it listens: `python -m topologies.join FILE URL BODY`.

FILE appears when it does (`topologies.resident --ready-file`); URL is the container's in prewire's
REST API, BODY what it is registered with, as JSON.
"""

from __future__ import annotations

import sys
import time
import urllib.request
from pathlib import Path
from typing import Final

from topologies.asking import headers

_PATIENCE_SECONDS: Final = 15.0
_PAUSE_SECONDS: Final = 0.05


def join(ready: Path, url: str, body: str) -> None:
    """Wait for it, then put it into service. TimeoutError, or OSError where REST refuses it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not ready.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it does not listen after {_PATIENCE_SECONDS:.0f} s")
        time.sleep(_PAUSE_SECONDS)
    request = urllib.request.Request(  # noqa: S310 - prewire's own address
        url, body.encode(), {"Content-Type": "application/json", **headers()}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS):  # noqa: S310
        pass


if __name__ == "__main__":
    join(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
