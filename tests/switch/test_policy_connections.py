"""max_connections of a policy: a real switch, controller and node agent, and real connections."""

from __future__ import annotations

import errno
import selectors
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from nib.intent import Service
from nib.qos import Policy, PolicyConnections
from nib.watch import Batch
from openflow.cookies import Cookie, Kind
from prewire import processes
from prewire.host.port import outer_name
from tests import commands
from tests.switch.punt_site import BRIDGE, DPID, VIP, Host, Site
from tests.waiting import until

pytestmark = pytest.mark.root

WEB: Final = Service("web", VIP, 80)
SHOP: Final = Service("shop", "10.1.0.2", 80)
LIMIT: Final = 10
LIMITED: Final = Policy("limited", "shop", "web", max_connections=LIMIT)
PATIENCE_S: Final = 2.5  # SYNs are sent again after one second
COOKIE_MASK: Final = 0xFF00_00FF_FFFF_FFFF


class Shop:
    """A service's container that connects to a web server, another machine that does, and the
    node agent that counts their connections."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.shop, web, self.stranger = site.hosts
        self._server = web.listen(8080)
        containers = (site.container(WEB, web, 8080), site.container(SHOP, self.shop, 8080))
        site.put(WEB, SHOP, *containers, LIMITED)
        self._accepted: dict[tuple[str, int], socket.socket] = {}
        self._made: list[socket.socket] = []

    def connect(self, host: Host, count: int) -> list[socket.socket]:
        """Connections that are let in."""
        return [self._connection(host) for _ in range(count)]

    def _connection(self, host: Host) -> socket.socket:
        made = self._socket(host)
        made.connect((VIP, 80))
        accepted, client = self._server.accept()
        self._accepted[client] = accepted
        return made

    def knock(self, host: Host, count: int) -> list[socket.socket]:
        """SYNs are sent; nothing is waited for."""
        made = [self._socket(host) for _ in range(count)]
        for each in made:
            each.setblocking(False)
            assert each.connect_ex((VIP, 80)) == errno.EINPROGRESS
        return made

    def _socket(self, host: Host) -> socket.socket:
        made = host.tcp()
        self._made.append(made)
        return made

    def is_alive(self, connection: socket.socket) -> bool:
        """Whether a byte gets there and back."""
        accepted = self._accepted[connection.getsockname()]
        connection.sendall(b"?")
        accepted.settimeout(2)
        accepted.sendall(accepted.recv(1))
        return connection.recv(1) == b"?"

    def hang_up(self, connections: Sequence[socket.socket]) -> None:
        """Both ends close."""
        for each in connections:
            accepted = self._accepted.pop(each.getsockname())
            each.close()
            assert accepted.recv(1) == b""
            accepted.close()

    def await_open(self, count: int) -> None:
        """Return when the policy's row says so."""

        def row() -> int:
            with self.site.nib.view() as view:
                return sum(each.open for each in view.policy_connections("limited"))

        until(row, lambda seen: seen == count, f"{count} connections are counted")

    def await_gate(self, *, closed: bool) -> None:
        """Return when the switch has, or has no, flow that drops new connections."""
        with self.site.nib.view() as view:
            cookie = Cookie(Kind.POLICY, view.need(Policy, "limited").number).value
        chosen = f"table=75,cookie={cookie:#x}/{COOKIE_MASK:#x}"

        def drops() -> bool:
            return "tcp_flags" in self.site.ovs.ofctl("dump-flows", BRIDGE, chosen)

        until(drops, lambda seen: seen is closed, f"the gate is {'closed' if closed else 'open'}")

    def close(self) -> None:
        """Nothing is left open."""
        for each in (*self._made, *self._accepted.values(), self._server):
            each.close()


def made_it(knocking: Sequence[socket.socket], within_s: float) -> int:
    """How many connections are made in this time."""
    deadline = time.monotonic() + within_s
    made = 0
    with selectors.DefaultSelector() as waiting:
        for each in knocking:
            waiting.register(each, selectors.EVENT_WRITE)
        while waiting.get_map() and (left_s := deadline - time.monotonic()) > 0:
            for key, _ in waiting.select(left_s):
                waiting.unregister(key.fileobj)
                made += 1
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with ExitStack() as stack:
        site = stack.enter_context(Site(tmp_path / "controller.log"))
        made = Shop(site)
        stack.callback(made.close)
        stack.callback(_end, _agent(site, tmp_path / "node.log"))
        until(
            lambda: site.ovs.ofctl("show", BRIDGE),
            lambda text: outer_name(DPID) in text,
            f"the node agent is at work; see {tmp_path}",
            60,
        )
        yield made
    assert "Traceback" not in site.log, site.log[-4000:]
    assert "Traceback" not in (tmp_path / "node.log").read_text()


def _agent(site: Site, log: Path) -> subprocess.Popen[bytes]:
    inside = ("nsenter", f"--net=/proc/{site.ovs.vswitchd_pid}/ns/net", "--")
    settings = {
        "PREWIRE_NIB": site.nib.remote,
        "PREWIRE_SWITCH_DB": site.ovs.database,
        "PREWIRE_NODE_POLL_MS": "100",
        "PATH": site.ovs.environment["PATH"],
    }
    with log.open("wb") as output:
        return subprocess.Popen(
            [*processes.tied(), *inside, *commands.command("node")],
            env=commands.environment(settings),
            stdin=subprocess.DEVNULL,
            stderr=output,
        )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(60)


def test_as_many_connections_as_the_policy_allows_and_no_more(shop: Shop) -> None:
    held = shop.connect(shop.shop, LIMIT)
    shop.await_open(LIMIT)
    shop.await_gate(closed=True)

    knocking = shop.knock(shop.shop, LIMIT)
    assert made_it(knocking, PATIENCE_S) == 0, "the 11th to the 20th are not let in"
    assert all(map(shop.is_alive, held)), "those that are there go on"
    others = shop.connect(shop.stranger, 2 * LIMIT)
    assert all(map(shop.is_alive, others)), "nobody else is touched"
    for each in knocking:
        each.close()

    shop.hang_up(held[:3])
    shop.await_open(LIMIT - 3)
    shop.await_gate(closed=False)
    more = shop.connect(shop.shop, 3)
    assert all(map(shop.is_alive, (*held[3:], *more)))
    shop.await_gate(closed=True)
    assert made_it(shop.knock(shop.shop, 1), PATIENCE_S) == 0


def test_what_knocks_is_let_in_when_others_leave(shop: Shop) -> None:
    held = shop.connect(shop.shop, LIMIT)
    shop.await_gate(closed=True)
    knocking = shop.knock(shop.shop, 1)
    assert made_it(knocking, 0.5) == 0
    shop.hang_up(held[:1])
    assert made_it(knocking, 5) == 1, "its SYN came again"


def test_far_from_the_limit_rows_are_rare(shop: Shop) -> None:
    shop.site.put(Policy("limited", "shop", "web", max_connections=1000))
    writes = 0

    def heard(batch: Batch) -> None:
        nonlocal writes
        writes += sum(each.kind is PolicyConnections for each in batch.changes)

    watch = shop.site.nib.watch(heard)
    try:
        for _ in range(20):
            shop.connect(shop.shop, 2)
        shop.await_open(40)  # every ten seconds it is exact
    finally:
        watch.close()
    assert writes <= 2
