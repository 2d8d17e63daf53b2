"""The node agent's view of connections: real ones through a real switch, in the database."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway_lb.lifecycle import draining
from nib.intent import Container, Service
from nib.observed import Connections
from nib.topology import Switch
from tests.switch.node_site import CLIENT, DPID, VIP, Site, container, site
from tests.waiting import until

pytestmark = pytest.mark.root

WEB = Service("web", VIP, 80)

# Opens a connection at every line it reads that says so; closes the oldest, or all at its end.
CLIENT_CODE = """
import socket, sys
held = []
for line in sys.stdin:
    if line.strip() == "open":
        held.append(socket.create_connection((sys.argv[1], 80), 5))
    else:
        held.pop(0).close()
    print("done", flush=True)
"""


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as made:
        yield made


class Client:
    """Holds connections to the VIP."""

    def __init__(self, here: Site) -> None:
        host = here.host("client", CLIENT)
        self._process = host.popen("python3", "-c", CLIENT_CODE, VIP)

    def say(self, *words: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for word in words:
            self._process.stdin.write(f"{word}\n")
            self._process.stdin.flush()
            assert self._process.stdout.readline() == "done\n"

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def client(here: Site) -> Iterator[Client]:
    made = Client(here)
    yield made
    made.close()


def test_open_connections_of_each_container_as_they_come_and_go(here: Site, client: Client) -> None:
    one, two = here.host("one", "10.0.0.1"), here.host("two", "10.0.0.2")
    servers = [here.serve(host, "tcp") for host in (one, two)]
    here.register(WEB, one=one, two=two)
    with here.agent():
        client.say(*["open"] * 12)
        counts = until(
            lambda: [here.open(name) or 0 for name in ("one", "two")],
            lambda seen: sum(seen) == 12,
            "all are counted",
        )
        assert min(counts) > 0, "both containers have some"
        here.write(lambda draft: draft.put(draining(container(WEB, "two", two), 0, 10**9)))
        client.say(*["close"] * 12)
        servers[1].kill()
        until(lambda: here.open("two"), lambda seen: seen == 0, "none is left")


def test_a_container_that_matters_has_a_row_from_the_first_and_a_fresh_one(here: Site) -> None:
    hosts = [here.host(name, f"10.0.0.{place}") for place, name in enumerate(("a", "b", "c"), 1)]
    capped = replace(WEB, name="capped", port=81, max_connections=5)
    here.register(WEB, a=hosts[0])
    here.register(capped, b=hosts[1])
    here.register(replace(WEB, name="busy", port=82, policy="least_inflight"), c=hosts[2])
    with here.agent():
        until(lambda: here.open("b", "capped"), lambda seen: seen == 0, "the capped one")
        until(lambda: here.open("c", "busy"), lambda seen: seen == 0, "the least busy")
        assert here.open("a") is None
        with here.nib.view() as view:
            first = view.need(Connections, ("capped", "b", DPID)).at_ms

        def at_ms() -> int:
            with here.nib.view() as view:
                return view.need(Connections, ("capped", "b", DPID)).at_ms

        until(at_ms, lambda seen: seen > first, "it is written again", 60)


OTHER = f"{2:016x}"
OTHER_ZONE = 6
ENDS = (bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)))


def connect_through_the_other(here: Site, number: int, ports: range) -> None:
    """As clients there would: UDP connections that the bridge's conntrack remembers for it."""
    remember = f"ct(commit,zone={OTHER_ZONE},exec(set_field:{number}->ct_mark))"
    for port in ports:
        out = f"in_port=controller packet={datagram(port).hex()} actions={remember}"
        here.ovs.ofctl("packet-out", "br1", out)


def datagram(port: int) -> bytes:
    """An Ethernet frame with an empty UDP datagram from this port."""
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, *ENDS)
    total = sum(struct.unpack(">10H", header))
    check = ~(total % 0xFFFF) & 0xFFFF
    ip = header[:10] + struct.pack(">H", check) + header[12:]
    return bytes.fromhex("020000000002 020000000001 0800") + ip + struct.pack(">4H", port, 53, 8, 0)


def test_each_switch_counts_the_connections_that_enter_there(here: Site, client: Client) -> None:
    """The container is behind the first bridge; clients come in by both."""
    here.ovs.add_bridge("br1", dpid=2)
    here.write(lambda draft: draft.put(Switch(OTHER, OTHER_ZONE, "br1", connected=True)))
    one = here.host("one", "10.0.0.1")
    server = here.serve(one, "tcp")
    here.register(WEB, one=one)
    with here.nib.view() as view:
        number = view.need(Container, ("web", "one")).number
    old = Connections("web", "one", 99, 1)  # of before there were several switches
    here.write(lambda draft: draft.put(old))
    with here.agent():
        client.say(*["open"] * 3)
        connect_through_the_other(here, number, range(1000, 1002))
        until(lambda: here.open("one"), lambda seen: seen == 5, "all are counted", 60)
        with here.nib.view() as view:
            rows = {row.switch: row.open for row in view.connections_of("web", "one")}
        assert rows == {DPID: 3, OTHER: 2}
        here.write(lambda draft: draft.put(draining(container(WEB, "one", one), 0, 10**9)))
        client.say(*["close"] * 3)
        server.kill()
        until(lambda: here.open("one"), lambda seen: seen == 2, "those of one switch are left")
        here.ovs.appctl("dpctl/flush-conntrack", f"zone={OTHER_ZONE}")
        until(lambda: here.open("one"), lambda seen: seen == 0, "none is left")
