"""A controller that asks a bridge for the role of master, with a generation id of its choice."""

from __future__ import annotations

import socket
import struct
import time
from typing import Final

from tests.ovs import PrivateOvs

_HEADER: Final = struct.Struct("!BBHI")
_VERSION: Final = 4
_HELLO, _ERROR, _ECHO_REQUEST, _ECHO_REPLY, _ROLE_REQUEST, _ROLE_REPLY = 0, 1, 2, 3, 24, 25
_MASTER: Final = 2
_ROLE_REQUEST_FAILED, _STALE = 11, 0
_XID: Final = 77


def asked_for_master(ovs: PrivateOvs, bridge: str, generation: int) -> str:
    """What the bridge says to it: "granted" or "refused as stale"; the connection then ends.

    By the bridge's management socket, which takes controllers of any kind.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(ovs.directory / f"{bridge}.mgmt"))
        connection.sendall(_message(_HELLO, 1))
        body = struct.pack("!I4xQ", _MASTER, generation)
        connection.sendall(_message(_ROLE_REQUEST, _XID, body))
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            kind, xid, body = _received(connection)
            if kind == _ECHO_REQUEST:
                connection.sendall(_message(_ECHO_REPLY, xid, body))
            elif xid == _XID and kind == _ROLE_REPLY:
                return "granted"
            elif xid == _XID and kind == _ERROR:
                refusal = struct.unpack_from("!HH", body)
                assert refusal == (_ROLE_REQUEST_FAILED, _STALE), refusal
                return "refused as stale"
    raise AssertionError(f"{bridge} does not answer a role request")


def _message(kind: int, xid: int, body: bytes = b"") -> bytes:
    return _HEADER.pack(_VERSION, kind, _HEADER.size + len(body), xid) + body


def _received(connection: socket.socket) -> tuple[int, int, bytes]:
    _, kind, length, xid = _HEADER.unpack(_exactly(connection, _HEADER.size))
    return kind, xid, _exactly(connection, length - _HEADER.size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        assert more, "the bridge closed the connection"
        found += more
    return found
