"""Requests at a rate that surges: `python -m topologies.surges HOST PORT < plan.json`.

The plan, as JSON on standard input: {"seconds": how long, "base": requests a second, "surge":
requests a second in a surge, "period": seconds from surge to surge, "first": when the first begins,
"length": seconds of a surge, "padding": bytes in each request's header}. Each request is a
connection of its own, sent when it is due whether or not others have been answered; so what waits
shows as latency. It prints one line of JSON for each request: {"at": seconds since the beginning,
"took": seconds, "status": 0 = none, "container": who answered}.

Bounded: a run of 30 minutes, 200 requests a second, 2,000 open at a time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MAX_SECONDS: Final = 1800.0
MAX_RATE: Final = 200.0
MAX_OPEN: Final = 2000
_ANSWER_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Plan:
    """When requests are due. ValueError where it is beyond the bounds."""

    seconds: float
    base: float
    surge: float
    period: float
    first: float
    length: float
    padding: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= MAX_SECONDS:
            raise ValueError(f"seconds: {self.seconds} is not above 0 and at most {MAX_SECONDS}")
        if max(self.base, self.surge) > MAX_RATE:
            raise ValueError(f"surge: a rate above {MAX_RATE} requests a second")
        if self.period <= 0 or self.length < 0:
            raise ValueError("period: surges need a period above 0 and a length of at least 0")

    def rate(self, at_s: float) -> float:
        """Requests a second at that time."""
        return self.surge if self.is_surge(at_s) else self.base

    def is_surge(self, at_s: float) -> bool:
        """Whether a surge is on."""
        return at_s >= self.first and (at_s - self.first) % self.period < self.length

    def times(self) -> Iterator[float]:
        """When each request is due, evenly spaced at the rate of its time."""
        at_s, due = 0.0, 0.0
        step_s = 0.005
        while at_s < self.seconds:
            due += self.rate(at_s) * step_s
            while due >= 1.0:
                due -= 1.0
                yield at_s
            at_s += step_s


async def run(host: str, port: int, plan: Plan) -> None:
    """Send them, print what became of each."""
    began = time.monotonic()
    open_: set[asyncio.Task[None]] = set()
    for due in plan.times():
        await asyncio.sleep(max(0.0, began + due - time.monotonic()))
        if len(open_) >= MAX_OPEN:
            await asyncio.wait(open_, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.create_task(_request(host, port, due, plan.padding))
        open_.add(task)
        task.add_done_callback(open_.discard)
    if open_:
        await asyncio.wait(open_)


async def _request(host: str, port: int, due: float, padding: int) -> None:
    began = time.monotonic()
    status, container = 0, ""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            status, container = await _get(host, port, padding)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        pass  # status 0 says it
    took = time.monotonic() - began
    line = {"at": round(due, 3), "took": round(took, 4), "status": status, "container": container}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def _get(host: str, port: int, padding: int) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        filler = f"X-Padding: {'x' * padding}\r\n" if padding else ""
        writer.write(
            f"GET / HTTP/1.1\r\nHost: {host}\r\n{filler}Connection: close\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        names = [line.partition(": ")[2] for line in head if line.startswith("X-Container: ")]
        await reader.read()
        return int(head[0].split()[1]), names[0] if names else ""
    finally:
        writer.close()


def read_plan(text: str) -> Plan:
    """The plan of standard input; ValueError says what is wrong with it."""
    document = json.loads(text)
    if not isinstance(document, Mapping):
        raise ValueError("the plan is no object")
    try:
        return Plan(**document)
    except TypeError as error:
        raise ValueError(str(error)) from None


def main() -> None:
    """Run the plan of standard input."""
    host, port = sys.argv[1], int(sys.argv[2])
    asyncio.run(run(host, port, read_plan(sys.stdin.read())))


if __name__ == "__main__":
    main()
