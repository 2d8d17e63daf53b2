"""prewire with two of everything that there can be two of, each process tied to a clock of its own.

Three database servers, each on a small disk; two controllers, two REST servers, a predictor and a
node agent.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import httpx

from nib.cluster import EmbeddedCluster
from prewire import processes
from prewire.settings import load
from tests.chaos import clocks
from tests.disk import free, small_disks
from tests.fabric.deployment import Controller, FabricDeployment, Running
from tests.places import free_ports
from tests.waiting import until

ASK_S: Final = 5.0
START_S: Final = 180.0

# Before a server's command: a member has beside it what `prewire db serve` starts.
_WATCH: Final = shlex.join([*processes.tied(), sys.executable, "-m", "nib.failing"])
_WATCHED: Final = (
    "sh",
    "-c",
    "for each; do case $each in --unixctl=*) control=${each#*=};; esac; done; "
    f'{_WATCH} "$control" $$ & exec "$@"',
    "watched",
)
_PREDICTOR: Final = ("predictor_port", "predictor_metrics_port")


class Rest:
    """A client of several REST servers, that asks the next where one does not answer."""

    def __init__(self, urls: list[str]) -> None:
        self._clients = [httpx.Client(base_url=url, timeout=ASK_S) for url in urls]
        self._first = cycle(range(len(urls)))

    @property
    def clients(self) -> list[httpx.Client]:
        """One for each server."""
        return self._clients

    def told(self, path: str, timeout_s: float = ASK_S) -> dict[str, Any]:
        """The JSON that one of them answers to a GET with; {} where none does."""
        first = next(self._first)
        for client in (*self._clients[first:], *self._clients[:first]):
            try:
                return dict(client.get(path, timeout=timeout_s).raise_for_status().json())
            except httpx.HTTPError:
                continue
        return {}

    def ready(self) -> bool:
        """Whether all of them are."""
        try:
            return all(client.get("/readyz").is_success for client in self._clients)
        except httpx.HTTPError:
            return False

    def close(self) -> None:
        """All of them."""
        for client in self._clients:
            client.close()


class ChaosDeployment(FabricDeployment):
    """apis: the REST servers; others: predictor and node agent; clocks: by process."""

    def __init__(
        self,
        cluster: EmbeddedCluster,
        controllers: list[Controller],
        apis: list[Running],
        others: dict[str, Running],
    ) -> None:
        first = controllers[0]
        super().__init__(first.settings, first.log, [], cluster, controllers)
        self.apis = apis
        self.others = others
        self.rest = Rest([api.settings.api_url for api in apis])

    @property
    def running(self) -> list[Running]:
        """Every process but the database's."""
        return [*self.controllers, *self.apis, *self.others.values()]

    def clock_of(self, running: Running) -> Path:
        """The file with its clock."""
        return Path(running.more[clocks.VARIABLE])

    def status(self) -> dict[str, Any]:
        """The answer of GET /v1/status, by any server, as soon as one answers."""
        what = "a REST server tells of the status"
        return until(lambda: self.rest.told("/v1/status"), bool, what, START_S)

    def repair(self) -> None:
        """Have every process run, with the right time and space on its disk."""
        for server in self.cluster.servers:
            free(server.files.directory)
            if server.paused:
                server.resume()
            if server.process is not None and server.process.poll() is not None:
                server.kill()  # it ended by itself: collect it
            clocks.set_right(server.files.directory / "clock")
        self.cluster.start()
        for each in self.running:
            if each.more:
                clocks.set_right(self.clock_of(each))
            each.repair()
        until(self.rest.ready, bool, "all REST servers are ready", START_S)

    def close(self) -> None:
        """End all but the database."""
        for each in self.running:
            if each.stopped:
                each.go_on()
        processes.stop([each.child for each in self.running if each.child])
        self.rest.close()
        super().close()


@contextmanager
def deployed(directory: Path) -> Iterator[ChaosDeployment]:
    """All processes, with their state in `directory`, ready for switches."""
    log = directory / "prewire.log"
    homes = [directory / "db" / str(number) for number in (1, 2, 3)]
    with ExitStack() as stack:
        stack.enter_context(small_disks(homes))
        for home in homes:
            clocks.set_right(home / "clock")
        preloaded = clocks.library(directory)
        wrapper = [*processes.tied(), *_WATCHED, *clocks.server_wrapper(preloaded)]
        cluster = stack.enter_context(EmbeddedCluster(directory / "db", wrapper))
        up = _processes(directory, log, cluster, preloaded)
        stack.callback(up.close)
        for each in up.running:
            each.start()
        until(up.rest.ready, bool, "all REST servers are ready", START_S)
        until(up.status, lambda told: told["leader"], "a controller leads", START_S)
        yield up


def _processes(
    directory: Path, log: Path, cluster: EmbeddedCluster, preloaded: Path
) -> ChaosDeployment:
    ports = [free_ports(), free_ports()]
    pages = ";".join(f"http://127.0.0.1:{each['metrics_port']}/metrics" for each in ports)
    given: dict[str, Any] = {"state_dir": directory, "nib": cluster.remote, "scrape": pages}
    settings = [load(**(given | each)) for each in ports]

    def clocked(name: str) -> dict[str, str]:
        return clocks.environment(preloaded, directory / f"clock-{name}")

    apis = [Running(each, log, "api", clocked(f"api{n}")) for n, each in enumerate(settings)]
    predictor = load(**(given | ports[0] | free_ports(*_PREDICTOR)))
    others = {
        "predictor": Running(predictor, log, "predictor", clocked("predictor")),
        "node": Running(settings[0], log, "node"),
    }
    controllers = [
        Controller(each, log, more=clocked(f"controller{n}")) for n, each in enumerate(settings)
    ]
    return ChaosDeployment(cluster, controllers, apis, others)
