"""Datagrams and their marks.

`marks.py listen ADDRESS PORT COUNT` prints "ready", takes so many datagrams and prints how many
came of each DSCP, as JSON. `marks.py send ADDRESS PORT COUNT TOS` sends so many that carry this
type of service (or traffic class) by themselves.
"""

import json
import socket
import sys
from collections import Counter


def listen(address: str, port: int, count: int) -> None:
    marks: Counter[int] = Counter()
    with socket.socket(family(address), socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        if ":" in address:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        server.bind((address, port))
        server.settimeout(20)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while marks.total() < count:
            _, notes, _, _ = server.recvmsg(2048, 256)
            marks.update(int.from_bytes(data, sys.byteorder) >> 2 for _, _, data in notes)
    sys.stdout.write(json.dumps(marks) + "\n")


def send(address: str, port: int, count: int, tos: int) -> None:
    with socket.socket(family(address), socket.SOCK_DGRAM) as client:
        if ":" in address:
            client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
        else:
            client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        for _ in range(count):
            client.sendto(b"marked", (address, port))


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def main() -> None:
    mode, address, *numbers = sys.argv[1:]
    if mode == "listen":
        listen(address, *map(int, numbers))
    else:
        send(address, *map(int, numbers))


main()
