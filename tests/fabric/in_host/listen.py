"""Datagrams as they arrive: `listen.py ADDRESS PORT FLOWS`, until standard input ends.

For a minute at most. Prints a line when it listens, one for each line of standard input when 50
more have come from each of FLOWS source ports, and at the end one line of JSON: of each source port
how many came and the longest time between two of them in milliseconds.
"""

import json
import select
import socket
import sys
import time

MAX_SECONDS = 60
MORE = 50
ADDRESS, PORT, FLOWS = sys.argv[1], *map(int, sys.argv[2:])


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _have_come(came: dict[int, int], wanted: dict[int, int]) -> bool:
    return all(count >= wanted.get(port, MORE) for port, count in came.items())


def main() -> None:
    came: dict[int, int] = {}
    heard: dict[int, float] = {}
    gaps: dict[int, float] = {}
    wanted: dict[int, int] | None = None
    ends = time.monotonic() + MAX_SECONDS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((ADDRESS, PORT))
        say("ready")
        while time.monotonic() < ends:
            readable, _, _ = select.select([server, sys.stdin], [], [], 1)
            if sys.stdin in readable:
                if not sys.stdin.readline():
                    break
                wanted = {port: count + MORE for port, count in came.items()}
            if server in readable:
                _, (_, port) = server.recvfrom(2048)
                now = time.monotonic()
                gaps[port] = max(gaps.get(port, 0.0), now - heard.get(port, now))
                heard[port] = now
                came[port] = came.get(port, 0) + 1
            if wanted is not None and len(came) == FLOWS and _have_come(came, wanted):
                say("more")
                wanted = None
    now = time.monotonic()
    found = [
        {"came": came[port], "gap_ms": 1000 * max(gaps[port], now - heard[port])} for port in came
    ]
    say(json.dumps(found))


main()
