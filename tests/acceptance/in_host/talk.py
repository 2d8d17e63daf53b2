"""One keep-alive HTTP connection: `talk.py HOST PORT [SOURCE_PORT]`; each line on stdin is a path.

Answers a line with a line: the container's name, or `failed` and why; likewise where it cannot
connect, and ends then. Never connects again. With a source port, the port is free for the next
connection as soon as this one ends.
"""

import http.client
import socket
import struct
import sys

PATIENCE_S = 10


def main() -> None:
    host, port, source = sys.argv[1], int(sys.argv[2]), [int(each) for each in sys.argv[3:]]
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    connection.auto_open = 0
    try:
        connection.sock = connected((host, port), source)
    except OSError as error:
        sys.stdout.write(f"failed to connect: {error!r}\n")
        return
    for line in sys.stdin:
        try:
            connection.request("GET", line.strip())
            answer = connection.getresponse()
            answer.read()
            said = answer.headers["X-Container"] or "nobody"
        except (OSError, http.client.HTTPException) as error:
            said = f"failed {error!r}"
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()


def connected(place: tuple[str, int], source: list[int]) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in place[0] else socket.AF_INET)
    sock.settimeout(PATIENCE_S)
    for port in source:
        reset_at_close = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_at_close)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", port))
    sock.connect(place)
    return sock


main()
