"""A service without containers: refused at once, or held until one is there."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.acceptance.site import SERVICE, VIP, Site
from tests.waiting import until

pytestmark = pytest.mark.root


def asked(site: Site, url: str = f"http://{VIP}/", timeout: int = 10) -> tuple[int, float]:
    """curl's exit code (7: refused, 28: timed out) and how long it took."""
    began = time.monotonic()
    done = site.net.run("client", ["curl", "-s", "-o", "/dev/null", "-m", str(timeout), url])
    return done.returncode, time.monotonic() - began


@pytest.mark.measures
@pytest.mark.parametrize("vip", [VIP, "fd70:77::100"])
def test_connections_are_refused_at_once(site: Site, vip: str) -> None:
    site.add_service(vip=vip)
    code, took = asked(site, f"http://[{vip}]/" if ":" in vip else f"http://{vip}/")
    assert code == 7
    assert took < 1


def test_a_refused_connection_is_demand(site: Site) -> None:
    site.add_service()
    asked(site)
    demand = until(
        lambda: site.prewire.http.get("/v1/demand").json()["items"],
        lambda items: items,
        "demand is in the database",
    )
    assert demand[0]["service"] == "web"
    assert demand[0]["packets"] >= 1
    site.add("c1")
    assert site.get(3) == {"c1": 3}
    until(
        lambda: site.prewire.http.get("/v1/demand").json()["items"],
        lambda items: not items,
        "demand is met",
    )


@pytest.mark.measures
def test_a_held_connection_goes_through_when_a_container_comes(site: Site) -> None:
    """Without waiting for the client to send its SYN again."""
    site.add_service(on_empty="hold")
    argv = ["curl", "-s", "-m", "10", "-w", "%{time_total}", "-o", "/dev/null", f"http://{VIP}/"]
    with site.net.popen("client", argv, stdout=subprocess.PIPE) as held:
        until(
            lambda: site.prewire.http.get("/v1/demand").json()["items"],
            lambda items: items,
            "demand is in the database",
        )
        began = time.monotonic()
        site.add("c1")
        out, _ = held.communicate(timeout=60)
        took = time.monotonic() - began
        assert held.returncode == 0, f"curl ended with {held.returncode}"
    assert took < 0.9, f"{took} s after registration, {out.decode()} s in all"


@pytest.mark.measures
def test_a_flood_to_an_empty_service_leaves_the_controller_at_work(site: Site) -> None:
    site.add_service(on_empty="hold")
    site.add_service(vip="10.0.0.101", service="api")
    flood = [sys.executable, "-c", _FLOOD, VIP]
    before = held(site)
    with site.net.popen("client", flood) as running:
        until(lambda: held(site), lambda count: count > before, "the flood has come")
        for _ in range(5):
            began = time.monotonic()
            site.add("c1", service="api")
            site.prewire.delete("/v1/services/api/containers/c1", drain=0)
            assert time.monotonic() - began < 2
        running.wait(60)
    site.add("c1")
    assert site.get(5) == {"c1": 5}
    assert site.prewire.http.get(SERVICE).json()["ready"] == 1


def held(site: Site) -> float:
    """How many packets the controller has held back."""
    return site.prewire.counter("prewire_punted_packets_total", reason="hold")


_FLOOD = """
import socket, sys, time
end = time.monotonic() + 4
sent = 0
while time.monotonic() < end and sent < 40000:
    for _ in range(50):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((sys.argv[1], 80))
        sock.close()
        sent += 1
    time.sleep(0.005)
"""
