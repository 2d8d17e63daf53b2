"""Requests at a rate, over many keep-alive connections, and what became of each.

A request is due at its time whether or not those before it are answered, and its own time runs from
then: a server that stalls pays for everyone who came meanwhile. It is one thread that sends bytes
made when they are due; the client shares the processors with what it measures.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.errors import BenchmarkFailed

_SILENCE_SECONDS: Final = 30.0
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_NO_BODY: Final = (b"HTTP/1.1 204", b"HTTP/1.1 304")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load met: milliseconds of each request, from when it was due, in the order of answers;
    seconds from the first one due to the last answer."""

    each_ms: tuple[float, ...]
    seconds: float

    @property
    def a_second(self) -> float:
        """Requests answered a second."""
        return len(self.each_ms) / self.seconds


class _Connection:
    """One connection, with at most one request on its way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due_s = 0.0
        self._answer = b""

    def send(self, request: bytes, due_s: float) -> None:
        self._answer = b""
        self.due_s = due_s
        self.socket.sendall(request)

    def is_answered(self) -> bool:
        """Take what came: whether the answer is whole. BenchmarkFailed for a bad one."""
        part = self.socket.recv(65536)
        self._answer += part
        head, blank, body = self._answer.partition(b"\r\n\r\n")
        if not part or (blank and not head.startswith(b"HTTP/1.1 2")):
            raise BenchmarkFailed(f"a bad answer: {self._answer[:500]!r}")
        if not blank:
            return False
        length = _LENGTH.search(head)
        if length is None and not head.startswith(_NO_BODY):
            raise BenchmarkFailed(f"an answer without a length: {head!r}")
        return length is None or len(body) >= int(length[1])


class Client:
    """Whoever asks the server on this machine's `port`; token: of somebody who may."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self._port = port
        self._head = "Host: 127.0.0.1\r\nContent-Type: application/json\r\n"
        if token is not None:
            self._head += f"Authorization: Bearer {token}\r\n"

    def request(self, method: str, path: str, body: Any = None) -> bytes:
        """One request as bytes."""
        content = b"" if body is None else json.dumps(body).encode()
        length = f"Content-Length: {len(content)}\r\n\r\n"
        return f"{method} {path} HTTP/1.1\r\n{self._head}{length}".encode() + content

    def load(
        self, requests: Iterator[bytes], count: int, clients: int, rate: float | None = None
    ) -> Loaded:
        """Send so many requests over so many connections at `rate` a second.

        None: each connection the next one as soon as it has its answer.
        """
        with selectors.DefaultSelector() as selector:
            idle: deque[_Connection] = deque()
            for _ in range(clients):
                idle.append(_Connection(self._port))
                selector.register(idle[-1].socket, selectors.EVENT_READ, idle[-1])
            try:
                return _loaded(selector, idle, requests, count, rate)
            finally:
                for each in list(selector.get_map().values()):
                    each.data.socket.close()


def _loaded(
    selector: selectors.BaseSelector,
    idle: deque[_Connection],
    requests: Iterator[bytes],
    count: int,
    rate: float | None,
) -> Loaded:
    found: list[float] = []
    sent = 0
    began = heard = time.perf_counter()
    while len(found) < count:
        now = time.perf_counter()
        while idle and sent < count and (rate is None or began + sent / rate <= now):
            due_s = now if rate is None else began + sent / rate
            idle.popleft().send(next(requests), due_s)
            sent += 1
        ready = selector.select(_patience(began, sent, count, rate, is_idle=bool(idle)))
        now = time.perf_counter()
        heard = now if ready else heard
        if now - heard > _SILENCE_SECONDS:
            raise BenchmarkFailed(f"no answer in {_SILENCE_SECONDS:g} s")
        for key, _ in ready:
            if key.data.is_answered():
                found.append((time.perf_counter() - key.data.due_s) * 1000)
                idle.append(key.data)
    return Loaded(tuple(found), time.perf_counter() - began)


def _patience(began: float, sent: int, count: int, rate: float | None, *, is_idle: bool) -> float:
    """How long to wait for answers: until the next request is due, if anyone can send it."""
    if rate is None or sent >= count or not is_idle:
        return _SILENCE_SECONDS
    return max(0.0, began + sent / rate - time.perf_counter())
