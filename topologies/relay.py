"""Connections handed on from a unix socket to a TCP port, between network namespaces.

A switch in a namespace of its own reaches a controller outside it so.

It knows nothing of OpenFlow.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_CHUNK: Final = 1 << 16


@contextmanager
def relayed(path: Path, host: str, port: int) -> Iterator[None]:
    """Who connects to this socket inside the body speaks with the port, from this namespace.

    Where the port refuses, the connection is closed, so that the other end tries again.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        relay = _Relay(listener, host, port)
        relay.start()
        try:
            yield
        finally:
            relay.stop()
            path.unlink(missing_ok=True)


class _Relay:
    def __init__(self, listener: socket.socket, host: str, port: int) -> None:
        self._listener = listener
        self._target = (host, port)
        self._open: set[socket.socket] = set()
        self._ended = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Nothing is handed on from now."""
        with self._lock:
            self._ended = True
            for end in self._open:
                _shut(end)
        _shut(self._listener)
        self._thread.join(5)

    def _accept(self) -> None:
        with suppress(OSError):  # of the listener, at the end
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(self._target, timeout=5) as far:
            far.settimeout(None)
            with self._lock:
                if self._ended:
                    return
                self._open |= {near, far}
            back = threading.Thread(target=_copy, args=(far, near), daemon=True)
            back.start()
            _copy(near, far)
            back.join()
            with self._lock:
                self._open -= {near, far}


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Until one of the two ends; both then do."""
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    _shut(source)
    _shut(sink)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
