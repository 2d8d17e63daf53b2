"""`prewire demo`: the whole on one machine, with real switches, containers and HTTP.

Starts Open vSwitch if none runs, prewire, and a Mininet network; registers containers over REST;
sends traffic through a VIP; takes a container out of service under load. Then, on another network,
two services under surges, one planned ahead. Cleans up in any case.
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
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from prewire import settings, up
from prewire.commands.client import Client
from prewire.errors import CommandFailed
from prewire.ports import free_port
from prewire.rehearsal.course import Course, Sample
from prewire.rehearsal.picture import NoPicture, draw
from prewire.rehearsal.run import rehearse
from prewire.rehearsal.scene import AHEAD, BEHIND, CONTAINERS, Loads
from prewire.settings import Settings
from topologies.mininet_net import RunningNetwork, running
from topologies.openvswitch import ensure_running
from topologies.spec import single_switch

_VIP: Final = "10.0.0.100"
_SERVICE: Final = "/v1/services/web"
_REQUESTS: Final = 600
_HELD: Final = 12
_SHELL_SECONDS: Final = 120.0
_READY_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 0.1
_BAR: Final = 40
SURGES: Final = 6
LEARNED: Final = 4
_COLUMNS: Final = (
    TextColumn("ready ahead: {task.fields[ahead]}, behind: {task.fields[behind]}"),
    BarColumn(),
    TimeRemainingColumn(),
)
_TRAFFIC: Final = (sys.executable, "-m", "topologies.traffic")


class DemoFailed(CommandFailed):
    """The demonstration did not show what it should; the text says what."""


def run(containers: int) -> None:
    """Show everything; about four minutes. DemoFailed where it does not come true."""
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
    ports = {name: free_port(Settings.model_fields[name].default) for name in settings.PORTS}
    return settings.load(state_dir=directory, nib="", tls="", stats_seconds=1.0, **ports)


def _surges(console: Console, given: Settings, directory: Path) -> None:
    """The second part: a service that is planned ahead beside one that is not."""
    controller = f"tcp:127.0.0.1:{given.controller_port}"
    loads = Loads(surges=SURGES, learned=LEARNED)
    console.print("\n[bold]Surges: one service is planned ahead, one reacts[/bold]")
    console.print(
        f"Both get {loads.surge:.0f} requests/s for {loads.length:.0f} s, every "
        f"{loads.period:.0f} s; a container starts in {loads.cold_start_ms / 1000:.0f} s. "
        f"The first {LEARNED} surges are new to both."
    )
    with running(single_switch(2 * CONTAINERS), [controller]) as network:
        await_ports(Client.of(given), network)
        with Progress(*_COLUMNS, console=console) as bar:
            task = bar.add_task("", total=loads.seconds, ahead=0, behind=0)

            def look(at: float, seen: Sample) -> None:
                ready = seen.ready
                bar.update(task, completed=at, ahead=ready[AHEAD], behind=ready[BEHIND])

            course = rehearse(given, network, directory, loads, look)
    _told(console, course)


def _told(console: Console, course: Course) -> None:
    picture = Path("surges.png").absolute()
    try:
        draw(course, picture)
    except NoPicture as error:
        console.print(str(error))
    ready = course.ready_at_starts(AHEAD), course.ready_at_starts(BEHIND)
    console.print(f"Containers ready as surges began: {ready[0]} ahead, {ready[1]} behind")
    rates = ", ".join(f"{rate / 1e6:.1f}" for rate in course.rates_at_starts())
    console.print(f"Meter rate then, Mbit/s: {rates}")
    console.print(f"Prewarm requests ready in time: {course.ready_in_time():.0%}")
    p99 = course.p99(AHEAD), course.p99(BEHIND)
    console.print(f"p99 of requests in surges: {p99[0]:.2f} s ahead, {p99[1]:.2f} s behind")
    if picture.exists():
        console.print(f"The picture: {picture}")
    if p99[0] >= p99[1]:
        raise DemoFailed("the service that is planned ahead was no faster")


def _show(console: Console, given: Settings, containers: int, log: Path) -> None:
    spec = single_switch(containers)
    controller = f"tcp:127.0.0.1:{given.controller_port}"
    console.print("Starting Open vSwitch, the database, a controller and the REST server …")
    without_predictor = given.model_copy(update={"predictor_port": 0})
    with ensure_running(), up.running(without_predictor, log):
        console.print(f"Starting a network: a client, a gateway and {containers} containers …")
        with running(spec, [controller]) as network:
            acts(console, given, network)
        _surges(console, given, log.parent)


def acts(console: Console, given: Settings, network: RunningNetwork) -> None:
    """Register, balance, remove under load, look: on a network whose switch finds prewire."""
    demonstration = _Demonstration(console, given, network)
    demonstration.await_switch()
    demonstration.register()
    demonstration.balance()
    demonstration.remove_under_load()
    demonstration.look()


def await_ports(client: Client, network: RunningNetwork) -> None:
    """Wait until the switch is connected and has the ports of all containers; or DemoFailed."""
    deadline = time.monotonic() + _READY_SECONDS
    wanted = {host.name for host in network.spec.containers}
    while time.monotonic() < deadline:
        switches = client.call("GET", "/v1/switches")["items"]
        known = {port["iface_id"] for switch in switches for port in switch["ports"]}
        if wanted <= known and any(switch["connected"] for switch in switches):
            return
        time.sleep(_PAUSE_SECONDS)
    raise DemoFailed(f"the switch did not connect within {_READY_SECONDS:g} s")


class _Demonstration:
    """The acts, on what runs."""

    def __init__(self, console: Console, given: Settings, network: RunningNetwork) -> None:
        self._console = console
        self._settings = given
        self._network = network
        self._client = Client.of(given)

    def await_switch(self) -> None:
        """Wait until the switch and the ports of all containers are known."""
        await_ports(self._client, self._network)

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
        load.stdout.close()
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
        done = subprocess.run(
            [sys.executable, "-m", "prewire", *arguments],
            env=os.environ | self._settings.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SHELL_SECONDS,
        )
        self._console.print(done.stdout.rstrip(), markup=False)
