"""Commands on services and containers against a real REST server; the controller's part is played
by rows."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from nib.observed import Connections, Demand, Ejected
from nib.records import LocalSlots, SlotTable
from nib.topology import Switch
from tests.switch.command_line import CommandLine
from tests.switch.rest_server import DPID
from tests.waiting import until

C1 = ("container", "set", "web", "c1", "--address", "10.0.0.11", "--port", "80",
      "--iface-id", "web-1")  # fmt: skip
C2 = ("container", "set", "web", "c2", "--address", "10.0.0.12", "--port", "80",
      "--iface-id", "web-2")  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[CommandLine]:
    with CommandLine.running() as prewire:
        yield prewire


@pytest.fixture
def prewire(running: CommandLine) -> CommandLine:
    """With a service `web` of c1 and c2 and nothing else."""
    http = running.server.http
    for service in http.get("/v1/services").json()["items"]:
        assert http.delete(f"/v1/services/{service['name']}").status_code == 204
    running("service", "set", "web", "--vip", "10.0.0.100", "--port", "80")
    running(*C1)
    running(*C2)
    return running


def test_a_service_with_all_options(prewire: CommandLine) -> None:
    given = (
        "service", "set", "all", "--vip", "10.0.0.101", "--port", "80", "--extra-port", "443:8443",
        "--extra-port", "53:5353/udp", "--policy", "source_affinity", "--affinity", "10m",
        "--on-empty", "hold", "--max-connections", "1000", "--slow-start", "30s",
        "--panic-percent", "20", "--health", "http", "--health-port", "8081", "--health-path",
        "/ready", "--health-status", "200-299", "--health-interval", "300ms", "--health-timeout",
        "200ms", "--health-rise", "1", "--health-fall", "2", "--eject", "30", "--eject-connections",
        "7", "--eject-window", "2s", "--eject-time", "5s", "--eject-most", "25", "--canary", "v2",
        "--canary-percent", "50", "--canary-step", "5", "--canary-step-every", "1m",
    )  # fmt: skip
    made = prewire.read(*given)
    assert made == prewire.read("service", "show", "all")
    assert made["extra_ports"] == [
        {"port": 443, "target": 8443, "protocol": "tcp"},
        {"port": 53, "target": 5353, "protocol": "udp"},
    ]
    assert (made["policy"], made["affinity_seconds"]) == ("source_affinity", 600)
    assert (made["on_empty"], made["max_connections"]) == ("hold", 1000)
    assert (made["slow_start_seconds"], made["panic_percent"]) == (30, 20)
    assert made["health"] == {
        "kind": "http", "port": 8081, "path": "/ready", "status_from": 200, "status_to": 299,
        "grpc_service": "", "interval_ms": 300, "timeout_ms": 200, "rise": 1, "fall": 2,
    }  # fmt: skip
    assert made["ejection"] == {
        "failure_percent": 30, "min_connections": 7, "window_ms": 2000, "eject_ms": 5000,
        "max_ejected_percent": 25,
    }  # fmt: skip
    assert (made["canary"]["percent"], made["canary"]["step_ms"]) == (50, 60_000)
    text = prewire("service", "show", "all")
    for words in ("source_affinity", "interval_ms 300", "443:8443/tcp", "present_percent 5"):
        assert words in text
    again = prewire.read("service", "set", "all", "--vip", "10.0.0.101", "--port", "80")
    assert (again["policy"], again["health"]) == ("weighted", None), "set replaces the whole"


def test_a_service_that_prefers_containers_of_the_clients_switch(prewire: CommandLine) -> None:
    given = ("service", "set", "web", "--vip", "10.0.0.100", "--port", "80")
    assert prewire.read(*given)["locality"] == "none"
    assert prewire.read(*given, "--locality", "prefer")["locality"] == "prefer"
    assert "locality           prefer" in prewire("service", "show", "web")
    assert prewire.read(*given)["switches"] == []
    assert prewire.read(*given, "--switch", "br0", "--switch", DPID)["switches"] == [DPID]
    assert f"switches           {DPID}" in prewire("service", "show", "web")
    assert "switches: no switch 's9' has connected" in prewire.refused(*given, "--switch", "s9")
    prewire(*given, "--locality", "prefer")
    number = prewire.number_of("c1")
    prewire.write(LocalSlots("web", DPID, (number,) * 64))
    assert prewire.read("service", "slots", "web")["local_slots"] == [
        {
            "switch": DPID,
            "slots_in_all": 64,
            "containers": [{"id": "c1", "slots": 64, "share": 1.0}],
        }
    ]
    assert f"clients of switch {DPID}, 64 slots:" in prewire("service", "slots", "web")
    near = ("--locality", "prefer", "--policy", "source_affinity", "--affinity", "10m")
    assert "locality" in prewire.refused(*given, *near)


def test_a_container_with_all_options(prewire: CommandLine) -> None:
    made = prewire.read(*C1, "--weight", "5", "--version", "v2", "--max-inflight", "8",
                        "--max-connections", "9", "--lease", "2m")  # fmt: skip
    assert (made["weight"], made["version"]) == (5, "v2")
    assert (made["max_inflight"], made["max_connections"]) == (8, 9)
    assert made["lease_seconds"] == 120
    text = prewire("container", "show", "web", "c1")
    for words in ("weight             5", "version            v2", "lease_until_ms"):
        assert words in text
    prewire("container", "renew", "web", "c1")
    assert "lease" in prewire.refused("container", "renew", "web", "c2")


def test_why_a_container_gets_nothing_is_told(prewire: CommandLine) -> None:
    prewire("container", "report", "web", "c1", "drain", "50%", "--inflight", "3")
    listed = until(
        lambda: prewire("container", "list", "web").splitlines(),
        lambda lines: "it reported drain" in lines[1],
        "the report is told",
    )
    assert "REASON" in listed[0]
    assert "fly" in prewire.refused("container", "report", "web", "c1", "fly")
    assert "c9" in prewire.refused("container", "report", "web", "c9", "drain")


def test_slots(prewire: CommandLine) -> None:
    first, second = prewire.number_of("c1"), prewire.number_of("c2")
    prewire.write(SlotTable("web", (first, second, first, first) * 16))
    until(
        lambda: prewire.read("service", "slots", "web")["slots_in_all"],
        lambda slots: slots == 64,
        "the slots are shown",
    )
    lines = prewire("service", "slots", "web").splitlines()
    assert [line.split() for line in lines[1:3]] == [["c1", "48", "0.75"], ["c2", "16", "0.25"]]
    assert lines[3].startswith("64 slots: c1 c2 c1 c1 c1 c2")


def test_status_tells_what_is_not_as_it_should_be(prewire: CommandLine) -> None:
    prewire("service", "set", "lone", "--vip", "10.0.0.102", "--port", "80", "--on-empty", "hold")
    prewire("service", "set", "web", "--vip", "10.0.0.100", "--port", "80", "--eject", "30")
    until_ms = round(time.time() * 1000) + 60_000
    prewire.write(Demand("lone", 1_000, 7), Ejected("web", "c1", until_ms, reason="9 of 10"))
    shown = until(
        lambda: prewire.read("status"), lambda told: told["ejected"], "the ejection is shown"
    )
    assert shown["containers"] == {"ready": 1, "ejected": 1}
    assert shown["services_without_containers"] == ["lone"]
    assert shown["demand"] == [{"service": "lone", "at_ms": 1_000, "packets": 7}]
    text = prewire("status")
    for words in ("2 services, containers: 1 ready", "1 ejected", "ejected: web/c1", "9 of 10",
                  "services without a container: lone", "demand: lone, 7 packets"):  # fmt: skip
        assert words in text


def test_draining_is_waited_for_with_progress(prewire: CommandLine) -> None:
    later = round(time.time() * 1000) + 600_000  # counted after draining began
    prewire.write(Connections("web", "c1", 0, later), Connections("web", "c2", 2, later))
    prewire.write(Switch(DPID, 1, "br0", connected=True, applied=99))
    words = ("--wait-drained", "--drain")
    done = prewire("container", "delete", "web", "c1", *words, "5m")
    assert re.fullmatch(r"draining: 0 connections, [0-9]+ s left\nsafe to stop\n", done)
    done = prewire("container", "delete", "web", "c2", *words, "1200ms")
    assert re.fullmatch(r"draining: 2 connections, [0-9]+ s left\nsafe to stop\n", done)
    assert prewire("container", "delete", "web", "c2", "--drain", "0", "--wait-drained") == (
        "gone, safe to stop\n"
    )
