"""Limits: what a policy's traffic may have, by whichever way it goes, and what others keep."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.acceptance import qos
from tests.acceptance.site import ON_OS_KEN, Site
from tests.waiting import until
from topologies import iperf

pytestmark = [pytest.mark.root, pytest.mark.measures, ON_OS_KEN]

LIMIT = 10_000_000
OFFERED = 2 * LIMIT

ENDS = {
    "pair": {"source": "shop", "destination": "db"},
    "destination only": {"destination": "db"},
    "source only": {"source": "shop"},
}
PORTS = {4: 5201, 6: 5202}  # of c1, by the version of IP


@pytest.fixture
def served(site: Site) -> Iterator[Site]:
    """iperf3 listens in c1 and c2; no policy yet."""
    with iperf.serving(site.net, "c1", 5201, 5202), iperf.serving(site.net, "c2", 5201):
        yield site


def add_behind_vip(site: Site, version: int) -> None:
    """Service `db` of this version of IP, with a port of iperf3, TCP and UDP, behind its VIP."""
    vip, port = qos.vip_of("db", version), PORTS[version]
    for protocol, name in (("udp", "db"), ("tcp", "dbctl")):
        service = qos.named(name, version)
        site.add_service(protocol, port=port, vip=vip, service=service)
        site.add("c1", port=port, service=service)


def limit(site: Site, ends: str, version: int) -> None:
    """A policy of its own for the services of this version of IP."""
    of = {end: qos.named(service, version) for end, service in ENDS[ends].items()}
    qos.set_policy(site, qos.named("slow", version), **of, max_bps=LIMIT)


def assert_each_is_limited(site: Site, addresses: dict[int, str]) -> None:
    """From c3 to these addresses at once, by the version of IP."""
    loads = [
        iperf.start_udp(site.net, "c3", to, OFFERED, 3, port=PORTS[version])
        for version, to in addresses.items()
    ]
    for flow in [load.flow() for load in loads]:
        qos.assert_limited(flow.steady(1), LIMIT)


def test_a_limit_holds_and_is_gone_with_its_policy(served: Site) -> None:
    qos.add_services(served)
    qos.set_policy(served, "slow", **ENDS["pair"], max_bps="10M")
    to = qos.address_of(served, "c1")

    qos.assert_limited(qos.udp(served, "c3", to, OFFERED), LIMIT)

    served.prewire.delete("/v1/policies/slow")
    assert qos.udp(served, "c3", to, OFFERED) > 1.8 * LIMIT
    assert qos.left_behind(served) == []


@pytest.mark.parametrize("ends", ENDS)
def test_a_limit_holds_directly(served: Site, ends: str) -> None:
    """With IPv4 and with IPv6: services, policies and loads beside each other."""
    for version in PORTS:
        qos.add_services(served, version=version)
        limit(served, ends, version)
    to = {version: qos.address_of(served, "c1", version) for version in PORTS}
    assert_each_is_limited(served, to)


@pytest.mark.parametrize("ends", ENDS)
def test_a_limit_holds_through_a_vip(served: Site, ends: str) -> None:
    """Likewise."""
    for version in PORTS:
        qos.add_services(served, "shop", version=version)
        add_behind_vip(served, version)
        limit(served, ends, version)
    assert_each_is_limited(served, {version: qos.vip_of("db", version) for version in PORTS})


def test_other_traffic_is_not_touched(served: Site) -> None:
    qos.add_services(served)
    qos.set_policy(served, "slow", **ENDS["pair"], max_bps=LIMIT)
    to, other = qos.address_of(served, "c1"), qos.address_of(served, "c2")
    limited = iperf.start_udp(served.net, "c3", to, OFFERED, 3)
    outside = iperf.start_udp(served.net, "gateway", to, OFFERED, 3, port=5202)
    elsewhere = iperf.start_udp(served.net, "c3", other, OFFERED, 3)
    qos.assert_limited(limited.flow().steady(1), LIMIT)
    assert outside.flow().steady(1) > 1.8 * LIMIT, "from no service to the same container"
    assert elsewhere.flow().steady(1) > 1.8 * LIMIT, "from the same container to another service"


def test_a_limit_of_packets_holds(served: Site) -> None:
    qos.add_services(served)
    qos.set_policy(served, "slow", **ENDS["pair"], max_pps=1000)
    frame_bits = 8 * (iperf.SIZE + 42)
    passed = qos.udp(served, "c3", qos.address_of(served, "c1"), 2000 * frame_bits)
    qos.assert_limited(passed, 1000 * frame_bits)


def test_tcp_makes_use_of_a_limit(served: Site) -> None:
    """With the burst a policy has by default."""
    qos.add_services(served)
    qos.set_policy(served, "slow", **ENDS["pair"], max_bps=LIMIT, burst_ms=1000)
    flow = iperf.start_tcp(served.net, "c3", qos.address_of(served, "c1"), 6).flow()
    goodput = flow.steady(2.5)
    assert 0.75 * LIMIT <= goodput <= 1.1 * LIMIT, f"{goodput / 1e6:.1f} Mb/s"


def test_a_limit_is_raised_and_lowered_under_traffic(served: Site) -> None:
    qos.add_services(served)
    qos.set_policy(served, "slow", **ENDS["pair"], max_bps=LIMIT)
    load = iperf.start_udp(served.net, "c3", qos.address_of(served, "c1"), 4 * LIMIT, 9)
    began = time.monotonic()
    changed = []
    for at, limit in ((3, 2 * LIMIT), (6, LIMIT)):
        qos.wait_until(began + at)
        qos.set_policy(served, "slow", **ENDS["pair"], max_bps=limit)
        changed.append(time.monotonic())
    flow = load.flow()
    qos.assert_limited(flow.rate(began + 1, began + 3), LIMIT)
    qos.assert_limited(flow.rate(changed[0] + 1, began + 6), 2 * LIMIT)
    qos.assert_limited(flow.rate(changed[1] + 1, began + 9), LIMIT)


def test_what_a_limit_drops_is_counted(served: Site) -> None:
    qos.add_services(served)
    qos.set_policy(served, "counted", **ENDS["pair"], max_bps=LIMIT)
    qos.udp(served, "c3", qos.address_of(served, "c1"), OFFERED)

    def counted(what: str) -> float:
        return served.prewire.counter(f"prewire_policy_{what}_bytes_total", policy="counted")

    offered = OFFERED / 8 * 3
    until(lambda: counted("offered"), lambda sum_: sum_ > 0.9 * offered, "all is counted")
    until(lambda: counted("dropped"), lambda sum_: sum_ > 0.3 * offered, "what was dropped too")
