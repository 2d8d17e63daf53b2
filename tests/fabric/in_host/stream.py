"""Datagrams in a steady stream: `stream.py ADDRESS PORT FLOWS PACE_MS`, until standard input ends.

From FLOWS source ports one after the other, one every PACE_MS from each; for a minute at most. Who
answers echoes the text (`udp_echo.py`). Prints a line when every flow was answered, one for each
line of standard input when every flow has been answered 50 times more, and at the end one line of
JSON: of each flow how many were sent and answered, and its longest time without an answer in
milliseconds.
"""

import json
import select
import socket
import sys
import time
from contextlib import suppress

MAX_SECONDS = 60
MORE = 50
ADDRESS, PORT, FLOWS, PACE_MS = sys.argv[1], *map(int, sys.argv[2:])


class Flow:
    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((ADDRESS, PORT))
        self.socket.setblocking(False)
        self.sent = self.answered = self.wanted = 0
        self.heard = time.monotonic()
        self.gap = 0.0

    def send(self) -> None:
        with suppress(OSError):  # refused, or no way at the moment
            self.socket.send(b"%d" % self.sent)
            self.sent += 1

    def hear(self) -> None:
        try:
            self.socket.recv(2048)
        except OSError:
            return
        now = time.monotonic()
        if self.answered:
            self.gap = max(self.gap, now - self.heard)
        self.heard = now
        self.answered += 1


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    flows = [Flow() for _ in range(FLOWS)]
    ends = time.monotonic() + MAX_SECONDS
    next_at = time.monotonic()
    owed = ["ready"]
    for flow in flows:
        flow.wanted = 1
    while time.monotonic() < ends:
        if time.monotonic() >= next_at:
            next_at = max(next_at + PACE_MS / 1000, time.monotonic() - 0.1)
            for flow in flows:
                flow.send()
        wait = max(0.0, next_at - time.monotonic())
        readable, _, _ = select.select([*(f.socket for f in flows), sys.stdin], [], [], wait)
        for flow in flows:
            if flow.socket in readable:
                flow.hear()
        if sys.stdin in readable:
            if not sys.stdin.readline():
                break
            owed.append("more")
            for flow in flows:
                flow.wanted = flow.answered + MORE
        if owed and all(flow.answered >= flow.wanted for flow in flows):
            say(owed.pop())
    now = time.monotonic()
    found = [
        {
            "sent": flow.sent,
            "answered": flow.answered,
            "gap_ms": 1000 * max(flow.gap, now - flow.heard),
        }
        for flow in flows
    ]
    say(json.dumps(found))


main()
