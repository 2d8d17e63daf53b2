"""A TCP server: `echo.py ADDRESS PORT NAME` sends its name on a line, then every line back."""

import asyncio
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        writer.write(NAME.encode() + b"\n")
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, ADDRESS, int(PORT), backlog=256)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


ADDRESS, PORT, NAME = sys.argv[1:]
asyncio.run(main())
