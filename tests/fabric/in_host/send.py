"""Datagrams one way: `send.py ADDRESS PORT FLOWS PACE_MS`, until standard input ends.

From FLOWS source ports, one every PACE_MS from each; for a minute at most. Prints a line when it
begins, and at the end one line of JSON: how many were sent.
"""

import json
import select
import socket
import sys
import time

MAX_SECONDS = 60
ADDRESS, PORT, FLOWS, PACE_MS = sys.argv[1], *map(int, sys.argv[2:])


def main() -> None:
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(FLOWS)]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    ends, sent = time.monotonic() + MAX_SECONDS, 0
    while time.monotonic() < ends:
        if select.select([sys.stdin], [], [], PACE_MS / 1000)[0]:
            break
        for each in sockets:
            each.sendto(b"x", (ADDRESS, PORT))
            sent += 1
    sys.stdout.write(json.dumps(sent) + "\n")


main()
