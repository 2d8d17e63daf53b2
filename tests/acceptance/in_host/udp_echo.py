"""A UDP server: `udp_echo.py ADDRESS PORT NAME` answers each datagram with `NAME` and its text."""

import socket
import sys


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((sys.argv[1], int(sys.argv[2])))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            text, client = server.recvfrom(2048)
            server.sendto(sys.argv[3].encode() + b" " + text, client)


main()
