"""All of prewire in control of a switch on DPDK, for parts that ask only for hosts and REST.

The node agent runs in the switch's network namespace, where its ports are; the others here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.sites.api import Api
from benchmarks.sites.controlled import Controlled
from benchmarks.sites.site import until
from benchmarks.sites.whole import api_of
from nib.server import EmbeddedServer
from prewire import processes, settings
from prewire.api.access import admin
from prewire.ports import free_port
from prewire.processes import Child
from prewire.settings import Settings
from topologies import dpdk
from topologies.dpdk import DpdkNetwork
from topologies.spec import single_switch

_READY_SECONDS: Final = 120.0  # as `prewire up` waits


@dataclass(frozen=True, slots=True)
class DpdkSite(Controlled):
    """The network is on DPDK."""

    net: DpdkNetwork


@contextmanager
def running_dpdk_site(containers: int = 3) -> Iterator[DpdkSite]:
    """Both are up, and the switch's ports known, inside the body.

    Raises NetworkError, where there is no DPDK too, and BenchmarkFailed.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="prewire-bench-")))
        controller_port = free_port(6653)
        targets = [f"tcp:127.0.0.1:{controller_port}"]
        net = stack.enter_context(dpdk.running(single_switch(containers), targets))
        database = stack.enter_context(EmbeddedServer(directory, processes.tied()))
        given = settings.load(
            state_dir=directory,
            nib=database.remote,
            log_level="warning",
            switch_db=net.switch.database,
            api_port=free_port(8686),
            controller_port=controller_port,
            metrics_port=free_port(9686),
        )
        admin.ensured(given.state_dir)  # the token, before anybody reads it
        children: list[Child] = []
        stack.callback(processes.stop, children)
        output = stack.enter_context((directory / "log").open("ab"))
        environment = os.environ | given.environment
        for name in ("controller", "api"):
            children.append(processes.start(name, [name], environment, output))
        children.append(_node(net, given, output.fileno()))
        api = stack.enter_context(closing(api_of(given)))
        until(lambda: _is_ready(net, api), "prewire knows the switch's ports", _READY_SECONDS)
        yield DpdkSite(net, api, [*_database(database), *children])


def _database(server: EmbeddedServer) -> list[Child]:
    return [] if server.process is None else [Child("nib", server.process)]


def _node(net: DpdkNetwork, given: Settings, output: int) -> Child:
    argv = net.switch.command(sys.executable, "-m", "prewire", "node")
    process = subprocess.Popen(
        [*processes.tied(), *argv],
        env=os.environ | given.environment | {"PATH": net.switch.environment["PATH"]},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    return Child("node", process)


def _is_ready(net: DpdkNetwork, api: Api) -> bool:
    try:
        switches = api.call("GET", "/v1/switches")["items"]
    except BenchmarkFailed:
        return False
    wanted = {host.name for host in net.spec.containers}
    return wanted <= {port["iface_id"] for switch in switches for port in switch["ports"]}
