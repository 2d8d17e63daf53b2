"""prewire as it runs where nothing may fail: a database of three servers, two controllers.

Each process can be killed, stopped and started again. What a test does to them, `repair` undoes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from nib.cluster import EmbeddedCluster
from prewire import processes
from prewire.processes import Child
from prewire.settings import Settings, load
from tests import commands
from tests.acceptance.deployment import Deployment, sample_values
from tests.places import free_ports
from tests.switch.rest_server import answers
from tests.waiting import until
from topologies.spec import NetworkSpec

_SETTLED_SECONDS: Final = 60.0


@dataclass
class Running:
    """A process of prewire, and how it is started again. more: of its environment."""

    settings: Settings
    log: Path
    name: str = "controller"
    more: Mapping[str, str] = field(default_factory=dict)
    child: Child | None = None
    stopped: bool = False

    @property
    def pid(self) -> int:
        """Its process; it must run."""
        assert self.child is not None
        return self.child.process.pid

    def start(self) -> None:
        """As a process of its own."""
        environment = commands.environment({**self.settings.environment, **self.more})
        with self.log.open("ab") as output:
            self.child = processes.start(self.name, [self.name], environment, output)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.child is not None
        self.child.process.kill()
        self.child.process.wait(60)
        self.child, self.stopped = None, False

    def stop(self) -> None:
        """SIGSTOP: it is there, and does nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        self.stopped = True

    def go_on(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)
        self.stopped = False

    def repair(self) -> None:
        """Have it run."""
        if self.stopped:
            self.go_on()
        if self.child is None or self.child.process.poll() is not None:
            self.start()


@dataclass
class Controller(Running):
    """One of the controllers."""

    @property
    def target(self) -> str:
        """What a bridge connects to."""
        return f"tcp:{self.settings.controller_host}:{self.settings.controller_port}"

    def metrics(self) -> str:
        """The text of its /metrics; "" while it does not answer."""
        url = f"http://{self.settings.metrics_host}:{self.settings.metrics_port}/metrics"
        try:
            return httpx.get(url).raise_for_status().text
        except httpx.TransportError:
            return ""

    def epoch(self) -> float:
        """The epoch that it leads in; 0 where another one leads; -1 while it does not answer."""
        return next(iter(sample_values(self.metrics(), "prewire_leader_epoch", {})), -1)

    def switches(self) -> int:
        """How many switches are connected to it."""
        return round(sum(sample_values(self.metrics(), "prewire_switch_connected", {})))


@dataclass
class FabricDeployment(Deployment):
    """`controllers` over the database `cluster`."""

    cluster: EmbeddedCluster = field(kw_only=True)
    controllers: list[Controller] = field(kw_only=True)

    def __init__(
        self,
        settings: Settings,
        log: Path,
        children: list[Child],
        cluster: EmbeddedCluster,
        controllers: list[Controller],
    ) -> None:
        super().__init__("os-ken", settings, log, children)
        self.cluster = cluster
        self.controllers = controllers

    @property
    def targets(self) -> list[str]:
        """What every bridge connects to."""
        return [each.target for each in self.controllers]

    @property
    def leader(self) -> Controller:
        """The controller that leads, as the database has it."""
        return self.await_led()

    def await_led(self) -> Controller:
        """Return the controller that leads, when one of those that run does."""

        def leading() -> Controller | None:
            name = str(self.status()["leader"])
            found = (each for each in self.controllers if each.child is not None)
            return next((each for each in found if name.endswith(f":{each.pid}")), None)

        led = until(leading, bool, "a controller that runs leads")
        assert led is not None
        return led

    @property
    def standby(self) -> Controller:
        """The other one."""
        return next(each for each in self.controllers if each is not self.leader)

    def await_fabric(self, spec: NetworkSpec) -> None:
        """Return when every switch is connected and up to date, and every link was found.

        Connected to every controller that runs, the standby among them.
        """
        switches = {switch.dpid_hex16 for switch in spec.switches}
        between = len(spec.trunks)
        generation = self.status()["generation"]  # others may write meanwhile

        def is_there(status: dict[str, Any]) -> bool:
            known = [each for each in status["switches"] if each["connected"]]
            up = {each["dpid"] for each in known if each["applied"] >= generation}
            return up >= switches

        until(self.status, is_there, f"{len(switches)} switches are up to date", _SETTLED_SECONDS)
        for each in self.controllers:
            if each.child is not None:
                wanted = len(switches)
                what = f"{wanted} switches are connected to {each.target}"
                until(each.switches, wanted.__eq__, what, _SETTLED_SECONDS)
        until(
            lambda: self.http.get("/v1/links").raise_for_status().json()["items"],
            lambda links: sum(link["up"] for link in links) == between,
            f"{between} links are up",
            _SETTLED_SECONDS,
        )

    @contextmanager
    def another_api(self) -> Iterator[httpx.Client]:
        """Inside the body a second REST server runs on the same database."""
        own = self.settings.model_copy(update=free_ports("api_port"))
        environment = commands.environment(own.environment)
        with self.log.open("ab") as output:
            child = processes.start("api", ["api"], environment, output)
        try:
            with httpx.Client(base_url=own.api_url, timeout=60) as client:
                until(lambda: answers(client), bool, "the other REST server answers")
                yield client
        finally:
            processes.stop([child])

    def repair(self) -> None:
        """Have every process run."""
        for server in self.cluster.servers:
            if server.paused:
                server.resume()
        self.cluster.start()
        for each in self.controllers:
            each.repair()
        self.await_led()

    def metrics(self) -> str:
        """The text of the leader's /metrics."""
        return self.leader.metrics()


@contextmanager
def deployed(directory: Path) -> Iterator[FabricDeployment]:
    """All processes, with their state in `directory`, ready for switches."""
    log = directory / "prewire.log"
    with ExitStack() as stack:
        cluster = stack.enter_context(EmbeddedCluster(directory / "db", processes.tied()))
        given: dict[str, Any] = {"state_dir": directory, "nib": cluster.remote}
        settings = [load(**given, **free_ports()) for _ in range(2)]
        output = stack.enter_context(log.open("ab"))
        children: list[Child] = []
        stack.callback(processes.stop, children)
        environment = commands.environment(settings[0].environment)
        for name in ("api", "node"):
            children.append(processes.start(name, [name], environment, output))
        controllers = [Controller(each, log) for each in settings]
        up = FabricDeployment(settings[0], log, children, cluster, controllers)
        stack.callback(up.close)
        stack.callback(lambda: processes.stop([c.child for c in controllers if c.child]))
        for each in controllers:
            each.start()
        try:
            until(lambda: _leader(up), bool, "REST answers and a controller leads", 60)
            yield up
        except BaseException:
            print(log.read_text()[-6000:])  # noqa: T201 - all that is left of it
            raise


def _leader(up: FabricDeployment) -> str:
    try:
        return str(up.status()["leader"] or "")
    except httpx.HTTPError:
        return ""
