"""One keep-alive connection to prewire's REST server, of use in one thread at a time."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.errors import BenchmarkFailed

_IDLE_SECONDS: Final = 2.0  # the server closes a connection that is idle for 5


class Api:
    """The server on this machine's `port`; token: of somebody who may; timeout_s: of an answer."""

    def __init__(self, port: int, token: str | None = None, timeout_s: float = 30.0) -> None:
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        self._used = time.monotonic()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer, None where it is empty; BenchmarkFailed unless it is a success."""
        content = None if body is None else json.dumps(body)
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self._http.close()  # it opens itself again
        try:
            self._http.request(method, path, content, self._headers)
            answer = self._http.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise BenchmarkFailed(f"{method} {path}: no answer ({error!r})") from error
        self._used = time.monotonic()
        if answer.status >= 300:
            raise BenchmarkFailed(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text) if text else None

    def report(self, reports: Sequence[Mapping[str, object]]) -> None:
        """POST reports of containers; BenchmarkFailed unless all are taken."""
        answer = self.call("POST", "/v1/reports", {"reports": reports})
        if answer["dropped"]:
            raise BenchmarkFailed(f"POST /v1/reports: {answer['problems']}")

    def timed(self, path: str, body: Any) -> float:
        """Milliseconds of a PUT."""
        began = time.perf_counter()
        self.call("PUT", path, body)
        return (time.perf_counter() - began) * 1000

    def close(self) -> None:
        """Close the connection."""
        self._http.close()
