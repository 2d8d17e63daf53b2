"""Many simulated switches: the switch's side of OpenFlow 1.3, which remembers and counts.

Each has a connection of its own to a real controller and answers what it asks: features, ports,
roles, barriers, and everything it was told to hold, flow for flow as it was told. Counters are
zero, for no packet ever comes. What is asked beside that is answered with an error.

Must not know: what the rules mean. Layouts: OpenFlow 1.3.5, section 7.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

HEADER: Final = struct.Struct("!BBHI")
_FLOW_MOD: Final = struct.Struct("!QQBBHHHIIIH2x")
_FLOW_ENTRY: Final = struct.Struct("!HBxIIHHHH4xQQQ")
_FLOW_FILTER: Final = struct.Struct("!B3xII4xQQ")
_PORT: Final = struct.Struct("!I4x6s2x16s8I")
_MULTIPART: Final = struct.Struct("!HH4x")
_VERSION: Final = 4
_READ_BYTES: Final = 1 << 18
_PIECE: Final = 60_000  # bytes of one multipart reply
_ALL_TABLES: Final = 0xFF
_ALL: Final = 0xFFFF_FFFF
_LOCAL: Final = 0xFFFF_FFFE
_SAME, _EQUAL, _MASTER = 0, 1, 2  # roles; the first is no role, but asks which one has

KINDS: Final = {
    2: "echo", 5: "features", 9: "set-config", 13: "packet-out", 14: "flow-mod", 15: "group-mod",
    18: "multipart", 20: "barrier", 24: "role", 29: "meter-mod",
}  # fmt: skip


class SimulatedSwitch:
    """One switch. ports: how many it has beside its own.

    counts: messages received, by kind; received, answered: bytes of all of them.
    """

    def __init__(self, number: int, ports: int) -> None:
        self.dpid = f"{number:016x}"
        self.name = f"sim{number}"
        self.counts: Counter[str] = Counter()
        self.received = self.answered = 0
        self._number = number
        self._ports = ports
        self._role_now = _EQUAL
        self._generation = (1 << 64) - 1
        self._flows: dict[tuple[int, int, bytes], tuple[int, int, int, bytes]] = {}
        self._groups: dict[int, tuple[int, bytes]] = {}
        self._meters: dict[int, tuple[int, bytes]] = {}
        self._input = b""
        self._keepers = {14: self._flow_mod, 15: self._group_mod, 29: self._meter_mod}
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            2: lambda xid, body: _message(3, xid, body),
            5: self._features,
            7: lambda xid, _: _message(8, xid, struct.pack("!HH", 0, 0xFFFF)),
            18: lambda xid, body: b"".join(self._multipart(xid, body)),
            20: lambda xid, _: _message(21, xid),
            24: self._role,
        }
        self._told: dict[int, Callable[[bytes], Iterable[bytes]]] = {
            0: lambda _: [struct.pack("256s256s256s32s256s", b"prewire", b"", b"", b"", b"")],
            1: self._flow_entries,
            4: _nothing,  # of ports, queues and meters nothing was counted
            5: _nothing,
            6: self._group_counts,
            7: self._group_descriptions,
            8: lambda _: [struct.pack("!II4I4I", 0b1111, 0b1111, *[_ALL] * 4, *[0] * 4)],
            9: _nothing,
            10: self._meter_configurations,
            11: lambda _: [struct.pack("!IIIBB2x", 1 << 16, 0b11, 0b1111, 1, 0)],
            13: self._port_descriptions,
        }

    @property
    def held(self) -> tuple[int, int]:
        """How many flows and groups it holds."""
        return len(self._flows), len(self._groups)

    def mac(self, port: int) -> bytes:
        """Of one of its ports."""
        return struct.pack("!BBHH", 0x02, 0x05, self._number, port)

    def taken(self, data: bytes) -> bytes:
        """Take what came: the answers."""
        self.received += len(data)
        self._input += data
        answers, at = [], 0
        while at + HEADER.size <= len(self._input):
            _, kind, length, xid = HEADER.unpack_from(self._input, at)
            if at + length > len(self._input):
                break
            answers.append(self._answered(kind, xid, self._input[at + HEADER.size : at + length]))
            at += length
        self._input = self._input[at:]
        answer = b"".join(answers)
        self.answered += len(answer)
        return answer

    def _answered(self, kind: int, xid: int, body: bytes) -> bytes:
        self.counts[KINDS.get(kind, f"type {kind}")] += 1
        if kind in self._keepers:
            self._keepers[kind](body)
        elif kind in self._answers:
            return self._answers[kind](xid, body)
        return b""

    def _features(self, xid: int, _: bytes) -> bytes:
        return _message(6, xid, struct.pack("!QIBB2xII", self._number, 0, 254, 0, 0x4F, 0))

    def _role(self, xid: int, body: bytes) -> bytes:
        role, generation = struct.unpack("!I4xQ", body)
        if role != _SAME:
            self._role_now = role
        if role >= _MASTER:
            self._generation = generation
        return _message(25, xid, struct.pack("!I4xQ", self._role_now, self._generation))

    def _flow_mod(self, body: bytes) -> None:
        cookie, _, table, command, idle, _, priority, *_ = _FLOW_MOD.unpack_from(body)
        length = struct.unpack_from("!H", body, _FLOW_MOD.size + 2)[0]
        end = _FLOW_MOD.size + (length + 7) // 8 * 8
        key = (table, priority, body[_FLOW_MOD.size : end])
        if command in (3, 4):
            self._flows.pop(key, None)
        else:
            flags = _FLOW_MOD.unpack_from(body)[10]
            self._flows[key] = (cookie, idle, flags, body[end:])

    def _group_mod(self, body: bytes) -> None:
        command, kind, number = struct.unpack_from("!HBxI", body)
        if command == 2:
            self._groups.pop(number, None)
        else:
            self._groups[number] = (kind, body[8:])

    def _meter_mod(self, body: bytes) -> None:
        command, flags, number = struct.unpack_from("!HHI", body)
        if command == 2:
            self._meters.pop(number, None)
        else:
            self._meters[number] = (flags, body[8:])

    def _multipart(self, xid: int, body: bytes) -> Iterator[bytes]:
        kind, _ = _MULTIPART.unpack_from(body)
        if kind not in self._told:
            yield _message(1, xid, struct.pack("!HH", 1, 2))  # bad request, bad multipart
            return
        waiting: list[bytes] = []
        size = 0
        for entry in self._told[kind](body[_MULTIPART.size :]):
            if size + len(entry) > _PIECE:
                yield _reply(xid, kind, waiting, is_more=True)
                waiting, size = [], 0
            waiting.append(entry)
            size += len(entry)
        yield _reply(xid, kind, waiting, is_more=False)

    def _group_descriptions(self, _: bytes) -> Iterator[bytes]:
        for number, (kind, buckets) in self._groups.items():
            yield struct.pack("!HBxI", 8 + len(buckets), kind, number) + buckets

    def _meter_configurations(self, _: bytes) -> Iterator[bytes]:
        for number, (flags, bands) in self._meters.items():
            yield struct.pack("!HHI", 8 + len(bands), flags, number) + bands

    def _port_descriptions(self, _: bytes) -> Iterator[bytes]:
        ports = [(_LOCAL, self.name), *((n, f"p{n}") for n in range(1, self._ports + 1))]
        for number, name in ports:
            mac = self.mac(number & 0xFFFF)
            yield _PORT.pack(number, mac, name.encode(), 0, 0, *[0] * 6)

    def _flow_entries(self, asked: bytes) -> Iterator[bytes]:
        table, _, _, cookie, mask = _FLOW_FILTER.unpack_from(asked)
        for (of_table, priority, on), (own, idle, flags, then) in self._flows.items():
            if table in (_ALL_TABLES, of_table) and (own ^ cookie) & mask == 0:
                size = _FLOW_ENTRY.size + len(on) + len(then)
                yield (
                    _FLOW_ENTRY.pack(size, of_table, 0, 0, priority, idle, 0, flags, own, 0, 0)
                    + on
                    + then
                )

    def _group_counts(self, asked: bytes) -> Iterator[bytes]:
        (wanted,) = struct.unpack_from("!I", asked)
        for number, (_, buckets) in self._groups.items():
            if wanted in (number, 0xFFFF_FFFC):
                count = _bucket_count(buckets)
                head = struct.pack("!H2xII4xQQII", 40 + 16 * count, number, 0, 0, 0, 0, 0)
                yield head + bytes(16 * count)


def _nothing(_: bytes) -> tuple[bytes, ...]:
    return ()


def _bucket_count(buckets: bytes) -> int:
    count = at = 0
    while at < len(buckets):
        at += struct.unpack_from("!H", buckets, at)[0]
        count += 1
    return count


def _message(kind: int, xid: int, body: bytes = b"") -> bytes:
    return HEADER.pack(_VERSION, kind, HEADER.size + len(body), xid) + body


def _reply(xid: int, kind: int, entries: list[bytes], *, is_more: bool) -> bytes:
    return _message(19, xid, _MULTIPART.pack(kind, is_more) + b"".join(entries))


@contextmanager
def connected(switches: Iterable[SimulatedSwitch], port: int) -> Iterator[None]:
    """The switches are connected to the controller on this machine's port inside the body, all in
    one thread. OSError where it does not listen."""
    ended, bell = os.pipe()
    with selectors.DefaultSelector() as selector:
        selector.register(ended, selectors.EVENT_READ)
        for switch in switches:
            peer = socket.create_connection(("127.0.0.1", port))
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(_message(0, 1))
            selector.register(peer, selectors.EVENT_READ, (peer, switch))
        thread = threading.Thread(target=_serve, args=(selector,), name="switches")
        thread.start()
        try:
            yield
        finally:
            os.write(bell, b"end")
            thread.join()
            for key in list(selector.get_map().values()):
                if key.data is not None:
                    key.data[0].close()
            os.close(ended)
            os.close(bell)


def _serve(selector: selectors.BaseSelector) -> None:
    """Answer until the bell rings; a controller that is gone is not asked again."""
    while True:
        for key, _ in selector.select():
            if key.data is None:
                return
            peer, switch = key.data
            data = peer.recv(_READ_BYTES)
            if data:
                peer.sendall(switch.taken(data))
            else:
                selector.unregister(peer)
                peer.close()
