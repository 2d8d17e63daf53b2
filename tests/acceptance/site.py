"""A network with prewire in control of its switch, and what a test does with both."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.acceptance.deployment import Deployment
from tests.waiting import until
from topologies.hosts import Hosts
from topologies.processes import run
from topologies.spec import HostSpec

VIP: Final = "10.0.0.100"
VIP_MAC: Final = "02:70:77:76:69:70"
SERVICE: Final = "/v1/services/web"

# For what no framework has a part in: handlers, sending, starts and ends differ, the rest does not.
ON_OS_KEN: Final = pytest.mark.parametrize("deployment", ["os-ken"], indirect=True)

_PROGRAMS: Final = Path(__file__).parent / "in_host"
_NAME: Final = "%header{X-Container}\\n"


@dataclass(frozen=True, slots=True)
class Site:
    """The network `net`, and `prewire` that controls its switch `bridge`."""

    net: Hosts
    prewire: Deployment
    vip: str = VIP

    @property
    def bridge(self) -> str:
        """The one switch."""
        return self.net.spec.switches[0].bridge

    @property
    def dpid(self) -> str:
        """Its datapath id."""
        return self.net.spec.switches[0].dpid_hex16

    def container(self, name: str) -> HostSpec:
        """A container's host."""
        return self.net.spec.host(name)

    def add_service(
        self,
        protocol: str = "tcp",
        port: int = 80,
        vip: str = VIP,
        service: str = "web",
        **more: Any,
    ) -> Any:
        """A service, by default `web`."""
        body = {"vip": vip, "port": port, "protocol": protocol, **more}
        return self.prewire.put(f"/v1/services/{service}", body)

    def add(self, *names: str, port: int = 8080, service: str = "web", **more: Any) -> None:
        """Register containers by the iface-id of their switch port."""
        vip = self.prewire.http.get(f"/v1/services/{service}").json()["vip"]
        for name in names:
            host = self.container(name)
            address = host.address6 if ":" in vip else host.address
            body = {"address": address, "port": port, "iface_id": name, **more}
            self.prewire.put(f"/v1/services/{service}/containers/{name}", body)

    def of_container(self, name: str, service: str = "web") -> dict[str, Any]:
        """A container as REST shows it."""
        answer = self.prewire.http.get(f"/v1/services/{service}/containers/{name}")
        return dict(answer.raise_for_status().json())

    def of_service(self, service: str = "web") -> dict[str, Any]:
        """A service as REST shows it."""
        return dict(self.prewire.http.get(f"/v1/services/{service}").raise_for_status().json())

    def report(self, *reports: dict[str, Any]) -> dict[str, Any]:
        """Report of containers, `{"container": "c1", "words": "50%"}` each; of `web` by default."""
        body = {"reports": [{"service": "web", **each} for each in reports]}
        return dict(self.prewire.http.post("/v1/reports", json=body).raise_for_status().json())

    def await_slots(self, wanted: dict[str, int], service: str = "web") -> dict[str, int]:
        """Return when the containers have this many slots each, or one more or less.

        A share that is no whole number of slots is rounded as moves the fewest. 0 is 0.
        """

        def slots() -> dict[str, int]:
            return {name: self.of_container(name, service)["slots"] for name in wanted}

        def are_as_wanted(held: dict[str, int]) -> bool:
            return all(abs(held[name] - n) <= (n > 0) for name, n in wanted.items())

        held = until(slots, are_as_wanted, f"slots are {wanted}")
        until(self.missing, lambda missing: missing == 0, "the switch holds what is wanted")
        return held

    def missing(self) -> int:
        """How many rules the switch lacks, as read back when it is at rest."""
        answer = self.prewire.http.post(f"/v1/switches/{self.dpid}/diff")
        return int(answer.raise_for_status().json()["missing"])

    def add_by_port(self, *names: str, port: int = 8080) -> None:
        """Register containers by switch, port and MAC address."""
        for name in names:
            host = self.container(name)
            dpid, switch_port = self.net.spec.port_of(name)
            place = {"switch": dpid, "switch_port": switch_port, "mac": host.mac}
            body = {"address": host.address, "port": port, **place}
            self.prewire.put(f"{SERVICE}/containers/{name}", body)

    def remove(self, name: str, **params: Any) -> int:
        """Take a container out of service; returns the status code."""
        return self.prewire.delete(f"{SERVICE}/containers/{name}", **params).status_code

    def get(self, count: int, url: str = f"http://{VIP}/", host: str = "client") -> Counter[str]:
        """Answers by container to this many requests, each on a connection of its own."""
        script = (
            'for i in $(seq "$1"); do curl -s -o /dev/null -m 5 -w "$2" "$3" || echo failed; done'
        )
        done = self.net.run(host, ["sh", "-c", script, "get", str(count), _NAME, url], 60)
        return Counter(line or "no answer" for line in done.stdout.splitlines())

    def ofctl(self, *arguments: str) -> str:
        """Run ovs-ofctl on the bridge: `ofctl("dump-flows")`."""
        command, *rest = arguments
        return run(["ovs-ofctl", "-O", "OpenFlow13", command, self.bridge, *rest])

    @contextmanager
    def talk(self, to: str = VIP, port: int = 80, source_port: int | None = None) -> Iterator[Talk]:
        """A keep-alive HTTP connection from the client host."""
        pipe = subprocess.PIPE
        argv = [sys.executable, str(_PROGRAMS / "talk.py"), to, str(port)]
        argv += [] if source_port is None else [str(source_port)]
        with self.net.popen("client", argv, stdin=pipe, stdout=pipe) as process:
            yield Talk(process)

    @contextmanager
    def load(self, connections: int = 6, at_least: int = 0, pause_ms: int = 0) -> Iterator[Load]:
        """HTTP load on the VIP inside the body; its figures afterwards."""
        pipe = subprocess.PIPE
        argv = [sys.executable, str(_PROGRAMS / "load.py"), VIP, "80"]
        argv += [str(connections), str(at_least), str(pause_ms)]
        with self.net.popen("client", argv, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n", "the load has not begun"
            load = Load()
            yield load
            out, complaint = process.communicate(timeout=130)
            assert process.returncode == 0, complaint.decode()
            load.result = json.loads(out)

    @contextmanager
    def udp_server(self, name: str, port: int) -> Iterator[None]:
        """A UDP echo server in a container."""
        argv = [sys.executable, str(_PROGRAMS / "udp_echo.py")]
        argv += [self.container(name).address, str(port), name]
        with self.net.popen(name, argv, stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n", f"the UDP server of {name} fails"
                yield
            finally:
                process.kill()

    def ask_udp(self, count: int, port: int, to: str = VIP) -> Counter[str]:
        """Who answered to two datagrams from each of this many source ports."""
        argv = [sys.executable, str(_PROGRAMS / "udp_ask.py"), to, str(port), str(count)]
        return Counter(self.net.run("client", argv, 60).stdout.splitlines())

    def ask_udp_from(self, source_port: int, port: int, to: str = VIP) -> str:
        """Who answered to a datagram from this port of the client host; "" for nobody."""
        argv = [sys.executable, str(_PROGRAMS / "udp_ask_from.py"), to, str(port), str(source_port)]
        return self.net.run("client", argv, 20).stdout.strip()

    def conntrack(self) -> list[str]:
        """What the switch's conntrack holds."""
        return run(["ovs-appctl", "dpctl/dump-conntrack"]).splitlines()

    def forget_connections(self) -> None:
        """Have the switch's conntrack hold nothing."""
        run(["ovs-appctl", "dpctl/flush-conntrack"])


class Load:
    """What came of a load, when it has ended."""

    def __init__(self) -> None:
        self.result: dict[str, Any] = {}

    def assert_none_failed(self) -> None:
        """Every request was answered."""
        failures, requests = self.result["failures"], self.result["requests"]
        assert not failures, f"{failures} of {requests} failed, as {self.result['reasons']}"


class Talk:
    """A connection held open by `in_host/talk.py`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def get(self, path: str = "/") -> str:
        """The container that answered; `failed …` where none did."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it could not connect, and says so
            self._process.stdin.write(path.encode() + b"\n")
            self._process.stdin.flush()
        return self._process.stdout.readline().decode().strip() or "failed: the client ended"
