"""A Mininet network with all of prewire in control of its one switch.

Owns starting both and removing both, and the few calls that every part makes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.api import Api
from benchmarks.counters import processor_seconds
from benchmarks.errors import BenchmarkFailed
from prewire import settings, up
from prewire.commands.credentials import token_for
from prewire.ports import free_port
from prewire.processes import Child, start
from prewire.settings import Settings
from topologies.mininet_net import RunningNetwork, running
from topologies.openvswitch import ensure_running
from topologies.spec import interface_name, single_switch

VIP: Final = "10.0.0.100"
SERVICE: Final = "/v1/services/web"
_READY_SECONDS: Final = 30.0
_LOG_SHOWN: Final = 3000  # characters


@dataclass(frozen=True, slots=True)
class Site:
    """The network, and prewire's REST server, OpenFlow target and processes."""

    net: RunningNetwork
    api: Api
    api_port: int
    target: str
    children: list[Child]
    settings: Settings

    @property
    def processes(self) -> list[subprocess.Popen[bytes]]:
        """All of prewire's."""
        return [child.process for child in self.children]

    @property
    def bridge(self) -> str:
        """The one switch."""
        return self.net.spec.switches[0].bridge

    def set_service(self, **fields: Any) -> None:
        """The service `web` on port 80 of the VIP, applied."""
        body = {"vip": VIP, "port": 80, **fields}
        self.api.call("PUT", f"{SERVICE}?wait=applied", body)

    def set_container(self, name: str, port: int | None = None, **fields: Any) -> None:
        """Register a container by its switch port's iface-id, applied. port: nginx by default."""
        host = self.net.spec.host(name)
        body = {"address": host.address, "port": port or host.http_port, "iface_id": name, **fields}
        self.api.call("PUT", f"{SERVICE}/containers/{name}?wait=applied", body)

    def add_web(self) -> None:
        """The service, with every container of the network behind it."""
        self.set_service()
        for host in self.net.spec.containers:
            self.set_container(host.name)

    def talk_from(self, source: str, to: str) -> None:
        """The client host talks to this address from a source address of its own.

        Two ways from one client address and port to one container collide there: until TIME_WAIT
        is over the container takes the second for an old packet of the first (RFC 7323, PAWS).
        """
        device = interface_name(self.net.spec.client.name, 0)
        for command in (
            ["ip", "address", "add", f"{source}/32", "dev", device],
            ["ip", "route", "add", f"{to}/32", "dev", device, "src", source],
        ):
            done = self.net.run("client", command)
            if done.returncode:
                raise BenchmarkFailed(f"{' '.join(command)}: {done.stderr.strip()}")

    def prewire_seconds(self) -> float:
        """Processor time that prewire's processes have taken."""
        return sum(processor_seconds(process.pid) for process in self.processes)

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

    def pause(self) -> None:
        """Give prewire no processor time, so that what is measured without it pays none."""
        for process in self.processes:
            process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`; harmless without it."""
        for process in self.processes:
            process.send_signal(signal.SIGCONT)

    def check_answer(self, url: str, host: str = "client") -> None:
        """BenchmarkFailed unless a web server answers."""
        done = self.net.run(host, ["curl", "-sSf", "-m", "5", "-o", "/dev/null", url])
        if done.returncode:
            raise BenchmarkFailed(f"no answer from {url}: {done.stderr.strip()}")


def api_of(given: Settings) -> Api:
    """A connection to the REST server of these settings, as its operator."""
    return Api(given.api_port, token_for(given.api_url, given))


@contextmanager
def running_site(containers: int = 3, stats_seconds: float = 5.0) -> Iterator[Site]:
    """Both are up, and the switch's ports known, inside the body. There is no predictor.

    Raises NetworkError, CommandFailed or NibError where something does not start. Where the body
    ends by another error, the end of prewire's log goes to standard error.
    """
    spec = single_switch(containers)
    with tempfile.TemporaryDirectory(prefix="prewire-bench-") as directory:
        given = settings.load(
            state_dir=Path(directory),
            nib="",
            log_level="warning",
            api_port=free_port(8686),
            controller_port=free_port(6653),
            metrics_port=free_port(9686),
            predictor_port=0,
            stats_seconds=stats_seconds,
        )
        target = f"tcp:127.0.0.1:{given.controller_port}"
        log = Path(directory) / "log"
        with (
            ensure_running(),
            up.running(given, log) as children,
            running(spec, [target]) as net,
        ):
            site = Site(net, api_of(given), given.api_port, target, children, given)
            try:
                _await_ports(site)
                yield site
            except Exception:
                print(log.read_text()[-_LOG_SHOWN:], end="", file=sys.stderr)
                raise
            finally:
                site.resume()
                site.api.close()


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
