"""What `gateway` and `gateway-dpdk` ask of a network, whatever its switch's ports are."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.api import Api
from benchmarks.counters import processor_seconds
from benchmarks.errors import BenchmarkFailed
from benchmarks.site import SERVICE, VIP
from benchmarks.switch import Tools
from prewire.processes import Child
from topologies.hosts import Hosts
from topologies.spec import interface_name


@dataclass(frozen=True, slots=True)
class GatewaySite:
    """The network, prewire's REST server and processes, and the programs of its Open vSwitch.

    switch_seconds: processor time that the switch has spent on packets; a difference counts.
    """

    net: Hosts
    api: Api
    children: Sequence[Child]
    tools: Tools
    switch_seconds: Callable[[], float]

    @property
    def bridge(self) -> str:
        """The one switch."""
        return self.net.spec.switches[0].bridge

    def add_web(self) -> None:
        """The service `web` on the VIP, with every container of the network behind it."""
        self.api.call("PUT", f"{SERVICE}?wait=applied", {"vip": VIP, "port": 80})
        for host in self.net.spec.containers:
            there = {"address": host.address, "port": host.http_port, "iface_id": host.name}
            self.api.call("PUT", f"{SERVICE}/containers/{host.name}?wait=applied", there)

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

    def check_answer(self, url: str) -> None:
        """BenchmarkFailed unless a web server answers the client."""
        done = self.net.run("client", ["curl", "-sSf", "-m", "5", "-o", "/dev/null", url])
        if done.returncode:
            raise BenchmarkFailed(f"no answer from {url}: {done.stderr.strip()}")

    def _signal(self, number: signal.Signals) -> None:
        for child in self.children:
            child.process.send_signal(number)
