"""A bridge's groups as the switch has them, read often and cheaply.

Speaks OpenFlow 1.3 on the bridge's management socket, as ovs-ofctl does, but keeps the connection:
a reading takes well under a millisecond. It only reads.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkFailed

_VERSION: Final = 0x04
_HEADER: Final = struct.Struct("!BBHI")  # version, type, length, xid
_HELLO, _ECHO_REQUEST, _ECHO_REPLY, _MULTIPART_REQUEST, _MULTIPART_REPLY = 0, 2, 3, 18, 19
_GROUP_DESC: Final = struct.pack("!HHI", 7, 0, 0)  # ofp_multipart_request: type, flags, pad
_FLAGS: Final = struct.Struct("!2xH4x")
_MORE: Final = 1
_SECONDS: Final = 5.0


class GroupReader:
    """One connection. BenchmarkFailed where the switch ends it."""

    def __init__(self, bridge: str, run_dir: Path = Path("/run/openvswitch")) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_SECONDS)
        self._socket.connect(str(run_dir / f"{bridge}.mgmt"))
        self._send(_HELLO, b"")

    def read(self) -> bytes:
        """The descriptions of all groups, as the switch encodes them."""
        self._send(_MULTIPART_REQUEST, _GROUP_DESC)
        groups = b""
        while True:
            kind, body = self._receive()
            if kind == _ECHO_REQUEST:
                self._send(_ECHO_REPLY, body)
            elif kind == _MULTIPART_REPLY:
                groups += body[_FLAGS.size :]
                if not _FLAGS.unpack_from(body)[0] & _MORE:
                    return groups

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _send(self, kind: int, body: bytes) -> None:
        self._socket.sendall(_HEADER.pack(_VERSION, kind, _HEADER.size + len(body), 0) + body)

    def _receive(self) -> tuple[int, bytes]:
        _, kind, length, _ = _HEADER.unpack(self._exactly(_HEADER.size))
        return kind, self._exactly(length - _HEADER.size)

    def _exactly(self, count: int) -> bytes:
        parts = b""
        while len(parts) < count:
            part = self._socket.recv(count - len(parts))
            if not part:
                raise BenchmarkFailed("the switch closed its management connection")
            parts += part
        return parts
