"""Requests over several keep-alive connections at a time, at the least cost to the machine.

The client shares the processors with what it measures, so it is one thread that sends bytes made
beforehand and looks at no more of an answer than its status and length.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.errors import BenchmarkFailed

_SILENCE_SECONDS: Final = 30.0
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a load met: milliseconds of each request in the order of answers, and of all of them."""

    each_ms: tuple[float, ...]
    seconds: float


class _Connection:
    """One connection, with at most one request on its way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sent_s = 0.0
        self._answer = b""

    def send(self, request: bytes) -> None:
        self._answer = b""
        self._sent_s = time.perf_counter()
        self.socket.sendall(request)

    def read(self) -> float | None:
        """Milliseconds since the request, once answered. BenchmarkFailed for a bad answer."""
        part = self.socket.recv(65536)
        self._answer += part
        head, blank, body = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head) if blank else None
        if not part or (blank and (length is None or not head.startswith(b"HTTP/1.1 2"))):
            raise BenchmarkFailed(f"a bad answer: {self._answer[:500]!r}")
        if length is None or len(body) < int(length[1]):
            return None
        return (time.perf_counter() - self._sent_s) * 1000


def request(method: str, path: str, body: Any = None) -> bytes:
    """One request as bytes."""
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def load(port: int, requests: Sequence[bytes], clients: int) -> Answered:
    """Send all requests, each client the next one as soon as it has its answer."""
    waiting = deque(requests)
    found: list[float] = []
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(clients):
            connection = _Connection(port)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(waiting.popleft())
        while len(found) < len(requests):
            ready = selector.select(_SILENCE_SECONDS)
            if not ready:
                raise BenchmarkFailed(f"no answer in {_SILENCE_SECONDS:g} s")
            for key, _ in ready:
                took_ms = key.data.read()
                if took_ms is not None:
                    found.append(took_ms)
                    if waiting:
                        key.data.send(waiting.popleft())
        ended = time.perf_counter()
        for each in list(selector.get_map().values()):
            each.data.socket.close()
    return Answered(tuple(found), ended - began)
