"""All of prewire on one machine: the embedded NIB, a controller, the REST server, a predictor, a
node agent.

The agent only where there is Open vSwitch and we are root. Ready means: the REST server answers and
the controller leads. A child that ends of itself ends the whole, so that a service manager can
start it anew.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

import httpx

from nib.server import EmbeddedServer
from prewire import processes
from prewire.api.access import admin
from prewire.api.access.listening import check_listening
from prewire.commands.client import authority
from prewire.errors import CommandFailed
from prewire.host.ovs import obstacle
from prewire.ports import check_ports
from prewire.processes import Child
from prewire.settings import PORTS, Settings

_READY_SECONDS: Final = 120.0
_PACE_SECONDS: Final = 0.05
_NAME: Final = "PREWIRE_CONTROLLER_NAME"
_PORTS: Final = ("controller_port", "api_port", "metrics_port")  # without a predictor


class NotUp(CommandFailed):
    """A process did not start, or ended."""


@contextmanager
def running(settings: Settings, log: Path | None = None) -> Iterator[list[Child]]:
    """All processes, ready. log: a file for what they print; by default they print where we do.

    Raises NotUp, PortInUse, SettingsError, NibError with one line each.
    """
    check_listening(settings)
    check_ports(settings, *(PORTS if settings.predictor_port else _PORTS))
    with ExitStack() as stack:
        watched = []
        if not settings.nib:
            server = stack.enter_context(EmbeddedServer(settings.state_dir, processes.tied()))
            assert server.process is not None  # noqa: S101 - it was just started
            watched.append(Child("nib", server.process))
        output = stack.enter_context(log.open("ab")) if log else None
        children: list[Child] = []
        stack.callback(processes.stop, children)
        _start(settings, output, children)
        yield [*watched, *children]


def page_line(settings: Settings) -> str:
    """Where the page is; on a terminal with the operator's token, which no log is to have."""
    if settings.access == "open":
        return f"Web page: {settings.api_url}/ (access is open to all who reach it)"
    if sys.stdout.isatty():
        return f"Web page: {settings.api_url}/#token={admin.ensured(settings.state_dir)}"
    return f"Web page: {settings.api_url}/ with the token in {settings.state_dir / admin.FILE}"


def _start(settings: Settings, output: IO[bytes] | None, children: list[Child]) -> None:
    leader = f"{os.environ.get(_NAME, socket.gethostname())}:{os.getpid()}"
    environment = os.environ | settings.environment | {_NAME: leader}
    names = ["controller", "api"]
    if settings.predictor_port:
        names.append("predictor")
    if obstacle(settings) is None:
        names.append("node")
    for name in names:
        children.append(processes.start(name, [name], environment, output))
    deadline = time.monotonic() + _READY_SECONDS
    with _asking(settings) as client:
        while not _is_ready(client, leader, shared=bool(settings.nib)):
            ended = processes.wait_any(children, _PACE_SECONDS)
            if ended is not None:
                raise NotUp(f"{ended.name} ended at once; its own message says why")
            if time.monotonic() > deadline:
                raise NotUp(f"not ready after {_READY_SECONDS:g} s; the log says why")


def _asking(settings: Settings) -> httpx.Client:
    """Who asks the REST server; OSError or FieldError where its operator's token cannot be had."""
    headers = {}
    if settings.access == "tokens":
        headers["Authorization"] = f"Bearer {admin.ensured(settings.state_dir)}"
    trusted = authority(settings.tls_files)
    return httpx.Client(base_url=settings.api_url, timeout=2, verify=trusted, headers=headers)


def _is_ready(client: httpx.Client, leader: str, *, shared: bool) -> bool:
    """Whether REST answers and the controller of this name leads.

    shared: other controllers may work on this database, and one of them lead.
    """
    try:
        status = client.get("/v1/status")
    except httpx.TransportError:
        return False
    if not status.is_success:
        return False
    leads = status.json()["leader"]
    return bool(leads) if shared else leads == leader
