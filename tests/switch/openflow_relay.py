"""A relay between a switch and its controller that notes what the controller sends.

It looks at the headers of messages and changes nothing.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from contextlib import ExitStack, suppress
from typing import Final, Self

_HEADER: Final = struct.Struct("!BBHI")
_COMMAND: Final = struct.Struct("!H")
_KINDS: Final = {14: "flow", 15: "group", 20: "barrier", 29: "meter"}
_METER_COMMANDS: Final = {0: "meter add", 1: "meter modify", 2: "meter delete"}
_CHUNK: Final = 1 << 16


class Relay:
    """Listens from `with` to its end at `port`; the controller is at another of this machine."""

    def __init__(self, controller_port: int) -> None:
        self._controller = ("127.0.0.1", controller_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._sockets = ExitStack()
        self._threads = [threading.Thread(target=self._accept, name="relay", daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            self._sockets.close()
        for thread in self._threads:
            thread.join(5)

    @property
    def port(self) -> int:
        """Where the switch is to connect to."""
        port: int = self._listener.getsockname()[1]
        return port

    def take(self) -> Counter[str]:
        """What the controller has sent since last asked: flow, group, barrier, meter add, ..."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    def _accept(self) -> None:
        while True:
            try:
                switch, _ = self._listener.accept()
            except OSError:
                return  # the end
            controller = socket.create_connection(self._controller, 10)
            controller.settimeout(None)
            with self._lock:
                for each in (switch, controller):
                    self._sockets.callback(_shut, each)
            for source, target, is_noted in (
                (switch, controller, False),
                (controller, switch, True),
            ):
                copy = threading.Thread(
                    target=self._copy, args=(source, target, is_noted), daemon=True
                )
                self._threads.append(copy)
                copy.start()

    def _copy(self, source: socket.socket, target: socket.socket, is_noted: bool) -> None:
        rest = b""
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                if is_noted:
                    rest = self._note(rest + data)
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _note(self, data: bytes) -> bytes:
        """Count the whole messages; what is left of the last."""
        place = 0
        found: Counter[str] = Counter()
        while len(data) - place >= _HEADER.size:
            _, number, length, _ = _HEADER.unpack_from(data, place)
            if len(data) - place < length:
                break
            kind = _KINDS.get(number)
            if kind == "meter":
                (command,) = _COMMAND.unpack_from(data, place + _HEADER.size)
                kind = _METER_COMMANDS[command]
            if kind:
                found[kind] += 1
            place += length
        with self._lock:
            self._counts += found
        return data[place:]


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
