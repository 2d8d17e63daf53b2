"""Keep-alive requests at a given rate, whatever the answers do: an open loop over few connections.

`paced.py HOST PORT CONNECTIONS RATE SECONDS SEED`

Poisson arrivals. Latency counts from when a request was due, so that waiting for a free connection,
or a late client, hides nothing: what a closed loop leaves out (coordinated omission). A request
that fails, or has no answer in 10 s after the last was due, counts as 10 s. Prints one line of
JSON: the latencies in milliseconds, in the order of answers, and the failures by reason.
"""

from __future__ import annotations

import json
import random
import re
import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

_PATIENCE_SECONDS: Final = 10.0
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class Connection:
    """One connection with at most one request on its way; it opens itself."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._request = b"GET / HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n"
        self._answer = b""
        self.due = 0.0
        self.socket = self._opened()

    def fileno(self) -> int:
        """For select(2)."""
        return self.socket.fileno()

    def ask(self, due: float) -> None:
        """Send a request that was due then. OSError where the connection is gone."""
        self.due = due
        self._answer = b""
        self.socket.sendall(self._request)

    def is_answered(self) -> bool:
        """Read what is there; whether the answer is whole. OSError where it is none."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionResetError
        self._answer += part
        head, blank, body = self._answer.partition(b"\r\n\r\n")
        if not blank:
            return False
        length = _LENGTH.search(head)
        if length is None or not head.startswith(b"HTTP/1.1 200"):
            raise OSError("another answer")
        return len(body) >= int(length[1])

    def renew(self) -> None:
        """A new connection in its place."""
        self.socket.close()
        self.socket = self._opened()

    def _opened(self) -> socket.socket:
        opened = socket.create_connection(self._there, timeout=_PATIENCE_SECONDS)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened


class Load:
    """All requests of one run, and what became of them."""

    def __init__(self, connections: Sequence[Connection], arrivals: Sequence[float]) -> None:
        self.latencies_ms: list[float] = []
        self.failures: Counter[str] = Counter()
        self._free = deque(connections)
        self._busy: set[Connection] = set()
        self._arrivals = deque(arrivals)

    def run(self) -> None:
        """To the end of the last request, or of the patience with it."""
        ends = self._arrivals[-1] + _PATIENCE_SECONDS
        while (self._arrivals or self._busy) and time.monotonic() < ends:
            self._send()
            readable, _, _ = select.select(self._busy, (), (), self._pause())
            for each in readable:
                self._receive(each)
        for _ in range(len(self._arrivals) + len(self._busy)):
            self._fail("no answer")

    def _send(self) -> None:
        now = time.monotonic()
        while self._arrivals and self._free and self._arrivals[0] <= now:
            connection = self._free.popleft()
            self._busy.add(connection)
            try:
                connection.ask(self._arrivals.popleft())
            except OSError as error:
                self._lose(connection, error)

    def _pause(self) -> float:
        """Seconds until the next request can be sent: select(2) heeds microseconds."""
        if self._arrivals and self._free:
            return max(0.0, self._arrivals[0] - time.monotonic())
        return 0.1

    def _receive(self, connection: Connection) -> None:
        try:
            if not connection.is_answered():
                return
        except OSError as error:
            self._lose(connection, error)
            return
        self.latencies_ms.append(1000 * (time.monotonic() - connection.due))
        self._busy.discard(connection)
        self._free.append(connection)

    def _lose(self, connection: Connection, error: OSError) -> None:
        self._fail(type(error).__name__)
        self._busy.discard(connection)
        connection.renew()
        self._free.append(connection)

    def _fail(self, reason: str) -> None:
        self.failures[reason] += 1
        self.latencies_ms.append(1000 * _PATIENCE_SECONDS)


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """When requests are due, in seconds from the start; at least one."""
    draw = random.Random(seed)
    times = [draw.expovariate(rate)]
    while (at := times[-1] + draw.expovariate(rate)) < seconds:
        times.append(at)
    return times


def main(argv: Sequence[str]) -> None:
    """The command."""
    host, port, connections, rate, seconds, seed = argv
    opened = [Connection(host, int(port)) for _ in range(int(connections))]
    due = arrivals(float(rate), float(seconds), int(seed))
    begin = time.monotonic() + 0.1
    load = Load(opened, [begin + at for at in due])
    load.run()
    print(json.dumps({"latencies_ms": load.latencies_ms, "failures": load.failures}))


if __name__ == "__main__":
    main(sys.argv[1:])
