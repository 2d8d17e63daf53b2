"""A client of the echo servers behind a VIP: `client.py VIP PORT HELD`, until it is killed.

It holds so many connections, and asks for the echo of the next number on each, four times a second;
beside them it opens a new one ten times a second, and closes it. It prints a line of JSON each time
that something ends: {"open": NAME}, {"lost": NAME, "why": TEXT} of a held one, and twice a second
{"opened": N, "refused": N, "failed": N, "why": {TEXT: N}} of new ones, with {"silent": S}: seconds
since the held connection that waits longest for an echo had one.
"""

import asyncio
import json
import sys
import time
from collections import Counter

PACE_S = 0.25
NEW_PACE_S = 0.1
TOLD_S = 0.5
CONNECT_S = 5.0
SILENT_S = 40.0  # TCP sends again until then: a stall is no loss


class Client:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.why: Counter[str] = Counter()
        self.echoed: dict[asyncio.StreamWriter, float] = {}

    async def opened(self) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A new connection and who answered; None where nobody did."""
        writer = None
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(VIP, int(PORT))
                name = (await reader.readline()).decode().strip()
                if not name:
                    raise ConnectionError("closed before its name came")
        except (OSError, TimeoutError) as error:
            refused = isinstance(error, ConnectionRefusedError)
            self.counts["refused" if refused else "failed"] += 1
            self.why[repr(error)[:100]] += 1
            if writer is not None:
                writer.transport.abort()
            return None
        self.counts["opened"] += 1
        return name, reader, writer

    async def hold(self) -> None:
        while True:
            opened = await self.opened()
            if opened is None:
                await asyncio.sleep(PACE_S)
                continue
            name, reader, writer = opened
            tell({"open": name})
            why = await self.talked(reader, writer)
            self.echoed.pop(writer)
            writer.transport.abort()
            tell({"lost": name, "why": why})

    async def talked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Ask for echoes; return why it ended."""
        number = 0
        while True:
            self.echoed[writer] = time.monotonic()
            number += 1
            line = b"%d\n" % number
            try:
                async with asyncio.timeout(SILENT_S):
                    writer.write(line)
                    await writer.drain()
                    echo = await reader.readline()
            except (OSError, TimeoutError) as error:
                return repr(error)
            if echo != line:
                return f"{echo!r} for {line!r}"
            await asyncio.sleep(PACE_S)

    async def fresh(self) -> None:
        running: set[asyncio.Task[None]] = set()
        while True:
            task = asyncio.create_task(self.once())
            running.add(task)
            task.add_done_callback(running.discard)
            await asyncio.sleep(NEW_PACE_S)

    async def once(self) -> None:
        opened = await self.opened()
        if opened is not None:
            opened[2].close()

    async def told(self) -> None:
        while True:
            await asyncio.sleep(TOLD_S)
            counts, self.counts = self.counts, Counter()
            why, self.why = self.why, Counter()
            now = time.monotonic()
            silent = max((now - at for at in self.echoed.values()), default=0.0)
            tell({**counts, "why": why, "silent": silent})

    async def main(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(int(HELD)):
                group.create_task(self.hold())
            group.create_task(self.fresh())
            group.create_task(self.told())


def tell(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


VIP, PORT, HELD = sys.argv[1:]
asyncio.run(Client().main())
