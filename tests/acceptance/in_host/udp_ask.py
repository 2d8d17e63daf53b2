"""Datagrams to a UDP server: `udp_ask.py HOST PORT COUNT`, twice from each of COUNT source ports.

Prints a line for each source port: who answered, twice, or `failed`.
"""

import socket
import sys


def main() -> None:
    place = (sys.argv[1], int(sys.argv[2]))
    for number in range(int(sys.argv[3])):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(3)
            client.connect(place)
            said = []
            for turn in ("first", "second"):
                text = f"{number} {turn}"
                client.send(text.encode())
                try:
                    name, _, echoed = client.recv(2048).decode().partition(" ")
                except OSError as error:
                    name, echoed = f"failed {error!r}", text
                said.append(name if echoed == text else f"failed: {echoed!r} is not {text!r}")
            sys.stdout.write(" ".join(dict.fromkeys(said)) + "\n")


main()
