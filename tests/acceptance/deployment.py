"""prewire as an operator runs it, for tests: NIB, REST server and a controller as processes.

One `Deployment` on each framework. The controller can be killed and started again by itself. Ports
are free ones, state is in a short temporary directory, and all that is printed goes to one log.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Final

import httpx

from nib.server import EmbeddedServer
from prewire import processes, up
from prewire.host.ovs import obstacle
from prewire.processes import Child
from prewire.settings import Settings, load
from tests import commands
from tests.places import free_ports
from tests.ryu import Framework, controller_command
from tests.waiting import until

STATS_SECONDS: Final = 0.5


class Deployment:
    """prewire that runs: talk to it by `http`, `cli` and `metrics`."""

    def __init__(
        self, framework: Framework, settings: Settings, log: Path, children: list[Child]
    ) -> None:
        self.framework = framework
        self.settings = settings
        self.log = log
        self.http = httpx.Client(base_url=settings.api_url, timeout=60)
        self._children = children
        self._started_again: list[Child] = []

    @property
    def target(self) -> str:
        """What a bridge connects to."""
        return f"tcp:{self.settings.controller_host}:{self.settings.controller_port}"

    @property
    def controller(self) -> subprocess.Popen[bytes]:
        """The controller's process."""
        running = (*self._started_again[-1:], *self._children)
        return next(each.process for each in running if each.name == "controller")

    @property
    def node(self) -> subprocess.Popen[bytes]:
        """The node agent's process."""
        return next(each.process for each in self._children if each.name == "node")

    def status(self) -> dict[str, Any]:
        """The answer of GET /v1/status."""
        answer = self.http.get("/v1/status")
        return dict(answer.raise_for_status().json())

    def await_switch(self, ports: int = 0, timeout_s: float = 60.0) -> dict[str, Any]:
        """Return the one switch when it is connected, has acknowledged everything and its ports."""

        def is_there(status: dict[str, Any]) -> bool:
            switches = status["switches"]
            return bool(
                switches
                and switches[0]["connected"]
                and not status["behind"]
                and len(switches[0]["ports"]) > ports
            )

        what = "the switch is connected and up to date"
        return dict(until(self.status, is_there, what, timeout_s)["switches"][0])

    def put(self, path: str, body: dict[str, Any], expected: tuple[int, ...] = (200, 201)) -> Any:
        """PUT with ?wait=applied; returns the JSON answer."""
        answer = self.http.put(path, json=body, params={"wait": "applied"})
        assert answer.status_code in expected, f"PUT {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def delete(self, path: str, **params: Any) -> httpx.Response:
        """DELETE with ?wait=applied."""
        answer = self.http.delete(path, params={"wait": "applied", **params})
        assert answer.is_success, f"DELETE {path}: {answer.status_code} {answer.text}"
        return answer

    def clear(self) -> None:
        """Delete every policy, rate of a link, class of one's own, and service."""
        for policy in self._items("policies"):
            self.delete(f"/v1/policies/{policy['name']}")
        for rate in self._items("link-rates"):
            self.delete(f"/v1/link-rates/{rate['switch']}/{rate['port']}")
        for each in self._items("classes"):
            if each["origin"] != "built-in":
                self.delete(f"/v1/classes/{each['name']}")
        for service in self._items("services"):
            self.delete(f"/v1/services/{service['name']}")

    def _items(self, what: str) -> list[dict[str, Any]]:
        return list(self.http.get(f"/v1/{what}").raise_for_status().json()["items"])

    def cli(self, *arguments: str) -> commands.Finished:
        """Run the command `prewire` against this deployment."""
        return commands.run(*arguments, env={"PREWIRE_API": self.settings.api_url})

    def cli_here(self, *arguments: str) -> commands.Finished:
        """The same in this process: quicker."""
        return commands.run_here(*arguments, env={"PREWIRE_API": self.settings.api_url})

    def metrics(self) -> str:
        """The text of the controller's /metrics."""
        host, port = self.settings.metrics_host, self.settings.metrics_port
        return httpx.get(f"http://{host}:{port}/metrics").raise_for_status().text

    def counter(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels; 0 where there is none."""
        return sum(sample_values(self.metrics(), name, labels))

    def close(self) -> None:
        """End what was started here."""
        processes.stop(self._started_again)
        self.http.close()

    def kill_controller(self) -> None:
        """SIGKILL."""
        self.controller.kill()
        self.controller.wait(60)

    def start_controller(self) -> None:
        """Start the controller again, on the same database."""
        with self.log.open("ab") as output:
            self._started_again.append(start_controller(self.framework, self.settings, output))
        pid = self.controller.pid
        until(
            lambda: self.status()["leader"],
            lambda leader: leader and leader.endswith(f":{pid}"),
            f"the new controller (process {pid}) leads",
        )


@contextmanager
def deployed(
    framework: Framework, directory: Path, stats_seconds: float = STATS_SECONDS
) -> Iterator[Deployment]:
    """prewire with its state in `directory`, ready for switches."""
    settings = load(state_dir=directory, stats_seconds=stats_seconds, **free_ports())
    log = directory / "prewire.log"
    run = up.running(settings, log) if framework == "os-ken" else _on_ryu(settings, log)
    with run as children:
        deployment = Deployment(framework, settings, log, children)
        try:
            yield deployment
        finally:
            deployment.close()


@contextmanager
def _on_ryu(settings: Settings, log: Path) -> Iterator[list[Child]]:
    """What `prewire up` does, with the controller under classic Ryu's manager."""
    with ExitStack() as stack:
        stack.enter_context(EmbeddedServer(settings.state_dir, processes.tied()))
        output = stack.enter_context(log.open("ab"))
        children: list[Child] = []
        stack.callback(processes.stop, children)
        children.append(start_controller("ryu", settings, output))
        environment = commands.environment(settings.environment)
        children.append(processes.start("api", ["api"], environment, output))
        if obstacle(settings) is None:
            children.append(processes.start("node", ["node"], environment, output))
        pid = children[0].process.pid
        with httpx.Client(base_url=settings.api_url, timeout=60) as client:
            until(
                lambda: _leader(client, children),
                lambda leader: leader.endswith(f":{pid}"),
                f"REST answers and the controller under Ryu (process {pid}) leads; see {log}",
                60,
            )
        yield children


def start_controller(framework: Framework, settings: Settings, output: IO[bytes]) -> Child:
    """The controller alone, as a process tied to this one."""
    process = subprocess.Popen(
        [*processes.tied(), *controller_command(framework, settings)],
        cwd=settings.state_dir,
        env=commands.environment(settings.environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    return Child("controller", process)


def sample_values(page: str, name: str, labels: dict[str, str]) -> list[float]:
    """Values of the samples of a metrics page with this name and (at least) these labels."""
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    found = []
    for line in page.splitlines():
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] == name and all(each in series for each in wanted):
            found.append(float(value))
    return found


def _leader(client: httpx.Client, children: list[Child]) -> str:
    for child in children:
        code = child.process.poll()
        assert code is None, f"{child.name} ended with {code}"
    try:
        answer = client.get("/v1/status")
    except httpx.TransportError:
        return ""
    return str(answer.json().get("leader")) if answer.is_success else ""
