"""OVSDB over TLS: the OVSDB library's client, told which certificates to use.

Owns: the library's settings for the whole process, and three repairs of its TLS stream: another CA
for the switches' own database; waiting for the server's part of a handshake without spinning; data
that was decrypted already and that poll(2) cannot see.
Must not know: what the connection carries.
"""

from __future__ import annotations

import errno
import logging
import re
import socket
import threading
from pathlib import Path
from typing import Any, ClassVar, Final

import ovs.poller
from ovs.stream import SSLStream, Stream

from nib import tls
from nib.tls import TlsFiles

LOG = logging.getLogger(__name__)

_METHOD: Final = "ssl"
_PROBE_S: Final = 2.0
_ECHO: Final = b'{"method":"echo","params":[],"id":"alive"}'


class TlsStream(SSLStream):  # type: ignore[misc]
    """What the library opens for `ssl:` once `use` was called."""

    files: ClassVar[TlsFiles | None] = None
    switch_remotes: ClassVar[frozenset[str]] = frozenset()
    _opening: ClassVar[threading.Lock] = threading.Lock()
    _complaint: ClassVar[str] = ""
    _is_shaking = False

    @staticmethod
    def _open(suffix: str, dscp: int) -> Any:
        authority = _authority(f"{_METHOD}:{suffix}")
        try:
            _files().client_context(authority)  # the library would not close the socket it made
            with TlsStream._opening:  # the library has one CA for all
                Stream.ssl_set_ca_cert_file(str(authority))
                opened = SSLStream._open(suffix, dscp)
        except OSError as error:  # files that are being replaced; it is tried again
            _complain(f"certificates for {_METHOD}:{suffix}: {tls.reason(error)}")
            return errno.EACCES, None
        TlsStream._complaint = ""
        return opened

    def connect(self) -> int:
        """As the library has it; remembers whether the handshake is what is waited for."""
        error = int(super().connect())
        self._is_shaking = error == errno.EAGAIN and Stream.connect(self) == 0
        return error

    def wait(self, poller: Any, wait: int) -> None:
        """Wait for the server in a handshake; do not wait for what is here already."""
        if self._is_shaking:
            poller.fd_wait(self.socket, ovs.poller.POLLIN)
        elif wait == Stream.W_RECV and self.socket.pending():
            poller.immediate_wake()
        else:
            super().wait(poller, wait)


def use(files: TlsFiles, switch_remotes: str = "") -> None:
    """Have every `ssl:` connection of this process use these files.

    switch_remotes: where switches have their own databases, for which switchca.pem vouches; with
    commas or semicolons between them.
    """
    TlsStream.files = files
    TlsStream.switch_remotes = frozenset(re.split(r"[,;\s]+", switch_remotes))
    Stream.ssl_set_private_key_file(str(files.key))
    Stream.ssl_set_certificate_file(str(files.cert))
    Stream.register_method(_METHOD, TlsStream)


def tool_options(remote: str) -> list[str]:
    """What ovsdb-client and ovs-vsctl need besides this remote."""
    files = TlsStream.files
    if files is None or not remote.startswith(f"{_METHOD}:"):
        return []
    return tls.client_options(files, _authority(remote))


def complaint(remote: str) -> str:
    """Why `ssl:HOST:PORT` cannot be talked to, found out by trying; "" where it can.

    A server's verdict on our certificate arrives only after our own part of the handshake.
    """
    files = TlsStream.files
    if files is None:
        return f"{tls.SETTING} is not set"
    host, _, port = remote.removeprefix(f"{_METHOD}:").rpartition(":")
    if not port.isdecimal():
        return f"it should read {_METHOD}:HOST:PORT"
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), _PROBE_S) as plain,
            files.client_context(_authority(remote)).wrap_socket(plain) as secure,
        ):
            secure.sendall(_ECHO)
            return "" if secure.recv(1) else "it ended the connection"
    except OSError as error:
        return tls.reason(error)


def _complain(text: str) -> None:
    """Once, not with every attempt."""
    if TlsStream._complaint != text:
        TlsStream._complaint = text
        LOG.warning("%s", text)


def _authority(remote: str) -> Path:
    return _files().switch_ca if remote in TlsStream.switch_remotes else _files().ca


def _files() -> TlsFiles:
    assert TlsStream.files is not None, "use() comes before the first connection"  # noqa: S101
    return TlsStream.files
