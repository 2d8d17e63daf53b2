"""One datagram: `udp_ask_from.py HOST PORT SOURCE_PORT`; prints who answered, nothing if nobody."""

import contextlib
import socket
import sys


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", int(sys.argv[3])))
        sock.settimeout(2)
        sock.sendto(b"who", (sys.argv[1], int(sys.argv[2])))
        with contextlib.suppress(TimeoutError):
            sys.stdout.write(sock.recv(100).decode().partition(" ")[0] + "\n")


main()
