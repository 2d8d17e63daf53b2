"""Requests at a given rate, whatever the answers do: `open_loop.py HOST PORT RATE SECONDS SEED`.

Poisson arrivals; each request has a connection of its own. Latency counts from when the request was
due, so that a late client hides nothing; a request without an answer counts as 10 s, the longest
that one is waited for. Prints one line of JSON: the latencies in milliseconds, and the failures by
reason.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

_PATIENCE_SECONDS: Final = 10.0


async def ask(host: str, port: int, due: float) -> tuple[float, str]:
    """Milliseconds from `due` to the end of the answer, and why there was none; waits for `due`."""
    await asyncio.sleep(due - time.monotonic())
    failure = ""
    writer = None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
        if not answer.startswith(b"HTTP/1.1 200"):
            failure = f"answer {answer[:20]!r}"
    except OSError as error:  # TimeoutError among them
        failure = type(error).__name__
    finally:
        if writer is not None:
            writer.close()
    took_s = _PATIENCE_SECONDS if failure else time.monotonic() - due
    return took_s * 1000, failure


async def run(host: str, port: int, rate: float, seconds: float, seed: int) -> dict[str, object]:
    """All requests, to the end of the last."""
    begin = time.monotonic() + 0.2
    tasks = [
        asyncio.create_task(ask(host, port, begin + at)) for at in arrivals(rate, seconds, seed)
    ]
    found = await asyncio.gather(*tasks)
    failures = Counter(failure for _, failure in found if failure)
    return {"latencies_ms": [latency for latency, _ in found], "failures": failures}


def arrivals(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """When requests are due, in seconds from the start."""
    draw = random.Random(seed)
    at = draw.expovariate(rate)
    while at < seconds:
        yield at
        at += draw.expovariate(rate)


def main(argv: Sequence[str]) -> None:
    """The command."""
    host, port, rate, seconds, seed = argv
    print(json.dumps(asyncio.run(run(host, int(port), float(rate), float(seconds), int(seed)))))


if __name__ == "__main__":
    main(sys.argv[1:])
