"""The switch's side of OpenFlow 1.3, as far as a controller's start asks for it, with faults.

Answers features, port descriptions, roles, statistics and barriers like an empty switch. It may
lack select groups, refuse conntrack actions, or leave barriers unanswered. It forwards nothing.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import Final, Self

HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY, FEATURES_REQUEST, FEATURES_REPLY = 0, 1, 2, 3, 5, 6
FLOW_MOD, MULTIPART_REQUEST, MULTIPART_REPLY = 14, 18, 19
BARRIER_REQUEST, BARRIER_REPLY, ROLE_REQUEST, ROLE_REPLY = 20, 21, 24, 25

_HEADER: Final = struct.Struct("!BBHI")
_VERSION: Final = 4
_FLOWS, _GROUP_FEATURES, _PORT_DESCRIPTIONS = 1, 8, 13
_ALL_GROUP_TYPES: Final = 0b1111
_WITHOUT_SELECT: Final = 0b1101
_BAD_ACTION, _BAD_EXPERIMENTER_TYPE = 2, 3
_LOCAL: Final = 0xFFFF_FFFE
_NICIRA_CT: Final = struct.pack("!IH", 0x2320, 35)


class Peer:
    """A switch that connects when entered and leaves at the end.

    flow_mods: how many came; read_backs: when each read-back began (monotonic seconds); errors:
    type and code of what the controller complained of; closed: set when the connection ended.
    """

    def __init__(
        self,
        port: int,
        dpid: int,
        *,
        version: int = _VERSION,
        select_groups: bool = True,
        conntrack: bool = True,
        barriers: bool = True,
    ) -> None:
        self.dpid = f"{dpid:016x}"
        self.name = f"fake{dpid}"
        self.flow_mods = 0
        self.read_backs: list[float] = []
        self.errors: list[tuple[int, int]] = []
        self.closed = threading.Event()
        self._place = ("127.0.0.1", port)
        self._number = dpid
        self._version = version
        self._group_types = _ALL_GROUP_TYPES if select_groups else _WITHOUT_SELECT
        self._conntrack = conntrack
        self._barriers = barriers
        self._role = 1, (1 << 64) - 1  # equal to others; no epoch yet
        self._socket = socket.socket()
        self._thread = threading.Thread(target=self._run, name=self.name)

    def __enter__(self) -> Self:
        self._socket.connect(self._place)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Close the connection."""
        if not self.closed.is_set():
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def _run(self) -> None:
        try:
            self._send(HELLO, 1)
            while True:
                _, kind, length, xid = _HEADER.unpack(self._receive(_HEADER.size))
                self._answer(kind, xid, self._receive(length - _HEADER.size))
        except OSError:  # the other side went away, or we left
            pass
        finally:
            self.closed.set()

    def _receive(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            more = self._socket.recv(size - len(found))
            if not more:
                raise ConnectionError
            found += more
        return found

    def _send(self, kind: int, xid: int, body: bytes = b"") -> None:
        header = _HEADER.pack(self._version, kind, _HEADER.size + len(body), xid)
        self._socket.sendall(header + body)

    def _answer(self, kind: int, xid: int, body: bytes) -> None:
        match kind:
            case 1:
                self.errors.append(struct.unpack_from("!HH", body))
            case 2:
                self._send(ECHO_REPLY, xid, body)
            case 5:
                features = struct.pack("!QIBB2xII", self._number, 0, 254, 0, 0, 0)
                self._send(FEATURES_REPLY, xid, features)
            case 14:
                self._flow_mod(xid, body)
            case 18:
                self._multipart(xid, body)
            case 20 if self._barriers:
                self._send(BARRIER_REPLY, xid)
            case 24:
                self._send(ROLE_REPLY, xid, self._role_reply(body))

    def _role_reply(self, body: bytes) -> bytes:
        """It takes every role and epoch, unless the request is only a question."""
        role, epoch = struct.unpack_from("!I4xQ", body)
        if role:
            self._role = role, epoch
        return struct.pack("!I4xQ", *self._role)

    def _flow_mod(self, xid: int, body: bytes) -> None:
        self.flow_mods += 1
        if not self._conntrack and _NICIRA_CT in body:
            header = _HEADER.pack(_VERSION, FLOW_MOD, _HEADER.size + len(body), xid)
            refusal = struct.pack("!HH", _BAD_ACTION, _BAD_EXPERIMENTER_TYPE)
            self._send(ERROR, xid, refusal + (header + body)[:64])

    def _multipart(self, xid: int, body: bytes) -> None:
        (kind,) = struct.unpack_from("!H", body)
        if kind == _FLOWS and not _masks_a_cookie(body):
            self.read_backs.append(time.monotonic())
        answers = {_GROUP_FEATURES: self._group_features(), _PORT_DESCRIPTIONS: self._local_port()}
        head = struct.pack("!HH4x", kind, 0)
        self._send(MULTIPART_REPLY, xid, head + answers.get(kind, b""))

    def _group_features(self) -> bytes:
        limits = [0xFFFF_FF00] * 4
        return struct.pack("!II4I4I", self._group_types, 0, *limits, 0, 0, 0, 0)

    def _local_port(self) -> bytes:
        mac = bytes.fromhex("020000000001")
        name = self.name.encode()
        return struct.pack("!I4x6s2x16s8I", _LOCAL, mac, name, 0, 0, 0, 0, 0, 0, 0, 0)


def _masks_a_cookie(body: bytes) -> bool:
    """Telemetry asks for prewire's flows by their cookie; a read-back asks for all."""
    _, mask = struct.unpack_from("!QQ", body, 8 + 16)
    return bool(mask)
