"""Round trips of small datagrams, for a host of a test network: `python -m topologies.probe …`.

`serve ADDRESS PORT` echoes datagrams, and prints "ready" when it does. `ask ADDRESS PORT COUNT
INTERVAL_MS` sends COUNT at even intervals, whatever comes back, and prints for each [when it was
sent, round trip] as one line of JSON: seconds of the monotonic clock, and null where no answer came
within a second. Both run before all other processes where they may (SCHED_FIFO), so that what is
measured is the network rather than the machine's other work.

Bounded: COUNT is at most 100,000, and a server ends after ten minutes.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

MAX_COUNT: Final = 100_000
MAX_SECONDS: Final = 600.0
_LOST_SECONDS: Final = 1.0
_NUMBER: Final = struct.Struct("!I")
_PADDING: Final = bytes(60)


def serve(address: str, port: int) -> None:
    """Echo."""
    deadline = time.monotonic() + MAX_SECONDS
    with _socket(address) as server:
        server.bind((address, port))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while (left := deadline - time.monotonic()) > 0:
            server.settimeout(left)
            with suppress(TimeoutError, ConnectionError):
                text, client = server.recvfrom(2048)
                server.sendto(text, client)


def ask(address: str, port: int, count: int, interval_s: float) -> list[list[float | None]]:
    """Send, and say how long each answer took."""
    sent: list[float] = []
    trips: list[float | None] = [None] * count
    with _socket(address) as client:
        client.connect((address, port))
        client.setblocking(False)
        next_s = time.monotonic()
        while len(sent) < count:
            _collect(client, sent, trips, next_s)
            sent.append(time.monotonic())
            with suppress(OSError):
                client.send(_NUMBER.pack(len(sent) - 1) + _PADDING)
            next_s += interval_s
        _collect(client, sent, trips, time.monotonic() + _LOST_SECONDS)
    return [[began, trip] for began, trip in zip(sent, trips, strict=True)]


def _collect(
    client: socket.socket, sent: list[float], trips: list[float | None], until_s: float
) -> None:
    """Take answers until then."""
    while (left := until_s - time.monotonic()) > 0:
        readable, _, _ = select.select([client], [], [], left)
        if not readable:
            return
        with suppress(ConnectionError):
            text = client.recv(2048)
            (number,) = _NUMBER.unpack_from(text)
            trips[number] = time.monotonic() - sent[number]


def _socket(address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.socket(family, socket.SOCK_DGRAM)


def _ask(argv: Sequence[str]) -> None:
    address, port, count, interval_ms = argv
    trips = ask(address, int(port), min(int(count), MAX_COUNT), float(interval_ms) / 1000)
    sys.stdout.write(json.dumps(trips) + "\n")


def _serve(argv: Sequence[str]) -> None:
    address, port = argv
    serve(address, int(port))


def main(argv: Sequence[str]) -> None:
    """The command."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    modes: dict[str, Callable[[Sequence[str]], None]] = {"serve": _serve, "ask": _ask}
    modes[argv[0]](argv[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
