"""Many clients that watch one server, in one thread."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from benchmarks.errors import BenchmarkFailed

_PATIENCE_SECONDS: Final = 60.0
_READY: Final = b"event: ready"


class Watchers:
    """Connections that have been told everything there was."""

    def __init__(self, port: int, path: str, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._sockets = [self._begun(port, path) for _ in range(count)]
        self.await_text(_READY)

    def await_text(self, text: bytes) -> list[float]:
        """Return when every client has read this; when each had, by `time.perf_counter`."""
        missing = set(self._sockets)
        tails = dict.fromkeys(self._sockets, b"")
        times: list[float] = []
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while missing:
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{len(missing)} clients were not told of {text!r}")
            for key, _ in self._selector.select(1.0):
                client = key.fileobj
                part = client.recv(1 << 20)  # type: ignore[union-attr]
                if not part:
                    raise BenchmarkFailed(f"a watch ended, with {len(missing)} not told")
                if client not in missing:
                    continue
                seen = tails[client] + part
                if text in seen:
                    times.append(time.perf_counter())
                    missing.discard(client)
                tails[client] = seen[-len(text) :]
        return times

    def close(self) -> None:
        """End all watches."""
        for each in self._sockets:
            each.close()
        self._selector.close()

    def _begun(self, port: int, path: str) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        self._selector.register(client, selectors.EVENT_READ)
        return client


@contextmanager
def watchers(port: int, path: str, count: int) -> Iterator[Watchers]:
    """So many clients watch inside the body."""
    clients = Watchers(port, path, count)
    try:
        yield clients
    finally:
        clients.close()
