"""prewire on DPDK: balancing, checks of health, limits and guarantees, all with traffic.

c1 and c2 are containers of service `web`; the gateway host is one of service `jobs`.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Final

import pytest

from tests.acceptance import qos
from tests.switch.dpdk_site import DpdkSite, dpdk_site
from tests.waiting import until
from topologies import iperf

pytestmark = [pytest.mark.root, pytest.mark.measures]

M: Final = 1_000_000
LINK: Final = 50 * M
SECONDS: Final = 3.0
SETTLED: Final = 1.5
HEALTH: Final = {"kind": "tcp", "interval_ms": 300, "timeout_ms": 300, "rise": 1, "fall": 2}


@pytest.fixture(scope="module")
def running() -> Iterator[DpdkSite]:
    """The switch and prewire, for all tests here."""
    with dpdk_site(2) as site:
        yield site


@pytest.fixture
def site(running: DpdkSite) -> Iterator[DpdkSite]:
    """Without services, policies and connections."""
    running.prewire.clear()
    running.forget_connections()
    yield running
    running.prewire.clear()


def test_http_through_the_vip_reaches_both_containers(site: DpdkSite) -> None:
    site.add_service()
    site.add("c1", "c2")
    answers = site.get(40)
    assert set(answers) == {"c1", "c2"}, answers


def test_a_connection_stays_with_its_container_when_that_is_removed(site: DpdkSite) -> None:
    site.add_service()
    site.add("c1", "c2")
    with site.talk() as talk:
        name = talk.get()
        site.remove(name)
        assert talk.get() == name
        assert name not in site.get(10)


def test_health_is_checked_through_a_port_of_the_dpdk_bridge(site: DpdkSite) -> None:
    site.net.stop_server("c2", signal.SIGKILL)
    try:
        site.add_service(health=HEALTH)
        site.add("c1", "c2")
        for name, wanted in (("c1", "ready"), ("c2", "down")):
            await_state(site, name, wanted)
        assert site.get(10) == {"c1": 10}
    finally:
        site.net.start_server("c2")
    await_state(site, "c2", "ready")


def await_state(site: DpdkSite, name: str, wanted: str) -> None:
    """Return when a container is that."""
    until(
        lambda: site.of_container(name)["state"],
        lambda state: state == wanted,
        f"{name} is {wanted}",
    )


def test_a_meter_lets_its_limit_through(site: DpdkSite) -> None:
    site.add_service()
    site.add("c1")
    qos.set_policy(site, "limit", destination="web", max_bps="10M")
    with iperf.serving(site.net, "c1"):
        address = site.container("c1").address
        flow = iperf.start_udp(site.net, "client", address, 20 * M, SECONDS).flow()
    assert flow.steady(SETTLED) == pytest.approx(10 * M, rel=0.05)


def test_a_guarantee_is_kept_by_a_policer_beside_twice_the_link(site: DpdkSite) -> None:
    site.add_service()
    site.add("c1")
    site.add_service(vip="10.0.0.101", service="jobs")
    site.add("gateway", service="jobs")
    qos.state_rate(site, "c1", LINK)
    qos.set_policy(site, "flood", source="jobs", destination="web", of="bulk")
    qos.set_policy(site, "sure", destination="web", of="interactive", guaranteed_bps="20M")
    qos.await_queues(site, "c1")
    assert qos.bandwidth(site, "c1")["method"] == "trtcm-policer"

    with iperf.serving(site.net, "c1", 5201, 5202):
        address = site.container("c1").address
        flood = iperf.start_udp(site.net, "gateway", address, 2 * LINK, SECONDS, port=5201)
        sure = iperf.start_udp(site.net, "client", address, 20 * M, SECONDS, port=5202)
        assert sure.flow().steady(SETTLED) >= 0.97 * 20 * M
        # what bulk is sure of, and perhaps of what no class is sure of: never what was guaranteed
        assert 0.045 * LINK <= flood.flow().steady(SETTLED) <= 0.63 * LINK
    await_counted(site, "c1", "interactive", 0.9 * 20 * M / 8 * SECONDS)


def await_counted(site: DpdkSite, host: str, of_class: str, size: float) -> None:
    """Return when so many bytes were counted of a class's queue at a host's port."""
    port = site.net.spec.port_of(host)[1]
    until(
        lambda: site.prewire.counter("prewire_queue_bytes_total", port=port, **{"class": of_class}),
        lambda counted: counted >= size,
        f"{size:.0f} bytes are counted of class {of_class}",
    )


def test_queues_go_with_the_last_policy(site: DpdkSite) -> None:
    site.add_service()
    site.add("c1")
    qos.state_rate(site, "c1", LINK)
    qos.set_policy(site, "limit", destination="web", max_bps="10M")
    qos.await_queues(site, "c1")
    site.prewire.delete("/v1/policies/limit")
    until(
        lambda: site.net.switch.vsctl("--bare", "--columns=_uuid", "list", "QoS"),
        lambda rows: not rows.strip(),
        "no QoS row is left",
    )
