"""How long `PUT container ?wait=applied` takes on one real switch, and where the time goes.

A Mininet network with one Open vSwitch bridge, all prewire processes, SERVICES services of three
containers. Each request changes one container's port: the switch gets new flows and answers
barriers before the request returns. Beside it, in the same run and in turn, two parts of the way:
a request that changes nothing and need not wait (HTTP and a view of the database), and one that is
committed without waiting for the switch. Times in milliseconds; the share of a request that is the
machine's own noise shows in the first.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from prewire import settings, up
from prewire.ports import free_port
from topologies.mininet_net import running
from topologies.openvswitch import ensure_running
from topologies.spec import NetworkSpec, single_switch

SERVICES = 10
ROUNDS = 400
KINDS = ("no change", "stored", "applied")


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
        with (
            ensure_running(),
            up.running(given, Path(directory) / "log"),
            running(spec, [controller]),
            httpx.Client(base_url=given.api_url, timeout=30) as client,
        ):
            _register(client, spec, options.services)
            times = _measured(client, spec, options)
    _report(times, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=SERVICES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _register(client: httpx.Client, spec: NetworkSpec, services: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        switches = client.get("/v1/switches").json()["items"]
        if sum(port["iface_id"] is not None for each in switches for port in each["ports"]) >= 3:
            break
    for number in range(services):
        body = {"vip": f"10.0.{1 + number // 200}.{1 + number % 200}", "port": 80}
        client.put(f"/v1/services/s{number}", json=body).raise_for_status()
        for host in spec.containers:
            body = {"address": host.address, "port": 10000 + 2 * number, "iface_id": host.name}
            path = f"/v1/services/s{number}/containers/{host.name}"
            client.put(path, json=body).raise_for_status()
    client.put("/v1/services/s0", json={"vip": "10.0.1.1", "port": 80}, params={"wait": "applied"})


def _measured(
    client: httpx.Client, spec: NetworkSpec, options: argparse.Namespace
) -> dict[str, list[float]]:
    """Milliseconds of each request, by kind; the kinds take turns."""
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    host = spec.containers[0]
    for turn in range(options.rounds):
        number = turn % options.services
        path = f"/v1/services/s{number}/containers/{host.name}"
        port = 10000 + 2 * number + (turn // options.services) % 2
        other = 10000 + 2 * number + (turn // options.services + 1) % 2
        body: dict[str, Any] = {"address": host.address, "iface_id": host.name}
        times["stored"].append(_timed(lambda: client.put(path, json=body | {"port": port})))  # noqa: B023
        client.put(path, json=body | {"port": port}, params={"wait": "applied"})
        times["applied"].append(
            _timed(
                lambda: client.put(path, json=body | {"port": other}, params={"wait": "applied"})
            )  # noqa: B023
        )
        times["no change"].append(_timed(lambda: client.put(path, json=body | {"port": other})))  # noqa: B023
    return times


def _timed(request: Callable[[], httpx.Response]) -> float:
    began = time.perf_counter()
    request().raise_for_status()
    return (time.perf_counter() - began) * 1000


def _report(times: dict[str, list[float]], options: argparse.Namespace) -> None:
    rows = {kind: _quantiles(values) for kind, values in times.items()}
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    if options.json:
        print(json.dumps({"services": options.services, "machine": machine, "ms": rows}))
        return
    print(f"PUT container on one switch, {options.services} services, {machine}; milliseconds")
    print(f"{'':12}{'n':>6}{'min':>8}{'p50':>8}{'p90':>8}{'p99':>8}{'max':>8}")
    for kind, row in rows.items():
        print(
            f"{kind:12}" + "".join(f"{value:8.1f}" for value in row.values()).replace(".0", "", 1)
        )


def _quantiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {
        "n": len(values),
        "min": min(values),
        "p50": cuts[49],
        "p90": cuts[89],
        "p99": cuts[98],
        "max": max(values),
    }


if __name__ == "__main__":
    main()
