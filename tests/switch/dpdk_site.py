"""prewire in control of a switch on DPDK: what `prewire up` starts, each where it has to be.

The node agent runs in the switch's network namespace, where its ports are; the others here.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from nib.server import EmbeddedServer
from prewire import processes
from prewire.processes import Child
from prewire.settings import Settings, load
from tests import commands
from tests.acceptance.deployment import STATS_SECONDS, Deployment
from tests.acceptance.site import Site
from tests.dpdk import dpdk_network
from tests.places import free_ports, short_directory
from tests.waiting import until
from topologies.dpdk import DpdkNetwork
from topologies.spec import single_switch


@dataclass(frozen=True, slots=True)
class DpdkSite(Site):
    """As on Mininet, but for the tools of the private Open vSwitch."""

    net: DpdkNetwork

    def ofctl(self, *arguments: str) -> str:
        """Run ovs-ofctl on the bridge."""
        command, *rest = arguments
        return self.net.switch.ofctl(command, self.bridge, *rest)

    def conntrack(self) -> list[str]:
        """What the switch's conntrack holds."""
        return self.net.switch.appctl("dpctl/dump-conntrack").splitlines()

    def forget_connections(self) -> None:
        """Have the switch's conntrack hold nothing."""
        self.net.switch.appctl("dpctl/flush-conntrack")


@contextmanager
def dpdk_site(containers: int) -> Iterator[DpdkSite]:
    """One switch on DPDK, with its ports known and acknowledged."""
    ports = free_ports()
    target = f"tcp:127.0.0.1:{ports['controller_port']}"
    spec = single_switch(containers)
    with ExitStack() as stack:
        directory = stack.enter_context(short_directory())
        net = stack.enter_context(dpdk_network(spec, [target]))
        database = stack.enter_context(EmbeddedServer(directory, processes.tied()))
        settings = load(
            state_dir=directory,
            nib=database.remote,
            switch_db=net.switch.database,
            stats_seconds=STATS_SECONDS,
            **ports,
        )
        log = directory / "prewire.log"
        children: list[Child] = []
        stack.callback(processes.stop, children)
        deployment = Deployment("os-ken", settings, log, children)
        stack.callback(deployment.close)
        _start(net, settings, log, children)
        until(lambda: _answers(deployment), bool, f"REST answers; see {log}", 60)
        deployment.await_switch(ports=len(spec.hosts), timeout_s=40)
        yield DpdkSite(net, deployment)
        assert "Traceback" not in log.read_text(), log.read_text()


def _start(net: DpdkNetwork, settings: Settings, log: Path, children: list[Child]) -> None:
    environment = commands.environment(settings.environment)
    with log.open("ab") as output:
        for name in ("controller", "api"):
            children.append(processes.start(name, [name], environment, output))
        inside = net.switch.command(sys.executable, "-m", "prewire", "node")
        node = subprocess.Popen(
            [*processes.tied(), *inside],
            env={**environment, "PATH": net.switch.environment["PATH"]},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        children.append(Child("node", node))


def _answers(deployment: Deployment) -> bool:
    try:
        return bool(deployment.status()["switches"])
    except httpx.TransportError:
        return False
