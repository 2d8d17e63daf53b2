"""Switches that cannot do what prewire needs, and strangers on the OpenFlow port."""

from __future__ import annotations

import itertools
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import httpx
import pytest

from prewire import up
from prewire.settings import Settings, load
from tests.commands import one_line, run_here
from tests.places import free_ports, short_directory
from tests.switch.openflow_peer import Peer
from tests.switch.rest_server import problem
from tests.waiting import until

HELLO_FAILED: Final = 0
SERVICE: Final = {"vip": "10.0.0.100", "port": 80}


class Running:
    """`prewire up` without the switches of this machine."""

    def __init__(self, settings: Settings, http: httpx.Client) -> None:
        self.settings = settings
        self.http = http

    def switch(self, dpid: str) -> dict[str, Any]:
        """The switch as REST shows it; {} while it is unknown."""
        answer = self.http.get(f"/v1/switches/{dpid}")
        return dict(answer.json()) if answer.is_success else {}

    def await_switch(self, dpid: str, holds: Callable[[dict[str, Any]], object], what: str) -> None:
        until(lambda: self.switch(dpid), holds, f"switch {dpid} {what}")

    def forget(self, peer: Peer) -> None:
        """Have the switch leave, and the database know it no more."""
        peer.leave()
        self.await_switch(peer.dpid, lambda seen: not seen.get("connected"), "is away")
        self.http.delete(f"/v1/switches/{peer.dpid}")

    def assert_well(self) -> None:
        """A switch without faults is programmed, and metrics are there."""
        with Peer(self.settings.controller_port, 0xFF) as good:
            self.await_switch(good.dpid, is_well, "is programmed")
            self.forget(good)
        metrics = f"http://127.0.0.1:{self.settings.metrics_port}/metrics"
        assert httpx.get(metrics, timeout=60).is_success


def is_well(switch: dict[str, Any]) -> bool:
    return bool(switch and switch["connected"] and switch["applied"] and not switch["problem"])


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with short_directory() as directory:
        settings = load(state_dir=directory, switch_db="", stats_seconds=0.2, **free_ports())
        log = directory / "log"
        with (
            up.running(settings, log),
            httpx.Client(base_url=settings.api_url, timeout=60) as client,
        ):
            assert client.put("/v1/services/web", json=SERVICE).status_code == 201
            yield Running(settings, client)
        text = log.read_text()
    assert "Traceback" not in text, text


def test_a_switch_without_faults(running: Running) -> None:
    running.assert_well()


def test_a_switch_without_select_groups_is_shown_with_its_remedy(running: Running) -> None:
    with Peer(running.settings.controller_port, 2, select_groups=False) as peer:
        running.await_switch(peer.dpid, lambda seen: seen.get("problem"), "has a problem")
        shown = running.switch(peer.dpid)
        assert "no select groups" in shown["problem"]
        assert "use Open vSwitch" in shown["problem"]
        assert (shown["connected"], shown["name"]) == (False, "fake2"), "no packet is led there"
        status = running.http.get("/v1/status").json()
        assert status["behind"] == [peer.dpid]
        command = ("status", "--api", running.settings.api_url)
        assert "no select groups" in run_here(*command).stdout
        late = running.http.put(
            "/v1/services/web", json=SERVICE, params={"wait": "applied", "timeout": 0.2}
        )
        assert "no select groups" in problem(late, 504)["detail"]
        assert (peer.flow_mods, peer.read_backs) == (0, []), "it is left alone"
        running.forget(peer)
    running.assert_well()


def test_a_switch_without_conntrack_is_shown_and_retried_ever_more_slowly(running: Running) -> None:
    with Peer(running.settings.controller_port, 3, conntrack=False) as peer:
        running.await_switch(peer.dpid, lambda seen: seen.get("problem"), "has a problem")
        shown = running.switch(peer.dpid)["problem"]
        assert "refused" in shown
        assert "with conntrack" in shown
        assert peer.dpid in running.http.get("/v1/status").json()["behind"]
        until(lambda: list(peer.read_backs), lambda times: len(times) >= 4, "it is tried again")
        times = peer.read_backs[:4]
        waits = [after - before for before, after in itertools.pairwise(times)]
        assert waits == sorted(waits), f"waits between attempts grow: {waits}"
        assert waits[-1] > 0.9, waits
        running.forget(peer)
    running.assert_well()


def test_a_switch_that_went_away_is_named_by_504_and_the_change_is_kept(running: Running) -> None:
    with Peer(running.settings.controller_port, 4) as peer:
        running.await_switch(peer.dpid, is_well, "is programmed")
        peer.leave()
        running.await_switch(peer.dpid, lambda seen: not seen["connected"], "is away")
    before = running.http.get("/v1/status").json()["generation"]
    late = running.http.put(
        "/v1/services/late",
        json={"vip": "10.0.0.101", "port": 80},
        params={"wait": "applied", "timeout": 0.2},
    )
    found = problem(late, 504)
    assert f"fake4 ({peer.dpid}) is not connected" in found["detail"]
    assert running.http.get("/v1/services/late").status_code == 200
    assert running.http.get("/v1/status").json()["generation"] == before + 1
    diff = problem(running.http.post(f"/v1/switches/{peer.dpid}/diff"), 409)
    assert "not connected" in diff["detail"]
    command = ("service", "set", "late", "--vip", "10.0.0.102", "--port", "80", "--wait")
    assert running.http.delete(f"/v1/switches/{peer.dpid}").status_code == 204
    assert run_here(*command, "--api", running.settings.api_url).returncode == 0
    assert running.http.delete("/v1/services/late").status_code == 204


def test_a_switch_that_acknowledges_nothing_is_named(running: Running) -> None:
    with Peer(running.settings.controller_port, 5, barriers=False) as peer:
        until(lambda: peer.flow_mods, bool, "it is programmed")
        late = running.http.put(
            "/v1/services/web",
            json={**SERVICE, "port": 81},
            params={"wait": "applied", "timeout": 0.3},
        )
        assert f"fake5 ({peer.dpid})" in problem(late, 504)["detail"]
        running.forget(peer)


def test_a_switch_that_speaks_only_openflow_10_is_refused(running: Running) -> None:
    with Peer(running.settings.controller_port, 6, version=1) as peer:
        assert peer.closed.wait(60), "the controller closes the connection"
        assert [kind for kind, _ in peer.errors] == [HELLO_FAILED]
    assert running.switch(peer.dpid) == {}
    running.assert_well()


GARBAGE: Final = (
    b"GET / HTTP/1.1\r\nHost: prewire\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    struct.pack("!BBHI", 4, 0, 4, 1),  # shorter than its own header
    struct.pack("!BBHI", 4, 0, 0, 1),
    struct.pack("!BBHI", 4, 200, 8, 1),  # no such message
    b"\x00" * 4096,
    # after a hello: a packet-in, features and statistics, all cut short or senseless
    struct.pack("!BBHIBBHI", 4, 0, 8, 1, 4, 10, 8, 2),
    struct.pack("!BBHIBBHI", 4, 0, 8, 1, 4, 6, 32, 2) + b"\xff" * 24,
    struct.pack("!BBHIBBHI", 4, 0, 8, 1, 4, 19, 24, 2) + b"\xff" * 16,
)


def test_garbage_on_the_openflow_port_disturbs_nobody(running: Running) -> None:
    place = ("127.0.0.1", running.settings.controller_port)
    with ExitStack() as strangers:
        for sent in (*GARBAGE, *(os.urandom(512) for _ in range(20))):
            strangers.enter_context(socket.create_connection(place)).sendall(sent)
        running.assert_well()
    running.assert_well()


def test_the_command_line_says_where_no_server_answers() -> None:
    port = free_ports("api_port")["api_port"]
    for url in (f"http://127.0.0.1:{port}", "nonsense", "http://[1", "http://127.0.0.1:x"):
        said = one_line(run_here("status", "--api", url))
        assert said.startswith("prewire: api: ")
        assert "--api" in said


def test_the_command_line_says_that_a_server_is_another_one(running: Running) -> None:
    metrics = f"http://127.0.0.1:{running.settings.metrics_port}"
    assert "not as a prewire server does" in one_line(run_here("status", "--api", metrics))
