"""Datagrams as they arrive: `listen.py ADDRESS PORT`, until standard input ends.

For a minute at most. Prints a line when it listens; at the end one line of JSON: of each source
port how many came and the longest time between two of them in milliseconds.
"""

import json
import select
import socket
import sys
import time

MAX_SECONDS = 60


def main() -> None:
    came: dict[int, int] = {}
    heard: dict[int, float] = {}
    gaps: dict[int, float] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((sys.argv[1], int(sys.argv[2])))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        ends = time.monotonic() + MAX_SECONDS
        while time.monotonic() < ends:
            readable, _, _ = select.select([server, sys.stdin], [], [], 1)
            if sys.stdin in readable:
                break
            if server in readable:
                _, (_, port) = server.recvfrom(2048)
                now = time.monotonic()
                gaps[port] = max(gaps.get(port, 0.0), now - heard.get(port, now))
                heard[port] = now
                came[port] = came.get(port, 0) + 1
    now = time.monotonic()
    found = [
        {"came": came[port], "gap_ms": 1000 * max(gaps[port], now - heard[port])} for port in came
    ]
    sys.stdout.write(json.dumps(found) + "\n")


main()
