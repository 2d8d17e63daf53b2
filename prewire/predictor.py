"""The predictor's process: `predictor.running` with this machine's settings.

Owns: what the room may not know: settings, the admission of plans by links, signals.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, start_http_server

from nib.database import Nib
from predictor.outward.cloudevents import sink_of
from predictor.running import service
from predictor.running.measures import PredictorMeasures
from prewire.errors import CommandFailed
from prewire.ports import check_ports
from prewire.settings import Settings
from ryu_apps.rating import admit

LOG = logging.getLogger(__name__)

_ANY: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - it is compared, not listened on


class NoCluster(CommandFailed):
    """The Dask cluster cannot be used; the text says why."""


def run(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM. PortInUse, NoCluster, NibError where it cannot begin."""
    check_ports(settings, "predictor_port", "predictor_metrics_port")
    registry = CollectorRegistry()
    measures = PredictorMeasures(registry)
    with ExitStack() as stack:
        nib = stack.enter_context(Nib(settings.nib_remote, "predictor"))
        given = _given(settings, _pool(settings, stack))
        if settings.predictor_metrics_port:
            server, _ = start_http_server(
                settings.predictor_metrics_port, settings.predictor_host, registry
            )
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
        asyncio.run(_until_told(nib, given, measures))


async def _until_told(nib: Nib, given: service.Given, measures: PredictorMeasures) -> None:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.set)
    LOG.info("predictor %s: gRPC on %s", given.name, given.listen)
    await service.run(nib, given, measures, ending)


def _given(settings: Settings, pool: Any) -> service.Given:
    host = _reached(settings.predictor_host)
    metrics_port = settings.predictor_metrics_port
    commands = settings.container_commands
    return service.Given(
        name=settings.predictor_name or f"{socket.gethostname()}:{os.getpid()}",
        listen=f"{_bracketed(settings.predictor_host)}:{settings.predictor_port}",
        address=f"{_bracketed(host)}:{settings.predictor_port}",
        metrics=f"http://{_bracketed(host)}:{metrics_port}/metrics" if metrics_port else "",
        tls=settings.tls_files,
        scrape_urls=settings.scrape_urls,
        prometheus=settings.prometheus,
        history=_history(settings),
        history_days=settings.history_days,
        tick_s=settings.predictor_tick_ms / 1000,
        counters_s=settings.stats_seconds,
        refit_s=settings.refit_minutes * 60,
        pool=pool,
        sink=settings.events_sink or sink_of(os.environ) or "",
        commands=Path(commands) if commands else None,
        admit=admit,
    )


def _history(settings: Settings) -> Path:
    """Of a predictor with a name its own, so that several on one machine have one each."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    name = settings.predictor_name
    return settings.state_dir / (f"history-{name}.sqlite" if name else "history.sqlite")


def _reached(host: str) -> str:
    """How others reach what listens there."""
    return socket.gethostname() if host in _ANY else host


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _pool(settings: Settings, stack: ExitStack) -> Any:
    """Where refits run: None = on this machine."""
    if not settings.dask:
        return None
    try:
        from distributed import Client  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        raise NoCluster("dask: not installed; pip install 'prewire[cluster]'") from None
    try:
        return stack.enter_context(Client(settings.dask, timeout="10s"))
    except OSError as error:
        raise NoCluster(
            f"dask: {settings.dask} does not answer: {error}; start a scheduler there, or correct "
            "PREWIRE_DASK"
        ) from None
