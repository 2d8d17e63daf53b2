"""`prewire demo`: the whole on one machine, with real switches, containers and HTTP.

Starts Open vSwitch if none runs, prewire, and a Mininet network; registers containers over REST;
sends traffic through a VIP; takes a container out of service under load. Cleans up in any case.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console

from prewire import settings, up
from prewire.client import Client
from prewire.errors import CommandFailed
from prewire.ports import free_port
from prewire.settings import Settings
from topologies.mininet_net import RunningNetwork, running
from topologies.openvswitch import ensure_running
from topologies.spec import single_switch

_VIP: Final = "10.0.0.100"
_SERVICE: Final = "/v1/services/web"
_REQUESTS: Final = 600
_HELD: Final = 12
_READY_SECONDS: Final = 20.0
_BAR: Final = 40
_TRAFFIC: Final = (sys.executable, "-m", "topologies.traffic")


class DemoFailed(CommandFailed):
    """The demonstration did not show what it should; the text says what."""


def run(containers: int) -> None:
    """Show everything; about a minute. DemoFailed where it does not come true."""
    if os.geteuid() != 0:
        raise DemoFailed("root: the demo makes bridges and network namespaces; run it as root")
    began = time.monotonic()
    console = Console(highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory(prefix="prewire-demo-") as directory:
        log = Path(directory) / "prewire.log"
        try:
            _show(console, _settings(Path(directory)), containers, log)
        except Exception:
            if log.exists():
                console.print(log.read_text()[-3000:], markup=False)
            raise
    console.print(f"\nDone in {time.monotonic() - began:.0f} s; everything is cleaned up.")


def _settings(directory: Path) -> Settings:
    """An embedded database, and ports that nothing uses."""
    ports = {
        name: free_port(settings.Settings.model_fields[name].default)
        for name in ("api_port", "controller_port", "metrics_port")
    }
    return settings.load(state_dir=directory, nib="", tls="", stats_seconds=1.0, **ports)


def _show(console: Console, given: Settings, containers: int, log: Path) -> None:
    spec = single_switch(containers)
    controller = f"tcp:127.0.0.1:{given.controller_port}"
    console.print("Starting Open vSwitch, the database, a controller and the REST server …")
    with ensure_running(), up.running(given, log):
        console.print(f"Starting a network: a client, a gateway and {containers} containers …")
        with running(spec, [controller]) as network:
            demonstration = _Demonstration(console, given, network)
            demonstration.await_switch()
            demonstration.register()
            demonstration.balance()
            demonstration.remove_under_load()
            demonstration.look()


class _Demonstration:
    """The acts, on what runs."""

    def __init__(self, console: Console, given: Settings, network: RunningNetwork) -> None:
        self._console = console
        self._settings = given
        self._network = network
        self._client = Client(given.api_url)

    def await_switch(self) -> None:
        """Wait until the switch and the ports of all containers are known."""
        deadline = time.monotonic() + _READY_SECONDS
        wanted = {host.name for host in self._network.spec.containers}
        while time.monotonic() < deadline:
            switches = self._client.call("GET", "/v1/switches")["items"]
            known = {port["iface_id"] for switch in switches for port in switch["ports"]}
            if wanted <= known:
                return
            self._network.run("client", ["true"])
        raise DemoFailed(f"the switch did not connect within {_READY_SECONDS} s")

    def register(self) -> None:
        """Register a service and its containers; every write waits for the switch."""
        self._title(f"Registering service web at {_VIP}:80 and its containers over REST")
        self._put(_SERVICE, {"vip": _VIP, "port": 80})
        for host in self._network.spec.containers:
            body = {"address": host.address, "port": host.http_port, "iface_id": host.name}
            self._put(f"{_SERVICE}/containers/{host.name}", body)

    def balance(self) -> None:
        """New connections spread over all containers."""
        self._title(f"{_REQUESTS} HTTP requests to http://{_VIP}/, each on a new connection")
        result = self._fresh(_REQUESTS)
        self._bars(result["answered"])
        if len(result["answered"]) != len(self._network.spec.containers) or result["failures"]:
            raise DemoFailed(f"not every container answered, or a request failed: {result}")

    def remove_under_load(self) -> None:
        """A container leaves: its connections live on, new ones go elsewhere."""
        self._title(f"Removing a container under load on {_HELD} keep-alive connections")
        load = self._network.popen(
            "client",
            [*_TRAFFIC, "held", _VIP, "80", str(_HELD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert load.stdin is not None  # noqa: S101 - asked for above
        assert load.stdout is not None  # noqa: S101 - asked for above
        load.stdout.readline()
        leaving = self._network.spec.containers[0].name
        self._call("DELETE", f"{_SERVICE}/containers/{leaving}", {"drain": 60, "wait": "applied"})
        result = self._fresh(_REQUESTS // 2)
        self._console.print(f"{_REQUESTS // 2} new connections after {leaving} was removed:")
        self._bars(result["answered"])
        load.stdin.write(b"end\n")
        load.stdin.close()
        held = json.loads(load.stdout.readline())
        load.wait(10)
        self._report_held(leaving, held)
        if leaving in result["answered"] or result["failures"]:
            raise DemoFailed(f"{leaving} still got connections, or a request failed: {result}")

    def look(self) -> None:
        """Where to look at what is happening."""
        self._title("What is happening, and why")
        self._shell("status")
        packet = f"in_port=1,tcp,nw_src=10.0.0.1,nw_dst={_VIP},tp_src=40000,tp_dst=80"
        self._shell("explain", packet)
        url = f"http://{self._settings.metrics_host}:{self._settings.metrics_port}/metrics"
        self._console.print(f"\nPrometheus metrics are at {url} while prewire runs; among them:")
        for line in httpx.get(url).text.splitlines():
            if line.startswith("prewire_container_new_connections_total"):
                self._console.print(f"  {line}", markup=False)

    def _title(self, text: str) -> None:
        self._console.print(f"\n[bold]{text}[/bold]")

    def _put(self, path: str, body: Mapping[str, Any]) -> None:
        took = self._call("PUT", path, {"wait": "applied"}, body)
        self._console.print(f"  PUT {path} {json.dumps(body)}", markup=False, end="")
        self._console.print(f"  applied in {took * 1000:.0f} ms")

    def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any],
        body: Mapping[str, Any] | None = None,
    ) -> float:
        began = time.monotonic()
        self._client.call(method, path, params=params, json=body)
        return time.monotonic() - began

    def _fresh(self, count: int) -> Any:
        command = [*_TRAFFIC, "fresh", _VIP, "80", str(count)]
        done = self._network.run("client", command, timeout_s=90)
        if done.returncode:
            raise DemoFailed(f"the client failed: {done.stderr}")
        return json.loads(done.stdout)

    def _bars(self, answered: Mapping[str, int]) -> None:
        most = max(answered.values(), default=1)
        for name, count in sorted(answered.items()):
            self._console.print(f"  {name:8} {'█' * round(_BAR * count / most)} {count}")

    def _report_held(self, leaving: str, held: Sequence[Mapping[str, Any]]) -> None:
        kept = [each for each in held if each["container"] == leaving]
        requests = sum(each["requests"] for each in held)
        broken = [each for each in held if each["failures"] or each["strayed"]]
        self._console.print(
            f"{len(held)} established connections made {requests} requests meanwhile, "
            f"{len(kept)} of them to {leaving}: {len(broken)} broken"
        )
        if broken:
            raise DemoFailed(f"connections broke: {broken}")

    def _shell(self, *arguments: str) -> None:
        shown = " ".join(f'"{each}"' if "," in each else each for each in arguments)
        self._console.print(f"$ prewire {shown}", markup=False)
        command = [sys.executable, "-m", "prewire", *arguments, "--api", self._settings.api_url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        self._console.print(done.stdout.rstrip(), markup=False)
