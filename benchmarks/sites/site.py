"""A Mininet network with all of prewire in control of its one switch.

Owns starting both and removing both, and the few calls that every part makes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from benchmarks.errors import BenchmarkFailed
from benchmarks.sites.controlled import Controlled
from benchmarks.sites.whole import running_prewire
from prewire.processes import Child, start
from prewire.settings import Settings
from topologies.mininet_net import RunningNetwork, running
from topologies.openvswitch import ensure_running
from topologies.spec import single_switch

_READY_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Site(Controlled):
    """The network, and prewire's REST server, processes, OpenFlow target and settings."""

    net: RunningNetwork
    children: list[Child]
    target: str
    settings: Settings

    def metrics(self) -> str:
        """The controller's page of metrics."""
        given = self.settings
        url = f"http://{given.metrics_host}:{given.metrics_port}/metrics"
        page = httpx.get(url, timeout=_READY_SECONDS)
        return page.raise_for_status().text

    def restart_controller(self) -> None:
        """Kill the controller and start another; returns when it leads."""
        index = next(n for n, child in enumerate(self.children) if child.name == "controller")
        self.children[index].process.kill()
        self.children[index].process.wait()
        environment = os.environ | self.settings.environment
        with (self.settings.state_dir / "log").open("ab") as log:
            self.children[index] = start("controller", ["controller"], environment, log)
        ending = f":{self.children[index].process.pid}"

        def leads() -> bool:
            return str(self.api.call("GET", "/v1/status")["leader"]).endswith(ending)

        until(leads, "the new controller leads", _READY_SECONDS)


@contextmanager
def running_site(containers: int = 3, stats_seconds: float = 5.0) -> Iterator[Site]:
    """Both are up, and the switch's ports known, inside the body. There is no predictor.

    Raises NetworkError, CommandFailed or NibError where something does not start. Where the body
    ends by another error, the end of prewire's log goes to standard error.
    """
    spec = single_switch(containers)
    with (
        ensure_running(),
        running_prewire(stats_seconds=stats_seconds) as whole,
        running(spec, [whole.target]) as net,
    ):
        site = Site(net, whole.api, whole.children, whole.target, whole.settings)
        try:
            _await_ports(site)
            yield site
        finally:
            site.resume()


def until(holds: Callable[[], bool], what: str, timeout_s: float, pause_s: float = 0.05) -> None:
    """Return when it holds; BenchmarkFailed when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise BenchmarkFailed(f"{what}: not within {timeout_s:g} s")
        time.sleep(pause_s)


def _await_ports(site: Site) -> None:
    wanted = {host.name for host in site.net.spec.containers}

    def known() -> bool:
        switches = site.api.call("GET", "/v1/switches")["items"]
        return wanted <= {port["iface_id"] for switch in switches for port in switch["ports"]}

    until(known, "the switch's ports are known", _READY_SECONDS)
