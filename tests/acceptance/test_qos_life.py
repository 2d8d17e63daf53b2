"""Policies over their life: before there is a container, and after the policy is deleted."""

from __future__ import annotations

import pytest

from tests.acceptance import qos
from tests.acceptance.site import ON_OS_KEN, Site
from tests.waiting import until
from topologies import iperf

pytestmark = pytest.mark.root

LIMIT = 10_000_000


@pytest.mark.measures
def test_a_policy_waits_for_a_container_and_then_holds(site: Site) -> None:
    qos.add_services(site, "shop")
    site.add_service("tcp", port=80, vip=qos.vip_of("db"), service="db")
    qos.set_policy(site, "slow", source="shop", destination="db", max_bps=LIMIT)
    assert qos.policy(site, "slow")["state"] == "waiting"
    assert "db" in qos.policy(site, "slow")["reason"]

    site.add("c1", service="db")

    until(lambda: qos.policy(site, "slow"), lambda it: it["state"] == "active", "it is active")
    with iperf.serving(site.net, "c1"):
        passed = qos.udp(site, "c3", qos.address_of(site, "c1"), 2 * LIMIT)
    qos.assert_limited(passed, LIMIT)


def test_nothing_is_left_of_deleted_policies(site: Site) -> None:
    qos.add_services(site)
    qos.state_rate(site, "c1", 100_000_000)
    fields = {"of": "interactive", "guaranteed_bps": "10M", "max_bps": "20M", "max_pps": 5000}
    qos.set_policy(site, "pair", source="shop", destination="db", **fields)
    qos.set_policy(site, "all", destination="db", max_bps="50M")
    qos.await_queues(site, "c1")
    assert qos.left_behind(site)

    for name in ("pair", "all"):
        site.prewire.delete(f"/v1/policies/{name}")

    until(lambda: qos.left_behind(site), lambda left: not left, "nothing is left")


@pytest.mark.measures
@ON_OS_KEN
def test_policies_outlive_the_controller(site: Site) -> None:
    qos.add_services(site)
    qos.set_policy(site, "slow", source="shop", destination="db", max_bps=LIMIT)
    meters = site.ofctl("dump-meters")
    site.prewire.kill_controller()
    site.prewire.start_controller()
    site.prewire.await_switch()
    assert site.missing() == 0
    assert site.ofctl("dump-meters").splitlines()[1:] == meters.splitlines()[1:]
    with iperf.serving(site.net, "c1"):
        passed = qos.udp(site, "c3", qos.address_of(site, "c1"), 2 * LIMIT)
    qos.assert_limited(passed, LIMIT)
