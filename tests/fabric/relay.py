"""A TCP relay that can hold back what passes it: a switch's connection that became slow."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue


class Relay:
    """Listens on `port` and passes everything to another port of the loopback address.

    listening: where, which is closed with it; by default a port of the loopback address, too.
    """

    def __init__(self, to: int, listening: socket.socket | None = None) -> None:
        self.delay_s = 0.0
        self._to = to
        self._listening = listening or socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End it and all connections."""
        for each in (self._listening, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                switch, _ = self._listening.accept()
                controller = socket.create_connection(("127.0.0.1", self._to))
                self._open += [switch, controller]
                for here, there in ((switch, controller), (controller, switch)):
                    pieces: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
                    for work in (self._read, self._write):
                        threading.Thread(target=work, args=(here, there, pieces)).start()

    def _read(
        self, here: socket.socket, _: socket.socket, pieces: SimpleQueue[tuple[float, bytes]]
    ) -> None:
        piece = b"-"
        with suppress(OSError):
            while piece:
                piece = here.recv(1 << 16)
                pieces.put((time.monotonic() + self.delay_s, piece))
        pieces.put((0.0, b""))

    def _write(
        self, _: socket.socket, there: socket.socket, pieces: SimpleQueue[tuple[float, bytes]]
    ) -> None:
        with suppress(OSError):
            while True:
                at, piece = pieces.get()
                if not piece:
                    break
                time.sleep(max(0.0, at - time.monotonic()))
                there.sendall(piece)
        with suppress(OSError):
            there.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(to: int, listening: socket.socket | None = None) -> Iterator[Relay]:
    """One that ends with the body."""
    made = Relay(to, listening)
    try:
        yield made
    finally:
        made.close()
