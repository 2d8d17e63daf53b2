"""A controller with a real switch, a REST server, a predictor and a Prometheus that scrapes them.

All of them log JSON.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx

from gateway_lb.intent import put_service
from nib.intent import Service
from nib.observed import Report
from nib.prewarm import Scaling
from nib.qos import LinkRate, Policy
from prewire import processes
from prewire.settings import Settings
from ryu_apps.ticks import now_ms
from tests import commands
from tests.places import free_ports
from tests.predictor.prometheus_site import prometheus
from tests.switch.controlled import DPID, Controlled, controlled
from tests.switch.rest_server import answers
from tests.waiting import until

RULES: Final = Path(__file__).parents[2] / "deploy" / "prometheus" / "prewire.rules.yml"
CONNECTIONS: Final = 20  # at a time
_LOGS: Final[dict[str, Any]] = {"log_format": "json", "log_level": "debug"}
_PAUSE_S: Final = 0.1
_SCRAPED_S: Final = 0.5


@dataclass
class Observed:
    """What a test works with. logs: by process."""

    here: Controlled
    http: httpx.Client
    prometheus: httpx.Client
    logs: dict[str, Path]
    ports: Iterator[int] = field(default_factory=lambda: count(2000))

    @property
    def settings(self) -> Settings:
        """Of all processes."""
        return self.here.settings

    @property
    def pages(self) -> dict[str, str]:
        """The URL of each process's metrics."""
        ports = {
            "controller": self.settings.metrics_port,
            "api": self.settings.api_port,
            "predictor": self.settings.predictor_metrics_port,
        }
        return {name: f"http://127.0.0.1:{port}/metrics" for name, port in ports.items()}

    def query(self, expr: str) -> list[Any]:
        """The samples of an instant query; what Prometheus refuses is an error."""
        answer = self.prometheus.get("/api/v1/query", params={"query": expr})
        assert answer.is_success, f"{expr}: {answer.text}"
        result = answer.json()["data"]["result"]
        return list(result)

    def lines(self, process: str) -> list[dict[str, Any]]:
        """What a process logged."""
        return [json.loads(line) for line in self.logs[process].read_text().splitlines()]


@contextmanager
def observed() -> Iterator[Observed]:
    """Everything runs, with connections to a service all the time."""
    ports = free_ports("api_port", "predictor_port", "predictor_metrics_port")
    with ExitStack() as stack:
        here = stack.enter_context(controlled(predictor_tick_ms=500, **_LOGS, **ports))
        _state(here)
        logs = {"controller": here.log}
        for name in ("api", "predictor"):
            logs[name] = here.log.with_name(f"{name}.log")
            stack.callback(processes.stop, [_start(name, here.settings, logs[name])])
        folder = here.log.with_name("prometheus")
        folder.mkdir()
        url = stack.enter_context(prometheus(folder, _scraping(here.settings), EXEMPLARS)).url
        http = stack.enter_context(httpx.Client(base_url=here.settings.api_url, timeout=60))
        until(lambda: answers(http), bool, f"the REST server answers; see {logs['api']}", 60)
        asked = stack.enter_context(httpx.Client(base_url=url, timeout=60))
        site = Observed(here, http, asked, logs)
        stack.enter_context(_connecting(site))
        yield site


EXEMPLARS: Final = ("--enable-feature=exemplar-storage",)


def _state(here: Controlled) -> None:
    """A service with two containers, scaled by forecast, under a policy."""
    here.serve("c2", "c3")
    here.write(put_service(Service("idle", "10.0.0.101", 80), now_ms()))
    here.put(Report("web", "c2", inflight=3), Scaling("web"))
    here.put(LinkRate(DPID, "p1", bps=1_000_000_000))
    here.put(Policy("first", None, "web", max_bps=10_000_000))


def _start(name: str, settings: Settings, log: Path) -> processes.Child:
    environment = commands.environment(settings.environment | {"OMP_NUM_THREADS": "1"})
    with log.open("wb") as output:
        return processes.start(name, [name], environment, output)


def _scraping(settings: Settings) -> str:
    """The configuration of Prometheus, as JSON, which is YAML."""
    ports = (settings.metrics_port, settings.api_port, settings.predictor_metrics_port)
    jobs = [
        {"job_name": f"prewire-{name}", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        for name, port in zip(("controller", "api", "predictor"), ports, strict=True)
    ]
    paces = {"scrape_interval": "500ms", "evaluation_interval": "1s"}
    return json.dumps({"global": paces, "rule_files": [str(RULES)], "scrape_configs": jobs})


@contextmanager
def _connecting(site: Observed) -> Iterator[None]:
    """SYNs of clients all the time."""
    over = threading.Event()

    def connect() -> None:
        while not over.wait(_PAUSE_S):
            site.here.connect(*(2000 + next(site.ports) % 60_000 for _ in range(CONNECTIONS)))

    thread = threading.Thread(target=connect)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
