"""prewire whole on a small leaf-spine network, with a real Prometheus that reads its metrics.

Owns starting and removing all of it, the objects that stay the whole time, and the looks at it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from prewire import settings, up
from prewire.commands.credentials import token_for
from prewire.processes import Child
from prewire.settings import Settings
from tests.acceptance.site import VIP
from tests.places import free_ports, short_directory
from tests.predictor.prometheus_site import prometheus
from tests.soak import samples
from tests.soak.history import write_a_day
from tests.soak.samples import Sample
from tests.waiting import until
from topologies import openvswitch
from topologies.mininet_net import RunningNetwork, running
from topologies.shapes import leaf_spine

UDP_VIP: Final = "10.0.0.101"
UDP_PORT: Final = 5353
_PORTS: Final = (
    *("api_port", "controller_port", "metrics_port", "predictor_port"),
    "predictor_metrics_port",
)
_LOG: Final = "prewire.log"
_SWITCH_DAEMONS: Final = {"ovs-vswitchd": "ovs-vswitchd", "switch database": "ovsdb-server"}
_LOG_SHOWN: Final = 4000  # characters
_IDLE_SECONDS: Final = 2.0  # the server closes a connection that is idle for 5
_READY_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Soaked:
    """The network, prewire's processes, and how they are reached."""

    net: RunningNetwork
    settings: Settings
    token: str
    children: list[Child]
    prometheus_pid: int

    @property
    def pids(self) -> dict[str, int]:
        """Processes whose use is looked at, those of Open vSwitch too."""
        found = {child.name: child.process.pid for child in self.children}
        for name, daemon in _SWITCH_DAEMONS.items():
            found[name] = int(Path(f"/run/openvswitch/{daemon}.pid").read_text())
        return found

    @property
    def pages(self) -> dict[str, str]:
        """URLs of metrics, by process."""
        given = self.settings
        return {
            "controller": f"http://127.0.0.1:{given.metrics_port}/metrics",
            "api": f"{given.api_url}/metrics",
            "predictor": f"http://127.0.0.1:{given.predictor_metrics_port}/metrics",
        }

    def client(self, **more: Any) -> httpx.Client:
        """A client of the REST server, as its operator; without TLS it needs no authorities."""
        headers = {"Authorization": f"Bearer {self.token}"}
        given: dict[str, Any] = {"headers": headers, "timeout": 30, "verify": False}
        given["limits"] = httpx.Limits(keepalive_expiry=_IDLE_SECONDS)
        return httpx.Client(base_url=self.settings.api_url, **given, **more)

    def look(self) -> Sample:
        """What all hold now, without pages of metrics."""
        bridges = [switch.bridge for switch in self.net.spec.switches]
        counts = {
            "namespaces": float(samples.namespaces()),
            "interfaces": float(samples.interfaces()),
            **samples.files(self.settings.state_dir, [_LOG]),
            **samples.rules(bridges),
            **samples.switch_memory(),
        }
        return Sample(time.monotonic(), samples.usages(self.pids), counts)

    def add_lasting(self) -> None:
        """The services and the policy that stay, of which traffic is made."""
        hosts = self.net.spec.containers
        with self.client() as http:
            _put(http, "services/web", {"vip": VIP, "port": 80, "policy": "least_inflight"})
            _put(http, "services/dns", {"vip": UDP_VIP, "port": UDP_PORT, "protocol": "udp"})
            for host in hosts:
                place = {"address": host.address, "iface_id": host.name}
                _put(http, f"services/web/containers/{host.name}", {**place, "port": 8080})
                _put(http, f"services/dns/containers/{host.name}", {**place, "port": UDP_PORT})
            _put(http, "policies/to-web", {"destination": "web", "max_bps": "2G"})
            _put(http, "services/web/scaling", {"concurrency": 4, "max_containers": 8})
            _put(http, "policies/to-web/provisioning", {"rates": "max", "floor_bps": "500M"})

    def await_settled(self) -> None:
        """Return when every switch is connected and has all that is wanted."""
        wanted = {switch.dpid_hex16 for switch in self.net.spec.switches}
        links = len(self.net.spec.trunks)

        def is_settled(status: dict[str, Any]) -> bool:
            connected = {each["dpid"] for each in status["switches"] if each["connected"]}
            is_whole = status["links"] >= links and not status["links_with_problem"]
            return connected >= wanted and is_whole and not status["behind"]

        with self.client() as http:
            until(
                lambda: dict(http.get("/v1/status").raise_for_status().json()),
                is_settled,
                "all switches and links are up and up to date",
                _READY_SECONDS,
            )

    def check_alive(self) -> None:
        """AssertionError where one of prewire's processes has ended."""
        ended = [child.name for child in self.children if child.process.poll() is not None]
        assert not ended, f"ended: {', '.join(ended)}"


@contextmanager
def soaked() -> Iterator[Soaked]:
    """All of it is up inside the body, and gone after it. As root."""
    spec = leaf_spine(2, 2, containers=2, clients=2)
    ports = free_ports(*_PORTS) | {"access": "tokens"}
    with (
        short_directory() as directory,
        short_directory() as scraped,
        openvswitch.ensure_running(),
        prometheus(scraped, _scraping(ports)) as server,
    ):
        given = settings.load(
            state_dir=directory,
            nib="",
            log_level="warning",
            stats_seconds=2.0,
            audit_seconds=20.0,
            refit_minutes=5,
            prometheus=server.url,
            **ports,
        )
        write_a_day(given.state_dir / "history.sqlite", "web", "to-web")
        log, target = directory / _LOG, f"tcp:127.0.0.1:{given.controller_port}"
        with up.running(given, log) as children, running(spec, [target]) as net:
            token = token_for(given.api_url, given) or ""
            site = Soaked(net, given, token, children, server.process.pid)
            try:
                site.await_settled()
                yield site
            except BaseException:
                sys.stderr.write(log.read_text()[-_LOG_SHOWN:])
                raise


def _put(http: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """Applied; tried again where the machine is so busy that the database is late."""

    def put() -> httpx.Response:
        return http.put(f"/v1/{path}", json=body, params={"wait": "applied"})

    answer = until(put, lambda given: given.status_code < 500, f"PUT {path}", _READY_SECONDS)
    answer.raise_for_status()


def _scraping(ports: dict[str, Any]) -> str:
    names = ("metrics_port", "api_port", "predictor_metrics_port")
    targets = ", ".join(f'"127.0.0.1:{ports[name]}"' for name in names)
    return f"""global: {{scrape_interval: 5s}}
scrape_configs:
  - job_name: prewire
    static_configs: [{{targets: [{targets}]}}]
"""
