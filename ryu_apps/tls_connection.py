"""One TLS connection that two threads use at once: one that receives, one that sends.

Python's own SSLSocket is not made for that: what OpenSSL says of one call is read after another
thread's call has overwritten it, and a busy connection breaks. Here OpenSSL works in memory,
under a lock that no thread holds while it waits for the network.

Errors are ConnectionError, not SSLError: the frameworks take the latter for a pause and would
receive for ever.

Must not know: who the peer is, what it says.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Final

_PIECE: Final = 1 << 16


class TlsConnection:
    """The server's side, on a connected socket. It has the methods of a socket that are needed."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        self._plain = plain
        self._arrived = ssl.MemoryBIO()
        self._to_send = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._to_send, server_side=True)
        self._working = threading.Lock()  # on the three above
        self._sending = threading.Lock()  # keeps records in order; taken before the other

    def shake_hands(self, seconds: float) -> None:
        """Raises OSError (ssl.SSLError, TimeoutError, ConnectionError): who is there is refused."""
        deadline = time.monotonic() + seconds
        while True:
            self._plain.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
            except ssl.SSLError:
                self._flush()  # the peer is told why
                raise
            else:
                return self._flush()
            if not self._receive():
                raise ConnectionResetError("it ended the connection")

    def recv(self, size: int) -> bytes:
        """Up to that many bytes; b"" at the end. TimeoutError, ConnectionError."""
        while True:
            data = self._read(size)
            if self._to_send.pending:
                self._flush()
            if data is not None:
                return data
            if not self._receive():
                return b""

    def sendall(self, data: bytes) -> None:
        """Send all of it. TimeoutError, ConnectionError; the connection is of no use then."""
        rest = memoryview(data)
        with self._sending:
            with self._working:
                while rest:
                    rest = rest[self._written(rest) :]
                out = self._to_send.read()
            self._plain.sendall(out)

    def settimeout(self, seconds: float | None) -> None:
        """As of a socket."""
        self._plain.settimeout(seconds)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """As of a socket."""
        self._plain.setsockopt(level, option, value)

    def getpeername(self) -> object:
        """As of a socket."""
        return self._plain.getpeername()

    def fileno(self) -> int:
        """As of a socket: -1 once it is closed."""
        return self._plain.fileno()

    def shutdown(self, how: int) -> None:
        """As of a socket; the peer is told that this is the end, unless a send is stuck."""
        if self._sending.acquire(blocking=False):
            try:
                self._plain.sendall(self._goodbye())
            finally:
                self._sending.release()
        self._plain.shutdown(how)

    def close(self) -> None:
        """As of a socket."""
        self._plain.close()

    def _read(self, size: int) -> bytes | None:
        """Decrypted bytes; None: more must arrive first."""
        with self._working:
            try:
                return self._tls.read(size)
            except ssl.SSLWantReadError:
                return None
            except ssl.SSLError as error:
                raise ConnectionAbortedError(f"TLS: {error.reason}") from None

    def _written(self, data: memoryview) -> int:
        try:
            return self._tls.write(data)
        except ssl.SSLError as error:
            raise ConnectionAbortedError(f"TLS: {error.reason}") from None

    def _goodbye(self) -> bytes:
        with self._working:
            with suppress(ssl.SSLError):  # it wants the peer's goodbye too, and need not wait
                self._tls.unwrap()
            return self._to_send.read()

    def _receive(self) -> bool:
        """Wait for bytes from the network; False: there are no more."""
        data = self._plain.recv(_PIECE)
        with self._working:
            if data:
                self._arrived.write(data)
            else:
                self._arrived.write_eof()
        return bool(data)

    def _flush(self) -> None:
        """Send what OpenSSL has to say of its own: a handshake, an alert, new keys."""
        with self._sending:
            with self._working:
                out = self._to_send.read()
            if out:
                self._plain.sendall(out)
