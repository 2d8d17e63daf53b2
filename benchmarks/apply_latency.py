"""How long `PUT container ?wait=applied` takes on one real switch, and where the time goes.

A Mininet network with one Open vSwitch bridge, all prewire processes, ten services of three
containers. An `applied` request changes one container's port: the switch gets new flows and answers
barriers before the request returns. In turn with it run two parts of the way: `no change` (HTTP,
and a look at the database that finds nothing to do) and `stored` (committed, not waited for).

Absolute times are this machine's, and include what its other programs took; compare the rows.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from prewire import settings, up
from prewire.ports import free_port
from topologies.mininet_net import running
from topologies.openvswitch import ensure_running
from topologies.spec import HostSpec, NetworkSpec, single_switch

SERVICES: Final = 10
ROUNDS: Final = 400
READY_SECONDS: Final = 30.0


class Api:
    """One keep-alive connection to the REST server."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer; RuntimeError unless it is a success."""
        content = None if body is None else json.dumps(body)
        self._http.request(method, path, content, {"Content-Type": "application/json"})
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
        return json.loads(text)

    def timed(self, path: str, body: Any) -> float:
        """Milliseconds of a PUT."""
        began = time.perf_counter()
        self.call("PUT", path, body)
        return (time.perf_counter() - began) * 1000


def main() -> None:
    """The command: prints a table, or JSON with --json."""
    options = _options()
    spec = single_switch(3)
    with tempfile.TemporaryDirectory(prefix="prewire-bench-") as directory:
        given = settings.load(
            state_dir=Path(directory),
            log_level="warning",
            api_port=free_port(8686),
            controller_port=free_port(6653),
            metrics_port=free_port(9686),
        )
        controller = f"tcp:127.0.0.1:{given.controller_port}"
        log = Path(directory) / "log"
        with ensure_running(), up.running(given, log), running(spec, [controller]):
            api = Api(given.api_port)
            _await_ports(api, spec)
            _register(api, spec, options.services)
            times = _measured(api, spec.containers[0], options)
    _report(times, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=SERVICES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _await_ports(api: Api, spec: NetworkSpec) -> None:
    wanted = {host.name for host in spec.containers}
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        switches = api.call("GET", "/v1/switches")["items"]
        if wanted <= {port["iface_id"] for switch in switches for port in switch["ports"]}:
            return
    raise RuntimeError(f"the switch's ports were not known within {READY_SECONDS} s")


def _register(api: Api, spec: NetworkSpec, services: int) -> None:
    for number in range(services):
        vip = f"10.0.{1 + number // 200}.{1 + number % 200}"
        api.call("PUT", f"/v1/services/s{number}", {"vip": vip, "port": 80})
        for host in spec.containers:
            api.call("PUT", _path(number, host), _body(number, host, 0))
    api.call("PUT", _path(0, spec.containers[0]) + "?wait=applied", _body(0, spec.containers[0], 1))


def _measured(api: Api, host: HostSpec, options: argparse.Namespace) -> dict[str, list[float]]:
    """Milliseconds of each request, by kind; the kinds take turns, each change is a new one."""
    times: dict[str, list[float]] = {"no change": [], "stored": [], "applied": []}
    for turn in range(options.rounds):
        number = turn % options.services
        path, wait = _path(number, host), "?wait=applied"
        variant = 2 + 2 * (turn // options.services % 2)
        times["applied"].append(api.timed(path + wait, _body(number, host, variant)))
        times["no change"].append(api.timed(path, _body(number, host, variant)))
        times["stored"].append(api.timed(path, _body(number, host, variant + 1)))
        api.call("PUT", path + wait, _body(number, host, variant + 1))  # let it settle
    return times


def _path(number: int, host: HostSpec) -> str:
    return f"/v1/services/s{number}/containers/{host.name}"


def _body(number: int, host: HostSpec, variant: int) -> dict[str, object]:
    return {"address": host.address, "port": 10000 + 10 * number + variant, "iface_id": host.name}


def _report(times: dict[str, list[float]], options: argparse.Namespace) -> None:
    rows = {kind: _quantiles(values) for kind, values in times.items()}
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    if options.json:
        print(json.dumps({"services": options.services, "machine": machine, "ms": rows}))
        return
    print(f"PUT container, one switch, {options.services} services, {options.rounds} rounds")
    print(f"{machine}; milliseconds")
    print(f"{'':12}" + "".join(f"{name:>8}" for name in next(iter(rows.values()))))
    for kind, row in rows.items():
        print(f"{kind:12}" + "".join(f"{value:8.1f}" for value in row.values()))


def _quantiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    shown = {"min": min(values), "p50": cuts[49], "p90": cuts[89], "p99": cuts[98]}
    return shown | {"max": max(values)}


if __name__ == "__main__":
    main()
