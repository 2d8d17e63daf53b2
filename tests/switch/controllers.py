"""One real switch with simulated ports, a database, and several controllers.

Tests kill, stop and start controllers and the database, and look at who leads and what the switch
holds.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from gateway_lb.intent import put_service
from nib.database import Nib
from nib.draft import Draft
from nib.intent import Service
from nib.mirror import Mirror
from nib.records import Leader
from nib.server import EmbeddedServer
from nib.topology import Switch
from prewire import processes
from prewire.settings import Settings, load
from ryu_apps.ticks import now_ms
from tests import commands
from tests.acceptance.deployment import sample_values
from tests.ovs import PrivateOvs
from tests.places import free_ports, short_directory
from tests.ryu import Framework, controller_command
from tests.waiting import until

BRIDGE: Final = "br0"
DPID: Final = "0000000000000001"

_COUNTERS: Final = re.compile(r"(duration|n_packets|n_bytes|idle_age)=[^,]*, ")


@dataclass
class Controllers:
    """What a test works with. processes: by the controller's name; log: what all of them print."""

    ovs: PrivateOvs
    database: EmbeddedServer
    framework: Framework
    log: Path
    settings: dict[str, Settings]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start a controller; it stands for election by itself."""
        settings = self.settings[name]
        with self.log.open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [*processes.tied(), *controller_command(self.framework, settings)],
                env=commands.environment(settings.environment | {"PREWIRE_CONTROLLER_NAME": name}),
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill(self, name: str) -> None:
        """As `kill -9` does."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def await_standby(self, name: str) -> None:
        """Return when the switch is connected to a controller that does not lead."""
        until(
            lambda: self._page(name),
            lambda page: f'prewire_switch_connected{{switch="{DPID}"}} 1.0' in page,
            f"the switch is connected to {name}; see {self.log}",
            60,
        )

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a controller."""
        self.processes[name].send_signal(number)

    @contextmanager
    def nib(self) -> Iterator[Nib]:
        """A connection to the database as it is now."""
        with Nib(self.database.remote, "test") as nib:
            yield nib

    def look(self, look: Callable[[Mirror], Any]) -> Any:
        """What the database says."""
        with self.nib() as nib, nib.view() as view:
            return look(view)

    def leader(self) -> Leader:
        """The Leader row."""
        found: Leader = self.look(lambda view: view.need(Leader, ()))
        return found

    def metric(self, name: str, metric: str, **labels: str) -> float:
        """The sum of a controller's samples of a metric."""
        return sum(sample_values(self._page(name), metric, labels))

    def flows(self) -> list[str]:
        """The switch's flows with their cookies, and so with the epoch that wrote them."""
        text = self.ovs.ofctl("dump-flows", BRIDGE)
        return sorted(_COUNTERS.sub("", line) for line in text.splitlines()[1:])

    def _page(self, name: str) -> str:
        url = f"http://127.0.0.1:{self.settings[name].metrics_port}/metrics"
        try:
            return httpx.get(url, timeout=60).text
        except httpx.TransportError:
            return ""

    def end(self) -> None:
        """Kill all controllers."""
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def is_led_by(name: str) -> Callable[[Mirror], bool]:
    """Whether this controller leads and the switch holds all intent."""

    def holds(view: Mirror) -> bool:
        leader, switch = view.get(Leader, ()), view.get(Switch, DPID)
        return (
            leader is not None
            and leader.controller == name
            and switch is not None
            and switch.connected
            and switch.applied >= max(1, view.generation)
        )

    return holds


def has_service(name: str, vip: str) -> Callable[[Draft], Any]:
    """The intent of a service."""
    return put_service(Service(name, vip, 80), now_ms())


def seconds_until(nib: Nib, holds: Callable[[Mirror], bool], since: float) -> float:
    """How long after `since` (monotonic) the database says so; TimeoutError after 60 seconds."""
    nib.when(holds).result(60)
    return time.monotonic() - since


@contextmanager
def controllers(*names: str, framework: Framework = "os-ken") -> Iterator[Controllers]:
    """Everything runs, the first controller leads, and there is a service."""
    with (
        short_directory() as directory,
        EmbeddedServer(directory, processes.tied()) as database,
        PrivateOvs() as ovs,
    ):
        settings = {
            name: load(state_dir=directory, nib=database.remote, switch_db="", **free_ports())
            for name in names
        }
        here = Controllers(ovs, database, framework, directory / "controllers.log", settings)
        try:
            with here.nib() as nib:
                nib.write(has_service("web", "10.0.0.100")).result(60)
                ovs.add_bridge(BRIDGE, dpid=1, ports=[f"p{number}" for number in range(1, 4)])
                ports = [each.controller_port for each in settings.values()]
                ovs.set_controller(BRIDGE, *(f"tcp:127.0.0.1:{port}" for port in ports))
                here.start(names[0])
                nib.when(is_led_by(names[0])).result(60)
                for name in names[1:]:
                    here.start(name)
                    here.await_standby(name)
            yield here
        finally:
            here.end()
        log = here.log.read_text()
        assert "Traceback" not in log, log
