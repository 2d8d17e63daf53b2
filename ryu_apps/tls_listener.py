"""Listens for switches by TLS, in the place of the framework's own listener.

Owns: the listening socket, the handshake with each switch, and the line that says who was refused.
One implementation for os-ken and classic Ryu: with their own, a peer that is silent in the
handshake holds a thread for ever, and every refused one costs a traceback.

Must not know: OpenFlow, settings.
"""

from __future__ import annotations

import importlib
import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any, Final

from nib.tls import TlsFiles, reason
from ryu_apps import framework
from ryu_apps.tls_connection import TlsConnection

LOG = logging.getLogger(__name__)

_HANDSHAKE_S: Final = 5.0
_BREATH_S: Final = 0.1
_REMEMBERED: Final = 1000

Serve = Callable[[Any, Any], object]


def install(files: TlsFiles) -> None:
    """Have the framework's OpenFlow server speak TLS only, on whichever port it is told to use.

    Comes before the framework's apps are made. Switches must show a certificate that switchca.pem
    vouches for.
    """
    module = importlib.import_module(f"{framework.NAME}.controller.controller")
    hub = importlib.import_module(f"{framework.NAME}.lib.hub")
    context = files.server_context(files.switch_ca)

    def server_loop(_controller: object, tcp_port: int | None, ssl_port: int | None) -> None:
        door = _Door(context, module.datapath_connection_factory)
        with _listening(module.CONF.ofp_listen_host, tcp_port or ssl_port or 0) as listener:
            while True:
                accepted = _accepted(listener)
                if accepted is not None:
                    hub.spawn(door.admit, *accepted)

    module.OpenFlowController.server_loop = server_loop


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


def _accepted(listener: socket.socket) -> tuple[socket.socket, Any] | None:
    """The next connection; None where it is gone again, or no descriptor is free for it."""
    try:
        return listener.accept()
    except OSError as error:
        LOG.warning("cannot accept a switch: %s", error.strerror)
        time.sleep(_BREATH_S)
        return None


class _Door:
    """Lets in who has the right certificate."""

    def __init__(self, context: ssl.SSLContext, serve: Serve) -> None:
        self._context = context
        self._serve = serve
        self._refused: dict[str, str] = {}  # why, by host

    def admit(self, plain: socket.socket, address: Any) -> None:
        """Shake hands, and serve the switch to its end."""
        connection = TlsConnection(plain, self._context)
        try:
            connection.shake_hands(_HANDSHAKE_S)
        except OSError as error:
            connection.close()
            self._complain(address[0], reason(error))
            return
        self._refused.pop(address[0], None)
        self._serve(connection, address)

    def _complain(self, host: str, why: str) -> None:
        """One line for a host that tries again and again."""
        if self._refused.get(host) == why:
            return
        if len(self._refused) >= _REMEMBERED:
            self._refused.clear()
        self._refused[host] = why
        LOG.warning("refused the switch at %s: %s", host, why)
