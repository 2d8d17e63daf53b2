"""Datagrams in a steady stream: `stream.py ADDRESS PORT FLOWS PACE_MS`, until standard input ends.

From FLOWS source ports one after the other, one every PACE_MS from each; for a minute at most. Who
answers echoes the text (`udp_echo.py`). Prints a line when every flow was answered, and at the end
one line of JSON: of each flow how many were sent and answered, and its longest time without an
answer in milliseconds.
"""

import json
import select
import socket
import sys
import time

MAX_SECONDS = 60
ADDRESS, PORT, FLOWS, PACE_MS = sys.argv[1], *map(int, sys.argv[2:])


class Flow:
    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((ADDRESS, PORT))
        self.socket.setblocking(False)
        self.sent = self.answered = 0
        self.heard = time.monotonic()
        self.gap = 0.0

    def send(self) -> None:
        try:
            self.socket.send(b"%d" % self.sent)
            self.sent += 1
        except OSError:  # refused, or no way at the moment
            pass

    def hear(self) -> None:
        try:
            self.socket.recv(2048)
        except OSError:
            return
        now = time.monotonic()
        self.gap = max(self.gap, now - self.heard)
        self.heard = now
        self.answered += 1


def main() -> None:
    flows = [Flow() for _ in range(FLOWS)]
    ends = time.monotonic() + MAX_SECONDS
    next_at, ready, ending = time.monotonic(), False, False
    while not ending and time.monotonic() < ends:
        if time.monotonic() >= next_at:
            next_at = max(next_at + PACE_MS / 1000, time.monotonic() - 0.1)
            for flow in flows:
                flow.send()
        wait = max(0.0, next_at - time.monotonic())
        heard, _, _ = select.select([*(f.socket for f in flows), sys.stdin], [], [], wait)
        for flow in flows:
            if flow.socket in heard:
                flow.hear()
        ending = sys.stdin in heard
        if not ready and all(flow.answered for flow in flows):
            ready = True
            now = time.monotonic()
            for flow in flows:
                flow.gap, flow.heard = 0.0, now
            sys.stdout.write("ready\n")
            sys.stdout.flush()
    now = time.monotonic()
    found = [
        {
            "sent": flow.sent,
            "answered": flow.answered,
            "gap_ms": 1000 * max(flow.gap, now - flow.heard),
        }
        for flow in flows
    ]
    sys.stdout.write(json.dumps(found) + "\n")


main()
