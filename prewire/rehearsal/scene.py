"""What stands before the surges begin: services, their containers' commands, policies, a predictor.

Must not know: what is observed, how it is drawn.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from prewire import processes
from prewire.commands.client import Client
from prewire.settings import Settings
from topologies.hosts import Hosts

AHEAD: Final = "ahead"  # the service that is planned for
BEHIND: Final = "behind"  # the one that reacts
CONTAINERS: Final = 4  # of each
PORT: Final = 9000
_PYTHON: Final = (sys.executable, "-m")
_VIPS: Final[Mapping[str, str]] = {AHEAD: "10.0.0.101", BEHIND: "10.0.0.102"}
_MODES: Final[Mapping[str, str]] = {AHEAD: "plan", BEHIND: "react"}


@dataclass(frozen=True, slots=True)
class Loads:
    """The surges, and what a request costs. Seconds; requests a second; padding in bytes.

    surges: how many there are; learned: after how many of them figures count.
    """

    surges: int = 8
    learned: int = 4

    period: float = 30.0
    length: float = 6.0
    base: float = 1.0
    surge: float = 16.0
    padding: int = 12_000
    service_ms: float = 150.0
    cold_start_ms: float = 2000.0

    def starts(self) -> list[float]:
        """When each surge begins, from the beginning of the load."""
        return [self.period * (number + 0.5) for number in range(self.surges)]

    @property
    def seconds(self) -> float:
        """All of them, to the end of the last period."""
        return self.period * (self.surges + 0.5)


def vip_of(service: str) -> str:
    """Where its clients connect to."""
    return _VIPS[service]


def state(client: Client, hosts: Hosts) -> None:
    """Both services with their scaling, and a policy each whose rates follow the forecast."""
    switch = hosts.spec.switches[0].dpid_hex16
    for host in hosts.spec.containers:
        port = next(link for link in hosts.spec.links if link.a == host.name).b_interface
        client.call("PUT", f"/v1/link-rates/{switch}/{port}", json={"bps": "100M"})
    for service, mode in _MODES.items():
        body = {
            "vip": _VIPS[service],
            "port": 80,
            "policy": "least_inflight",
            "health": {"kind": "tcp", "interval_ms": 200, "timeout_ms": 1000},
        }
        client.call("PUT", f"/v1/services/{service}", json=body)
        scaling = {
            "mode": mode,
            "target": f"process:{service}",
            "min_containers": 1,
            "max_containers": CONTAINERS,
            "hold_seconds": 4,
        }
        client.call("PUT", f"/v1/services/{service}/scaling", json=scaling)
    client.call("PUT", f"/v1/policies/{AHEAD}", json={"destination": AHEAD, "class": "interactive"})
    provisioning = {"rates": "both", "headroom_percent": 20, "floor_bps": "500k"}
    client.call(
        "PUT", f"/v1/policies/{AHEAD}/provisioning", json=provisioning, params={"wait": "applied"}
    )


@contextmanager
def predicting(
    given: Settings, hosts: Hosts, directory: Path, loads: Loads, output: IO[bytes] | None
) -> Iterator[None]:
    """A predictor that starts containers in the network's hosts, as long as the block lasts."""
    commands = directory / "containers.json"
    commands.write_text(json.dumps(_commands(given, hosts, directory, loads)))
    told = given.model_copy(update={"container_commands": str(commands)})
    children: list[processes.Child] = []
    try:
        environment = os.environ | told.environment
        children.append(processes.start("predictor", ["predictor"], environment, output))
        yield
    finally:
        processes.stop(children)


def _commands(
    given: Settings, hosts: Hosts, directory: Path, loads: Loads
) -> dict[str, list[dict[str, Any]]]:
    """By service: how each of its containers is started, registered, taken out and stopped."""
    names = [host.name for host in hosts.spec.containers]
    shares = {AHEAD: names[:CONTAINERS], BEHIND: names[CONTAINERS : 2 * CONTAINERS]}
    return {
        service: [
            _command(
                given, hosts, loads, service=service, name=name, ready=directory / f"{name}.ready"
            )
            for name in of
        ]
        for service, of in shares.items()
    }


def _command(
    given: Settings, hosts: Hosts, loads: Loads, *, service: str, name: str, ready: Path
) -> dict[str, Any]:
    host = hosts.spec.host(name)
    url = f"{given.api_url}/v1/services/{service}/containers/{name}"
    body = json.dumps({"address": host.address, "port": PORT, "iface_id": name})
    costs = [f"--service-ms={loads.service_ms}", f"--cold-start-ms={loads.cold_start_ms}"]
    resident = [*_PYTHON, "topologies.resident", name, str(PORT), f"--ready-file={ready}", *costs]
    return {
        "id": name,
        "start": ["mnexec", "-a", str(hosts.pid(name)), *resident],
        "after_start": [*_PYTHON, "topologies.join", str(ready), url, body],
        "before_stop": [*_PYTHON, "topologies.leave", url, "10"],
    }
