"""What nobody should send, from random bytes to what is nearly right, and floods of connections."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from random import Random
from typing import Any, Final

Address = str | tuple[str, int]
Pieces = Callable[[Random], list[bytes]]

PIECES: Final = 60
FLOOD: Final = 150  # connections at a time
_READ_S: Final = 0.05
_CONNECT_S: Final = 5.0

_OPENFLOW: Final = struct.Struct("!BBHI")
_VERSION: Final = 4
_FEATURES_REPLY: Final = 6
_OVSDB_METHODS: Final = (
    *("transact", "monitor_cond_since", "lock", "steal", "get_schema", "set_db_change_aware"),
    *("append_request", "vote_request", "install_snapshot_request", "hello_request"),
)
_HELLO: Final = _OPENFLOW.pack(_VERSION, 0, 8, 1)


def send(address: Address, pieces: Iterable[bytes]) -> None:
    """Each on a connection of its own; what is answered is read for a moment, and dropped."""
    for piece in pieces:
        with suppress(OSError), _connected(address) as client:
            client.sendall(piece)
            client.settimeout(_READ_S)
            with suppress(TimeoutError):
                while client.recv(1 << 16):
                    pass


def flood(address: Address, seconds: float) -> None:
    """So many connections at once that say nothing, for that long; some may wait to be taken."""
    with ExitStack() as stack:
        for _ in range(FLOOD):
            client = stack.enter_context(_socket(address))
            client.setblocking(False)
            client.connect_ex(address)
        time.sleep(seconds)


def openflow(random: Random) -> list[bytes]:
    """Random bytes, headers that lie about lengths, and messages with nothing sensible in them.

    No features reply: that would be a new switch, which a controller without TLS has to believe.
    """
    pieces = [random.randbytes(random.randrange(1, 400)) for _ in range(PIECES // 3)]
    for _ in range(PIECES // 3):
        lying = random.choice((0, 1, 7, 8, 9, 0xFFFF))
        head = _OPENFLOW.pack(random.randrange(256), random.randrange(256), lying, 7)
        pieces.append(head + random.randbytes(random.randrange(64)))
    for _ in range(PIECES // 3):
        kinds = [kind for kind in range(35) if kind != _FEATURES_REPLY]
        said = [_message(random.choice(kinds), random) for _ in range(4)]
        pieces.append(b"".join([_HELLO, *said]))
    return pieces


def _message(kind: int, random: Random) -> bytes:
    body = random.randbytes(random.randrange(200))
    return _OPENFLOW.pack(_VERSION, kind, _OPENFLOW.size + len(body), random.getrandbits(32)) + body


def http(random: Random) -> list[bytes]:
    """Random bytes, requests with heads that lie, and JSON that means nothing to the route."""
    pieces = [random.randbytes(random.randrange(1, 400)) for _ in range(PIECES // 3)]
    heads = (
        b"Content-Length: -1",
        b"Content-Length: 99999999999",
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFF\r\nx",
        b"X: " + b"a" * 70_000,
        b"\x00\xff: \x01",
        b"If-Match: " + random.randbytes(20).hex().encode() + b"\r\nRange: bytes=9-1",
    )
    for _ in range(PIECES // 3):
        method = random.choice((b"GET", b"PUT", b"DELETE", b"POST", b"\x00", b"BREW"))
        path = random.choice((b"/v1/services/none", b"/../..", b"/v1/" + b"%00" * 9, b"http://x/"))
        pieces.append(
            b"%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n{}" % (method, path, random.choice(heads))
        )
    for _ in range(PIECES // 3):
        body = json.dumps(_anything(random)).encode()
        path = random.choice((b"services/held", b"services/held/containers/c1", b"policies/p"))
        head = b"PUT /v1/%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % path
        pieces.append(head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
    return pieces


def grpc(random: Random) -> list[bytes]:
    """Random bytes, and HTTP/2 with frames that it never has."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    pieces = [random.randbytes(random.randrange(1, 400)) for _ in range(PIECES // 2)]
    for _ in range(PIECES // 2):
        frames = []
        for _ in range(4):
            body = random.randbytes(random.randrange(100))
            head = len(body).to_bytes(3) + bytes([random.randrange(12), random.randrange(256)])
            frames.append(head + random.randrange(9).to_bytes(4) + body)
        pieces.append(b"".join([preface, *frames]))
    return pieces


def ovsdb(random: Random) -> list[bytes]:
    """Random bytes, JSON without an end, and calls that are nearly right."""
    pieces = [random.randbytes(random.randrange(1, 400)) for _ in range(PIECES // 3)]
    pieces += [
        b"[" * 100_000,
        b'{"a":' * 10_000,
        b'"' + b"x" * 100_000,
        b"{}{}{}",
        b"null",
        b"1e999",
    ]
    for _ in range(PIECES // 2):
        params: Any = random.choice(([], {}, ["Prewire", _anything(random)], [_anything(random)]))
        call = {
            "method": random.choice(_OVSDB_METHODS),
            "params": params,
            "id": random.randrange(9),
        }
        pieces.append(json.dumps(call).encode())
    return pieces


def _anything(random: Random, depth: int = 3) -> Any:
    """A JSON value that no schema has."""
    if depth and random.random() < 2 / 3:
        if random.random() < 1 / 2:
            return [_anything(random, depth - 1) for _ in range(random.randrange(4))]
        return {_text(random): _anything(random, depth - 1) for _ in range(random.randrange(1, 4))}
    return random.choice((None, True, -1, 1e300, 2**70, "", _text(random)))


def _text(random: Random) -> str:
    return "".join(chr(random.choice((0, 9, 34, 97, 0xE9, 0x2028, 0xFFFD))) for _ in range(6))


def _socket(address: Address) -> socket.socket:
    return socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)


def _connected(address: Address) -> socket.socket:
    client = _socket(address)
    client.settimeout(_CONNECT_S)
    try:
        client.connect(address)
    except BaseException:
        client.close()
        raise
    return client
