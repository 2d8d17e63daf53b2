"""Routes and commands on the fabric against a real REST server; the controller's part is played by
rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from nib.records import Global, Leader
from nib.topology import Host, Link, Port, Switch
from tests.switch.command_line import CommandLine
from tests.switch.rest_server import DPID, problem

SPINE = "0000000000000011"
GONE = "0000000000000099"
HEARD = "02:00:00:00:00:21"
ROWS = (
    Switch(SPINE, 2, "spine", connected=True),
    Port(SPINE, "eth1", 1, "02:00:00:00:02:01", up=True, speed_bps=10**10),
    Port(DPID, "up1", 20, "02:00:00:00:01:14", up=True, speed_bps=10**9),
    Link(DPID, "up1", SPINE, "eth1"),
    Link(SPINE, "eth1", DPID, "up1"),
    Host(HEARD, DPID, "veth9", frozenset({"10.0.0.9"})),
    Leader(7, "controller-2", 3),
)


def database_of(prewire: CommandLine) -> str:
    with prewire.nib.view() as view:
        return view.need(Global, ()).database


@pytest.fixture(scope="module")
def prewire() -> Iterator[CommandLine]:
    with CommandLine.running() as running:
        running.write(*ROWS)
        running.shown("controller-2", "status")
        yield running


def cells(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines()[1:]]


def test_links(prewire: CommandLine) -> None:
    (row,) = cells(prewire("links"))
    assert row == [DPID, "br0", "up1", SPINE, "spine", "eth1", "yes", "yes", "1G", "-"]
    (seen,) = prewire.read("links", "--switch", "spine")["items"]
    assert (seen["switch"], seen["peer"], seen["capacity_bps"]) == (SPINE, DPID, 10**9)
    assert "no switch 'leaf9'" in prewire.refused("links", "--switch", "leaf9")
    found = problem(prewire.server.http.get("/v1/links", params={"switch": "leaf9"}), 422)
    assert found["field"] == "switch"


def test_hosts(prewire: CommandLine) -> None:
    heard, attached = cells(prewire("hosts"))[::-1]
    assert heard == [HEARD, "10.0.0.9", DPID, "br0", "veth9", "learned", "-", "its", "port", "is",
                     "down"]  # fmt: skip
    assert attached[4] == "veth1"
    assert prewire.server.http.get(f"/v1/hosts/{HEARD}").json()["port"] == "veth9"
    assert problem(prewire.server.http.get("/v1/hosts/nobody"), 404)["field"] == "path"
    assert prewire.read("hosts", "--switch", "spine") == {"items": [], "next": None}


def test_topology(prewire: CommandLine) -> None:
    assert prewire("topology").splitlines() == [
        "layer 1",
        "  spine  to br0",
        "layer 0",
        "  br0    to spine; 2 stations",
    ]
    assert [each["layer"] for each in prewire.read("topology")["switches"]] == [0, 1]
    assert f'"{DPID}" -- "{SPINE}" [label="1G"' in prewire("topology", "--dot")


def test_status_tells_leader_database_and_broken_links(prewire: CommandLine) -> None:
    told = prewire("status")
    assert f"leader controller-2 in epoch 7, database {database_of(prewire)}\n" in told
    assert "carry nothing" not in told
    down = replace(ROWS[1], up=False)
    prewire.write(down)
    prewire.shown("links that carry nothing: 1 of 1", "status")
    assert f"port eth1 of {SPINE} is down" in prewire("links")
    prewire.write(ROWS[1])


def test_a_packet_is_explained_from_switch_to_switch(prewire: CommandLine) -> None:
    there = Host("02:00:00:00:00:31", SPINE, "eth2")
    prewire.write(Port(SPINE, "eth2", 2, "02:00:00:00:02:02", up=True), there)
    prewire.shown(there.mac, "hosts")
    told = prewire("explain", f"in_port=1,udp,dl_dst={there.mac}", "--switch", "br0").splitlines()
    assert [line for line in told if line.startswith("switch ")] == [
        f"switch br0 ({DPID})",
        f"switch spine ({SPINE})",
    ]
    assert "br0: route to spine by port 20 (up1); shown is port 20 (up1)" in told
    assert told[-1] == "leaves: port 2 of spine"
    flow = f"table=90,priority=80,dl_dst={there.mac},actions=group:0x60000002"
    told = prewire("explain", flow, "--switch", "br0").splitlines()
    assert told[-1] == f"route   to switch spine ({SPINE})"
    prewire("host", "forget", there.mac)


def test_taking_over_another_databases_network(prewire: CommandLine) -> None:
    before = prewire.server.http.get("/v1/status").json()["generation"]
    assert (
        prewire("adopt") == f"database {database_of(prewire)} takes over the network of: no other\n"
    )
    assert "1a2b3c4d" in prewire("adopt", "1a2b3c4d")
    assert prewire.read("adopt", "1a2b3c4d")["predecessors"] == ["1a2b3c4d"]
    assert prewire.server.http.get("/v1/status").json()["generation"] == before, (
        "intent is the same"
    )
    for bad in ("1A2B3C4D", "1a2b3c4", "", database_of(prewire)):
        found = problem(prewire.server.http.post("/v1/adopt", json={"database": bad}), 422)
        assert found["field"] == "database", found
    assert problem(prewire.server.http.post("/v1/adopt", json={}), 422)["field"] == "database"
    assert "this database itself" in prewire.refused("adopt", database_of(prewire))
    assert "eight hex digits" in prewire.refused("adopt", "0x1a2b")


def test_a_heard_host_is_forgotten(prewire: CommandLine) -> None:
    prewire.write(Host("02:00:00:00:00:22", DPID, "veth9"))
    prewire.shown("02:00:00:00:00:22", "hosts")
    answer = prewire.server.http.delete("/v1/hosts/02:00:00:00:00:22")
    assert (answer.status_code, answer.text) == (204, "")
    assert "there is no host" in prewire.refused("host", "forget", "02:00:00:00:00:22")
    assert "attached-mac" in prewire.refused("host", "forget", "02:00:00:00:00:11")
    assert "Ethernet" in prewire.refused("host", "forget", "../services/web")


def test_a_switch_is_forgotten_and_its_containers_are_named(prewire: CommandLine) -> None:
    prewire.write(Switch(GONE, 9, "old"), Port(GONE, "eth1", 1, "02:00:00:00:09:01"))
    prewire.shown(GONE, "switch", "list")
    prewire("service", "set", "web", "--vip", "10.0.0.100", "--port", "80")
    prewire("container", "set", "web", "c1", "--address", "10.0.0.11", "--port", "80",
            "--mac", "02:00:00:00:00:19", "--switch", "old", "--switch-port", "eth1")  # fmt: skip
    assert "is connected" in prewire.refused("switch", "forget", DPID)
    told = prewire("switch", "forget", GONE)
    assert told == "registered there, without a place now: web/c1\n"
    assert "there is no switch" in prewire.refused("switch", "forget", GONE)
    assert prewire.read("container", "show", "web", "c1")["placed"] is False
    assert GONE not in prewire("hosts")
    assert prewire.server.http.delete("/v1/services/web").status_code == 204
