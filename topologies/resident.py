"""A resident container of a test network: `python -m topologies.resident NAME PORT`.

Answers every HTTP request after --service-ms, as many at a time as --concurrency; others wait their
turn. Before it listens it takes --cold-start-ms, as an image that is unpacked and a runtime that
comes up would. It ends at SIGTERM: a moment later, for connections that are on their way, and after
what it has begun.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

_HEAD: Final = 16_384
_IDLE_SECONDS: Final = 30.0
_ON_THEIR_WAY_SECONDS: Final = 0.5
_ENDING_SECONDS: Final = 4.0


class Resident:
    """One container's server."""

    def __init__(self, name: str, service_s: float, concurrency: int) -> None:
        self._name = name
        self._service_s = service_s
        self._turns = asyncio.Semaphore(concurrency)
        self._open = 0
        self._done = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request, until the client has enough."""
        self._open += 1
        self._done.clear()
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, TimeoutError, asyncio.LimitOverrunError):
            pass  # a client that went away, or spoke no HTTP
        finally:
            writer.close()
            self._open -= 1
            if not self._open:
                self._done.set()

    async def idle(self) -> None:
        """Return when no connection is open."""
        if self._open:
            await self._done.wait()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _IDLE_SECONDS)
        except asyncio.IncompleteReadError:
            return False
        async with self._turns:
            await asyncio.sleep(self._service_s)
        body = f"{self._name}\n".encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
            + f"X-Container: {self._name}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        return b"connection: close" not in head.lower()


async def _run(given: argparse.Namespace) -> None:
    if given.ready_file:
        given.ready_file.unlink(missing_ok=True)
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    await _unless(ending, given.cold_start_ms / 1000)
    if ending.is_set():
        return
    resident = Resident(given.name, given.service_ms / 1000, given.concurrency)
    server = await asyncio.start_server(resident.serve, given.host, given.port, limit=_HEAD)
    if given.ready_file:
        given.ready_file.touch()
    await ending.wait()
    if given.ready_file:
        given.ready_file.unlink(missing_ok=True)
    await asyncio.sleep(_ON_THEIR_WAY_SECONDS)
    server.close()
    with suppress(TimeoutError):
        await asyncio.wait_for(resident.idle(), _ENDING_SECONDS)


async def _unless(ending: asyncio.Event, seconds: float) -> None:
    """Wait that long, or until it is to end."""
    try:
        await asyncio.wait_for(ending.wait(), seconds)
    except TimeoutError:
        return


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description="A container of a test network.")
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - in a namespace of its own
    parser.add_argument("--service-ms", type=float, default=100.0)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--ready-file", type=Path, help="made when it listens")
    parser.add_argument("--cold-start-ms", type=float, default=2000.0)
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
