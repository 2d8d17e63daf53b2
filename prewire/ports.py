"""Is a port free? Asked before processes start, so that the answer is one line."""

from __future__ import annotations

import socket

from prewire.errors import CommandFailed
from prewire.settings import PORTS, Settings


class PortInUse(CommandFailed):
    """Something else listens there; the text names the setting and the remedy."""


def check_free(host: str, port: int, setting: str) -> None:
    """Raise PortInUse where nobody can listen on host:port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUse(
                f"{setting}: cannot listen on {host}:{port} ({error.strerror}); "
                "end what uses it, or choose another port"
            ) from None


def free_port(preferred: int) -> int:
    """The preferred port of the loopback address, or another where that is in use."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PortInUse("no port of 127.0.0.1 is free; end some programs")


def check_ports(settings: Settings, *names: str) -> None:
    """Whether the ports of these settings can be listened on; 0 stands for none.

    Raises PortInUse, which names the setting.
    """
    for name in names:
        port = getattr(settings, name)
        if port:
            check_free(getattr(settings, PORTS[name]), port, name)
