"""What tests of quality of service do to a network: policies, measured loads, what is left of them.

c1 is a container of service `db`, c2 of `batch`, c3 of `shop`. Loads are short and far from what
the machine can do, and a limit's burst is a fifth of a second, so that it is used up soon.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from openflow import tables
from qos.pipeline import policy_of_meter
from tests.acceptance.site import Site
from tests.waiting import until
from topologies import iperf, openvswitch
from topologies.processes import run

SERVICES: Final = {"db": "c1", "batch": "c2", "shop": "c3"}
BURST_MS: Final = 200

# What a limit lets through of twice as much, at the least and most: a busy machine serves in gusts.
KEPT: Final = (0.80, 1.10)

_PROGRAMS: Final = Path(__file__).parent / "in_host"
_TABLES: Final = (tables.SOURCE, tables.DESTINATION, tables.POLICE, tables.PACE, tables.MARK)
_QUEUES_SECONDS: Final = 60.0
_SETTLED_S: Final = 1.0
_SECONDS: Final = 3.0


def add_services(site: Site, *services: str, version: int = 4) -> None:
    """These services, as `named`, with their container; by default all three."""
    for name in services or SERVICES:
        service = named(name, version)
        site.add_service("tcp", port=80, vip=vip_of(name, version), service=service)
        site.add(SERVICES[name], service=service)


def named(service: str, version: int) -> str:
    """What it is called by this version of IP: `db`, `db6`."""
    return service if version == 4 else f"{service}{version}"


def vip_of(service: str, version: int = 4) -> str:
    """The VIP of a service."""
    number = 110 + list(SERVICES).index(service)
    return f"10.0.0.{number}" if version == 4 else f"fd70:77::{number}"


def address_of(site: Site, host: str, version: int = 4) -> str:
    """A host's own address."""
    found = site.net.spec.host(host)
    address = found.address if version == 4 else found.address6
    assert address is not None
    return address


def set_policy(site: Site, name: str, **fields: Any) -> Any:
    """A policy, acknowledged by the switch; `of` is its class."""
    if "of" in fields:
        fields["class"] = fields.pop("of")
    return site.prewire.put(f"/v1/policies/{name}", {"burst_ms": BURST_MS, **fields})


def policy(site: Site, name: str) -> dict[str, Any]:
    """A policy as REST shows it."""
    return dict(site.prewire.http.get(f"/v1/policies/{name}").raise_for_status().json())


def state_rate(site: Site, host: str, bps: int) -> None:
    """State what the switch's port to a host can carry."""
    dpid, port = site.net.spec.port_of(host)
    site.prewire.put(f"/v1/link-rates/{dpid}/{port}", {"bps": bps})


def bandwidth(site: Site, host: str) -> dict[str, Any]:
    """The switch's port to a host as REST shows what it carries; {} where it is not shown."""
    dpid, port = site.net.spec.port_of(host)
    links = site.prewire.http.get("/v1/bandwidth").raise_for_status().json()["items"]
    return next((each for each in links if (each["switch"], each["port"]) == (dpid, port)), {})


def await_queues(site: Site, host: str) -> None:
    """Return when the port to a host has its queues, all in force."""

    def are_there(link: dict[str, Any]) -> bool:
        return bool(link.get("method")) and link["method"] != "none" and not link["problem"]

    until(lambda: bandwidth(site, host), are_there, f"{host} has queues", _QUEUES_SECONDS)


def udp(site: Site, source: str, to: str, bps: float, **more: Any) -> float:
    """Bits a second received of an offered load, when it has settled."""
    flow = iperf.start_udp(site.net, source, to, bps, _SECONDS, **more).flow()
    return flow.steady(_SETTLED_S)


def assert_limited(passed: float, limit: float) -> None:
    """The limit was kept and used."""
    least, most = KEPT
    part = passed / limit
    assert least <= part <= most, f"{passed / 1e6:.1f} Mb/s passed, {part:.2f} of the limit"


def wait_until(at: float) -> None:
    """Return at this time of `time.monotonic`: a load goes on meanwhile."""
    until(time.monotonic, lambda now: now >= at, "time passes", timeout_s=60)


@contextmanager
def marks(site: Site, host: str, address: str, port: int, count: int) -> Iterator[dict[int, int]]:
    """The marks of so many datagrams that come to a host: filled in when the body has ended."""
    found: dict[int, int] = {}
    pipe = subprocess.PIPE
    argv = [sys.executable, str(_PROGRAMS / "marks.py"), "listen", address, str(port), str(count)]
    with site.net.popen(host, argv, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield found
        out, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint.decode()
        found.update({int(mark): number for mark, number in json.loads(out).items()})


def send_marked(site: Site, source: str, to: tuple[str, int], count: int, tos: int) -> None:
    """So many datagrams that a host marks itself, to an address and port."""
    numbers = map(str, (to[1], count, tos))
    argv = [sys.executable, str(_PROGRAMS / "marks.py"), "send", to[0], *numbers]
    done = site.net.run(source, argv)
    assert done.returncode == 0, done.stderr


def left_behind(site: Site) -> list[str]:
    """What of quality of service a switch still has: meters, queues, their settings, tc."""
    known = map(int, re.findall(r"meter=(\d+)", site.ofctl("dump-meters")))
    meters = [f"meter {meter_id}" for meter_id in known if policy_of_meter(meter_id) is not None]
    rows = openvswitch.vsctl("--bare", "--columns=_uuid", "list", "QoS").split()
    rows += openvswitch.vsctl("--bare", "--columns=_uuid", "list", "Queue").split()
    shaped = [
        line
        for port in site.net.spec.switch_interfaces()
        for line in run(["tc", "qdisc", "show", "dev", port]).splitlines()
        if "noqueue" not in line
    ]
    flows = [
        line.strip()
        for table in _TABLES
        for line in site.ofctl("dump-flows", f"table={table.number}").splitlines()
        if "priority=0" not in line and "table=" in line
    ]
    return [*meters, *rows, *shaped, *flows]
