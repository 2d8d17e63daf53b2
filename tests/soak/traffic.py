"""Traffic through VIPs, stations that nobody saw before, and switches that are lost and come back.

Requests that fail while a switch restarts are counted, and no more: who loses what is the matter
of other tests.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE, TimeoutExpired
from typing import Final

from benchmarks.load import wrk
from tests.acceptance.site import VIP
from tests.soak.pages import Made
from tests.soak.site import UDP_PORT, UDP_VIP, Soaked
from tests.soak.workers import Worker
from topologies.errors import NetworkError
from topologies.openvswitch import set_controllers
from topologies.spec import interface_name

_TESTS: Final = Path(__file__).parents[1]
_UDP_ECHO: Final = _TESTS / "acceptance" / "in_host" / "udp_echo.py"
_UDP_ASK: Final = _TESTS / "acceptance" / "in_host" / "udp_ask.py"
_STRANGERS: Final = Path(__file__).parent / "in_host" / "strangers.py"
_STRANGERS_ADDRESSES: Final = "10.0.128.0/17"
_AT_A_TIME: Final = 10
_CONNECTIONS: Final = "-c4"


class Unanswered(Exception):
    """No connection: the switch just starts."""


class Traffic:
    """The turns of each kind. disturbed_every_s: how often something befalls a switch."""

    def __init__(self, site: Soaked, made: Made, seed: int, disturbed_every_s: float) -> None:
        self._site = site
        self._made = made
        self._random = random.Random(seed)
        self._every_s = disturbed_every_s
        self._strangers = 0
        self.requests = 0
        self.failed_requests = 0
        self.answered = {"udp": 0, "strangers": 0}

    @property
    def workers(self) -> list[Worker]:
        """All kinds."""
        slow = (NetworkError, TimeoutExpired, Unanswered)
        return [
            Worker("requests", 15.0, self._keep_alive, slow),
            Worker("connections", 12.0, self._new_connections, slow),
            Worker("datagrams", 6.0, self._datagrams, slow),
            Worker("strangers", 6.0, self._new_stations, slow),
            Worker("disturbances", self._every_s, self._disturb, slow),
        ]

    @contextmanager
    def servers(self) -> Iterator[None]:
        """UDP servers in all containers, and the addresses of strangers."""
        net = self._site.net
        net.run("client", ["ip", "route", "add", "local", _STRANGERS_ADDRESSES, "dev", "lo"])
        with ExitStack() as stack:
            for host in net.spec.containers:
                argv = [sys.executable, str(_UDP_ECHO), host.address, str(UDP_PORT), host.name]
                process = stack.enter_context(net.popen(host.name, argv, stdout=PIPE))
                stack.callback(process.kill)
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n", f"no UDP server in {host.name}"
            yield

    def _keep_alive(self) -> None:
        self._load(5, [])

    def _new_connections(self) -> None:
        self._load(2, ["-H", "Connection: close"])

    def _load(self, seconds: int, more: list[str]) -> None:
        argv = ["wrk", "-t1", _CONNECTIONS, f"-d{seconds}s", "--latency", *more, f"http://{VIP}/"]
        done = self._site.net.run("client", argv, timeout_s=seconds + 30)
        if done.returncode:
            raise Unanswered(done.stderr.strip())
        found = wrk.parse(done.stdout)
        self.requests += round(found.requests_s * seconds)
        self.failed_requests += found.errors

    def _datagrams(self) -> None:
        argv = [sys.executable, str(_UDP_ASK), UDP_VIP, str(UDP_PORT), "20"]
        told = self._site.net.run("cli2", argv, 130).stdout.splitlines()
        self.answered["udp"] += sum(not line.startswith("failed") for line in told)

    def _new_stations(self) -> None:
        first, self._strangers = self._strangers, self._strangers + _AT_A_TIME
        device = interface_name("client", 0)
        argv = [sys.executable, str(_STRANGERS), device, str(first), str(_AT_A_TIME), VIP]
        done = self._site.net.run("client", argv, 60)
        assert done.returncode == 0, done.stderr
        self.answered["strangers"] += int(done.stdout)

    def _disturb(self) -> None:
        """Of one switch at random: a new start, a new connection, or a link that is cut a while."""
        net, site = self._site.net, self._site
        switch = self._random.choice(net.spec.switches)
        kind = self._random.randrange(3)
        if kind == 0:
            net.fabric.restart(switch.name)
            self._made.note("switch", switch.dpid_hex16, at=time.monotonic())
        elif kind == 1:
            set_controllers(switch.bridge, [f"tcp:127.0.0.1:{site.settings.controller_port}"])
        else:
            link = self._random.choice(net.spec.trunks)
            net.fabric.cut(link.a, link.b)
            try:
                net.run("client", ["sleep", "3"])
            finally:
                net.fabric.mend(link.a, link.b)
