"""A container that takes a given time for each request: `worker.py ADDRESS PORT SERVICE_MS LIMIT`.

It works on at most LIMIT requests at once; others wait for their turn. Prints how many it has in
hand, those that wait among them: a number a line, one at the start and then every 50 ms.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Final

REPORT_SECONDS: Final = 0.05
_BACKLOG: Final = 4096
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Worker:
    """The server; inflight: requests it has and has not answered."""

    def __init__(self, service_s: float, limit: int) -> None:
        self.inflight = 0
        self._service_s = service_s
        self._turn = asyncio.Semaphore(limit)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's one request."""
        self.inflight += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            async with self._turn:
                await asyncio.sleep(self._service_s)
            writer.write(_ANSWER)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            self.inflight -= 1
            writer.close()


async def run(address: str, port: int, service_s: float, limit: int) -> None:
    """Serve until killed."""
    worker = Worker(service_s, limit)
    async with await asyncio.start_server(worker.serve, address, port, backlog=_BACKLOG):
        while True:
            print(worker.inflight, flush=True)
            await asyncio.sleep(REPORT_SECONDS)


def main(argv: Sequence[str]) -> None:
    """The command."""
    address, port, service_ms, limit = argv
    asyncio.run(run(address, int(port), float(service_ms) / 1000, int(limit)))


if __name__ == "__main__":
    main(sys.argv[1:])
