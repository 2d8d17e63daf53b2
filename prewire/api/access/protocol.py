"""HTTP/1.1 as uvicorn speaks it, for clients that are slow, silent or known by a certificate.

Owns: how long a request may take to arrive and an answer to be taken, how long its head may be, and
the client's certificate in the scope, where the TLS extension of ASGI has it.
Must not know: who a certificate is of, what is asked for.

A client that closes its side of the connection is gone, also while its answer is made (h11 and
proxies do likewise).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LOG = logging.getLogger(__name__)

ARRIVAL_SECONDS: Final = 30.0
STALL_SECONDS: Final = 30.0
MAX_HEAD: Final = 64 * 2**10
_REFUSED_HEAD: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    arrival_s = ARRIVAL_SECONDS
    stall_s = STALL_SECONDS

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._arrival: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._extensions: dict[str, Any] = {}
        self._is_arriving = True
        self._has_body = False
        self._head_bytes = 0  # that came since a request began, or since its body did last

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first request has to come."""
        super().connection_made(transport)
        self._arm_arrival()
        tls = transport.get_extra_info("ssl_object")
        name = None if tls is None else common_name(tls.getpeercert())
        if name is not None:
            self._extensions = {"tls": {"client_cert_name": name}}

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._disarm_arrival()
        self._disarm_stall()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A head that does not end is refused; so are trailers after a body in chunks."""
        self._has_body = False
        super().data_received(data)
        if self._is_arriving:
            self._head_bytes = 0 if self._has_body else self._head_bytes + len(data)
            if self._head_bytes > MAX_HEAD and not self.transport.is_closing():
                self._tell("its request's head has more than %d bytes", MAX_HEAD)
                if self.cycle is None or self.cycle.response_complete:
                    self.transport.write(_REFUSED_HEAD)
                self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins to arrive."""
        super().on_message_begin()
        self._is_arriving, self._head_bytes = True, 0
        if self._arrival is None:
            self._arm_arrival()
        if self._extensions:
            self.scope["extensions"] = self._extensions

    def on_body(self, body: bytes) -> None:
        """A part of its body is there."""
        self._has_body = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._is_arriving = False
        self._disarm_arrival()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client does not take what it is sent."""
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(self.stall_s, self._stalled)

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self._disarm_stall()

    def _arm_arrival(self) -> None:
        self._arrival = self.loop.call_later(self.arrival_s, self._late)

    def _disarm_arrival(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _disarm_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _late(self) -> None:
        """The time for a request to arrive is over, unless it is we who do not read."""
        self._arrival = None
        if self.flow.read_paused:
            self._arm_arrival()
            return
        self._tell("no whole request came within %g s", self.arrival_s)
        self.transport.abort()

    def _stalled(self) -> None:
        self._stall = None
        self._tell("it took nothing of its answer for %g s", self.stall_s)
        self.transport.abort()

    def _tell(self, why: str, figure: float) -> None:
        client = self.client[0] if self.client else "unknown"
        LOG.info(f"a connection is closed: {why}", figure, extra={"client": client})


def common_name(certificate: Any) -> str | None:
    """The subject's common name, of a certificate as `ssl.SSLSocket.getpeercert` gives it.

    None without a certificate, or where it has none or several.
    """
    subject = certificate.get("subject", ()) if certificate else ()
    names = [value for part in subject for key, value in part if key == "commonName"]
    return names[0] if len(names) == 1 and names[0].isprintable() else None
