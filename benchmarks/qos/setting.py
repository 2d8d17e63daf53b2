"""What the measurements of quality of service have in common: services, policies, loads, probes.

The switch's port to container c1 is the link in question: its rate is stated, and what goes there
is shaped or policed to it. c1 is of the service `db`, c2 of `batch`, c3 of `shop`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

from benchmarks.errors import BenchmarkFailed
from benchmarks.sites.api import Api
from benchmarks.sites.site import until
from topologies.hosts import Hosts

SERVICES: Final = {"db": "c1", "batch": "c2", "shop": "c3"}
PROBE_PORT: Final = 7007
_QUEUES_SECONDS: Final = 30.0


class Site(Protocol):
    """What is asked of a network that prewire controls."""

    @property
    def net(self) -> Hosts:
        """Its hosts."""

    @property
    def api(self) -> Api:
        """prewire's REST server."""


@dataclass(frozen=True, slots=True)
class Trips:
    """Round trips of probes: (when sent, seconds or None where none came back)."""

    probes: tuple[tuple[float, float | None], ...]

    @property
    def ms(self) -> list[float]:
        """Of those that came back."""
        return [1000 * trip for _, trip in self.probes if trip is not None]

    @property
    def lost(self) -> int:
        """How many did not."""
        return sum(trip is None for _, trip in self.probes)


class Probing:
    """Probes under way."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._process = process
        self._seconds = seconds

    def trips(self) -> Trips:
        """Wait for the last."""
        out, _ = self._process.communicate(timeout=self._seconds + 20)
        if self._process.returncode:
            raise BenchmarkFailed("the probe failed")
        return Trips(tuple((began, trip) for began, trip in json.loads(out)))


def add_services(site: Site) -> None:
    """One container behind each service, on the port that iperf3 does not use."""
    for number, (service, container) in enumerate(SERVICES.items()):
        path = f"/v1/services/{service}"
        body = {"vip": f"10.0.0.{100 + number}", "port": 80}
        site.api.call("PUT", f"{path}?wait=applied", body)
        host = site.net.spec.host(container)
        there = {"address": host.address, "port": host.http_port, "iface_id": container}
        site.api.call("PUT", f"{path}/containers/{container}?wait=applied", there)


def set_policy(site: Site, name: str, **fields: Any) -> None:
    """A policy, applied."""
    site.api.call("PUT", f"/v1/policies/{name}?wait=applied", fields)


def delete_policy(site: Site, name: str) -> None:
    """Take it away, applied."""
    site.api.call("DELETE", f"/v1/policies/{name}?wait=applied")


def state_rate(site: Site, container: str, bps: int) -> None:
    """State what the switch's port to a container can carry."""
    dpid, port = site.net.spec.port_of(container)
    site.api.call("PUT", f"/v1/link-rates/{dpid}/{port}?wait=applied", {"bps": bps})


def await_queues(site: Site, container: str) -> str:
    """How the port to a container is enforced, as soon as the node agent says so."""
    dpid, port = site.net.spec.port_of(container)

    def method() -> str:
        links = site.api.call("GET", "/v1/bandwidth")["items"]
        found = [each for each in links if (each["switch"], each["port"]) == (dpid, port)]
        return "" if not found or found[0]["problem"] else str(found[0]["method"])

    until(lambda: bool(method()), f"the queues of {port} are there", _QUEUES_SECONDS)
    return method()


@contextmanager
def echoing(net: Hosts, host: str) -> Iterator[None]:
    """A host answers probes inside the body."""
    argv = [sys.executable, "-m", "topologies.probe", "serve"]
    argv += [net.spec.host(host).address, str(PROBE_PORT)]
    with net.popen(host, argv, stdout=subprocess.PIPE) as process:
        try:
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                raise BenchmarkFailed(f"nothing in {host} answers probes")
            yield
        finally:
            process.kill()


def probe(net: Hosts, source: str, to: str, count: int, interval_ms: float) -> Probing:
    """Begin to send probes from one host to another."""
    argv = [sys.executable, "-m", "topologies.probe", "ask", net.spec.host(to).address]
    argv += [str(PROBE_PORT), str(count), str(interval_ms)]
    process = net.popen(source, argv, stdout=subprocess.PIPE)
    return Probing(process, count * interval_ms / 1000)
