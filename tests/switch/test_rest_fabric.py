"""Routes and commands on the fabric against a real REST server; the controller's part is played by
rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from nib.database import Nib
from nib.draft import Draft
from nib.records import Global, Host, Leader, Link, Port, Switch
from tests.commands import one_line, run_here
from tests.switch.rest_server import DPID, RestServer, problem, serving
from tests.waiting import until

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


class Prewire:
    """The command line, and rows that others write."""

    def __init__(self, server: RestServer, nib: Nib) -> None:
        self.http = server.http
        self._api = {"PREWIRE_API": server.settings.api_url}
        self._nib = nib

    def __call__(self, *words: str) -> str:
        done = run_here(*words, env=self._api)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def read(self, *words: str) -> Any:
        return json.loads(self(*words, "-o", "json"))

    def refused(self, *words: str) -> str:
        return one_line(run_here(*words, env=self._api))

    def write(self, *records: Any) -> None:
        """Rows as others write them."""

        def change(draft: Draft) -> None:
            for record in records:
                draft.put(record)

        self._nib.write(change).result(10)

    def shown(self, text: str, *words: str) -> None:
        """The command's output has this text, as soon as the server heard of the rows."""
        until(lambda: self(*words), lambda printed: text in printed, f"{words} shows {text}")

    @property
    def database(self) -> str:
        with self._nib.view() as view:
            return view.need(Global, ()).database


@pytest.fixture(scope="module")
def prewire() -> Iterator[Prewire]:
    with serving() as server, Nib(server.settings.nib_remote, "test") as nib:
        running = Prewire(server, nib)
        running.write(*ROWS)
        running.shown("controller-2", "status")
        yield running


def cells(printed: str) -> list[list[str]]:
    return [line.split() for line in printed.splitlines()[1:]]


def test_links(prewire: Prewire) -> None:
    (row,) = cells(prewire("links"))
    assert row == [DPID, "br0", "up1", SPINE, "spine", "eth1", "yes", "yes", "1G", "-"]
    (seen,) = prewire.read("links", "--switch", "spine")["items"]
    assert (seen["switch"], seen["peer"], seen["capacity_bps"]) == (SPINE, DPID, 10**9)
    assert "no switch 'leaf9'" in prewire.refused("links", "--switch", "leaf9")
    found = problem(prewire.http.get("/v1/links", params={"switch": "leaf9"}), 422)
    assert found["field"] == "switch"


def test_hosts(prewire: Prewire) -> None:
    heard, attached = cells(prewire("hosts"))[::-1]
    assert heard == [HEARD, "10.0.0.9", DPID, "br0", "veth9", "learned", "-", "its", "port", "is",
                     "down"]  # fmt: skip
    assert attached[4] == "veth1"
    assert prewire.http.get(f"/v1/hosts/{HEARD}").json()["port"] == "veth9"
    assert problem(prewire.http.get("/v1/hosts/nobody"), 404)["field"] == "path"
    assert prewire.read("hosts", "--switch", "spine") == {"items": []}


def test_topology(prewire: Prewire) -> None:
    assert prewire("topology").splitlines() == [
        "layer 1",
        "  spine  to br0",
        "layer 0",
        "  br0    to spine; 2 stations",
    ]
    assert [each["layer"] for each in prewire.read("topology")["switches"]] == [0, 1]
    assert f'"{DPID}" -- "{SPINE}" [label="1G"' in prewire("topology", "--dot")


def test_status_tells_leader_database_and_broken_links(prewire: Prewire) -> None:
    told = prewire("status")
    assert f"leader controller-2 in epoch 7, database {prewire.database}\n" in told
    assert "carry nothing" not in told
    down = replace(ROWS[1], up=False)
    prewire.write(down)
    prewire.shown("links that carry nothing: 1 of 1", "status")
    assert f"port eth1 of {SPINE} is down" in prewire("links")
    prewire.write(ROWS[1])


def test_a_packet_is_explained_from_switch_to_switch(prewire: Prewire) -> None:
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


def test_taking_over_another_databases_network(prewire: Prewire) -> None:
    before = prewire.http.get("/v1/status").json()["generation"]
    assert prewire("adopt") == f"database {prewire.database} takes over the network of: no other\n"
    assert "1a2b3c4d" in prewire("adopt", "1a2b3c4d")
    assert prewire.read("adopt", "1a2b3c4d")["predecessors"] == ["1a2b3c4d"]
    assert prewire.http.get("/v1/status").json()["generation"] == before, "intent is the same"
    for bad in ("1A2B3C4D", "1a2b3c4", "", prewire.database):
        found = problem(prewire.http.post("/v1/adopt", json={"database": bad}), 422)
        assert found["field"] == "database", found
    assert problem(prewire.http.post("/v1/adopt", json={}), 422)["field"] == "database"
    assert "this database itself" in prewire.refused("adopt", prewire.database)
    assert "eight hex digits" in prewire.refused("adopt", "0x1a2b")


def test_a_heard_host_is_forgotten(prewire: Prewire) -> None:
    prewire.write(Host("02:00:00:00:00:22", DPID, "veth9"))
    prewire.shown("02:00:00:00:00:22", "hosts")
    answer = prewire.http.delete("/v1/hosts/02:00:00:00:00:22")
    assert (answer.status_code, answer.text) == (204, "")
    assert "there is no host" in prewire.refused("host", "forget", "02:00:00:00:00:22")
    assert "attached-mac" in prewire.refused("host", "forget", "02:00:00:00:00:11")
    assert "Ethernet" in prewire.refused("host", "forget", "../services/web")


def test_a_switch_is_forgotten_and_its_containers_are_named(prewire: Prewire) -> None:
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
    assert prewire.http.delete("/v1/services/web").status_code == 204
