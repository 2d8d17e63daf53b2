"""Take a container out of service and wait for it: `python -m topologies.leave URL SECONDS`.

URL: the container's in prewire's REST API. Its connections have that many seconds to end; returns
when it is gone, for then it may be stopped, and at the latest ten seconds after that time.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any, Final

from topologies.asking import headers

_PAUSE_SECONDS: Final = 0.2
_ANSWER_SECONDS: Final = 10.0


def leave(url: str, seconds: int) -> None:
    """Drain it, and return when nothing depends on it any more, or it had its time.

    seconds: for its connections. OSError where REST is away or refuses.
    """
    deadline = time.monotonic() + seconds + _ANSWER_SECONDS
    _ask("DELETE", f"{url}?drain={seconds}")
    while time.monotonic() < deadline:
        said = _ask("GET", url)
        if said is None or said.get("safe_to_stop"):
            return
        time.sleep(_PAUSE_SECONDS)


def _ask(method: str, url: str) -> Any:
    """The JSON answer; None where there is no such container."""
    request = urllib.request.Request(  # noqa: S310 - prewire's own address
        url, headers=headers(), method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


if __name__ == "__main__":
    leave(sys.argv[1], int(sys.argv[2]))
