"""Hosts on a switch that prewire controls, whatever its ports are, and what parts do with them."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.errors import BenchmarkFailed
from benchmarks.sites.api import Api
from benchmarks.sites.counters import processor_seconds
from prewire.processes import Child
from topologies.hosts import Hosts
from topologies.spec import interface_name

VIP: Final = "10.0.0.100"
SERVICE: Final = "/v1/services/web"


@dataclass(frozen=True, slots=True)
class Controlled:
    """The network, and prewire's REST server and processes."""

    net: Hosts
    api: Api
    children: Sequence[Child]

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
        return sum(processor_seconds(child.process.pid) for child in self.children)

    def pause(self) -> None:
        """Give prewire no processor time, so that what is measured without it pays none."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`; harmless without it."""
        self._signal(signal.SIGCONT)

    def check_answer(self, url: str, host: str = "client") -> None:
        """BenchmarkFailed unless a web server answers."""
        done = self.net.run(host, ["curl", "-sSf", "-m", "5", "-o", "/dev/null", url])
        if done.returncode:
            raise BenchmarkFailed(f"no answer from {url}: {done.stderr.strip()}")

    def _signal(self, number: signal.Signals) -> None:
        for child in self.children:
            child.process.send_signal(number)
