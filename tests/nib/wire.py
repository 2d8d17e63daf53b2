"""A wire between clients and a server that can be cut while something is under way on it."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PIECE: Final = 1 << 16


class Wire:
    """Listens on the unix socket `path` and carries bytes to and from the one at `server`.

    After `lose_requests` or `lose_answers` the next bytes in that direction are lost, and with them
    every connection; connections made after that work again.
    """

    def __init__(self, path: Path, server: Path) -> None:
        self.remote = f"unix:{path}"
        self.cuts = 0
        self._server = server
        self._losing: str | None = None
        self._free = threading.Event()
        self._free.set()
        self._peers: dict[socket.socket, tuple[socket.socket, str]] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._bell, self._rope = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for each in (self._listener, self._bell):
            self._selector.register(each, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Wire:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._rope.close()
        self._thread.join()

    def lose_requests(self) -> None:
        """What a client sends next does not arrive."""
        self._losing = "requests"

    def lose_answers(self) -> None:
        """What the server says next does not arrive; it has done what it was asked for by then."""
        self._losing = "answers"

    @contextmanager
    def held(self) -> Iterator[None]:
        """No new connection gets through while the block lasts."""
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                if source is self._bell:
                    self._cut()
                    self._listener.close()
                    self._bell.close()
                    return
                if source is self._listener:
                    self._connect()
                elif source in self._peers:
                    self._carry(source)

    def _connect(self) -> None:
        client, _ = self._listener.accept()
        self._free.wait()
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._server))
        for source, target, what in ((client, server, "requests"), (server, client, "answers")):
            self._peers[source] = (target, what)
            self._selector.register(source, selectors.EVENT_READ)

    def _carry(self, source: socket.socket) -> None:
        target, what = self._peers[source]
        try:
            piece = source.recv(_PIECE)
            if piece and what != self._losing:
                target.sendall(piece)
                return
        except OSError:
            piece = b""
        if piece:
            self._losing = None
            self.cuts += 1
        self._cut()

    def _cut(self) -> None:
        for each in self._peers:
            self._selector.unregister(each)
            each.close()
        self._peers.clear()
