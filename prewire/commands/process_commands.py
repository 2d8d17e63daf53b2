"""Commands that are processes: `up`, `controller`, `api`, `predictor`, `node`, `demo`."""

from __future__ import annotations

import os
import signal
import threading
from typing import Annotated

import typer

from prewire import processes
from prewire.commands import show
from prewire.commands.flags import with_settings
from prewire.ports import check_ports
from prewire.settings import Settings

# Each process imports only what it runs: a controller no FastAPI, a server no os-ken.
# ruff: noqa: PLC0415


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(with_settings(up))
    app.command()(with_settings(controller))
    app.command()(with_settings(api))
    app.command()(with_settings(predictor))
    app.command()(with_settings(node))
    app.command()(demo)


def up(settings: Settings) -> None:
    """Run all of prewire on this machine until interrupted: NIB, controller, REST, predictor, node
    agent."""
    from prewire.host.ovs import obstacle
    from prewire.up import NotUp, page_line, running

    ending = _ending()
    method = "ssl" if settings.tls else "tcp"
    with running(settings) as children:
        show.lines(
            f"prewire is up. REST: {settings.api_url}, described at {settings.api_url}/docs",
            f"Switches connect to {method}:{settings.controller_host}:{settings.controller_port}",
        )
        if settings.metrics_port:
            url = f"http://{settings.metrics_host}:{settings.metrics_port}/metrics"
            show.lines(f"Metrics: {url}")
        show.lines(page_line(settings))
        why = obstacle(settings)
        if why is not None:
            show.lines(f"No node agent, so no health checks: {why}")
        while not ending.is_set():
            ended = processes.wait_any(children, 0.5)
            if ended is not None and not ending.is_set():
                status = ended.process.poll()
                raise NotUp(f"{ended.name} ended with status {status}; its own message says why")


def controller(settings: Settings) -> None:
    """Run a controller until interrupted."""
    ending = _ending()
    check_ports(settings, "controller_port", "metrics_port")
    os.environ.update(settings.environment)
    from ryu_apps import run

    run.run(settings.controller_host, settings.controller_port, ending)
    run.leave(0)


def api(settings: Settings) -> None:
    """Run a REST server until interrupted."""
    from prewire.api import server as rest

    rest.serve(settings)


def predictor(settings: Settings) -> None:
    """Run a predictor until interrupted: learns loads, plans containers and rates, serves gRPC."""
    from prewire import predictor as process

    process.run(settings)


def node(settings: Settings) -> None:
    """Run the agent of a host with switches, as root, until interrupted: health checks, counts."""
    ending = _ending()
    from prewire.host import agent

    agent.run(settings, ending)


def demo(
    containers: Annotated[int, typer.Option(min=2, max=8, help="Resident containers.")] = 3,
) -> None:
    """Show the whole on this machine, as root, with real switches and HTTP; about four minutes."""
    from prewire import demo as show_all

    show_all.run(containers)


def _ending() -> threading.Event:
    """Set by SIGINT or SIGTERM."""
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    return ending
