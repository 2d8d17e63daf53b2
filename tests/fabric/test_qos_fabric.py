"""Quality of service over a leaf-spine fabric: limits that several switches share, marks and queues
on the way."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from qos.classes import PRESETS
from tests.acceptance import qos
from tests.fabric.site import FabricSite
from tests.waiting import until
from topologies import iperf
from topologies.spec import interface_name

LIMIT = 20_000_000
LINK = 50_000_000
GUARANTEED = 10_000_000
PORTS = (5201, 5202, 5203, 5204)


def shares(site: FabricSite, policy: str) -> dict[str, int]:
    """What each switch lets through of a policy."""
    return {each["switch"]: each["bps"] for each in qos.policy(site, policy)["shares"]}


@pytest.mark.measures
def test_a_limit_is_divided_among_the_switches_that_clients_are_at(site: FabricSite) -> None:
    qos.add_services(site)
    qos.set_policy(site, "all", destination="db", max_bps=LIMIT, burst_ms=100)
    assert sum(shares(site, "all").values()) == pytest.approx(LIMIT, rel=0.01)
    to = qos.address_of(site, "c1")
    with iperf.serving(site.net, "c1", *PORTS):
        loads = [
            iperf.start_udp(site.net, client, to, LIMIT / 2, 4, port=port)
            for client, port in zip(site.clients, PORTS, strict=True)
        ]
        began = time.monotonic()
        flows = [load.flow() for load in loads]
    passed = sum(flow.rate(began + 1, began + 4) for flow in flows)
    qos.assert_limited(passed, LIMIT)


@pytest.mark.measures
def test_a_switch_that_needs_more_of_a_limit_gets_it(site: FabricSite) -> None:
    qos.add_services(site)
    qos.set_policy(site, "all", destination="db", max_bps=LIMIT, burst_ms=100)
    edge = site.dpid_of(site.leaf_of("cli3"))
    with iperf.serving(site.net, "c1"):
        load = iperf.start_udp(site.net, "cli3", qos.address_of(site, "c1"), 2 * LIMIT, 12)
        until(lambda: shares(site, "all")[edge], lambda bps: bps > 0.8 * LIMIT, "its share grows")
        raised = time.monotonic()
        flow = load.flow()
    assert sum(shares(site, "all").values()) == pytest.approx(LIMIT, rel=0.01)
    passed = flow.rate(raised + 1, flow.ended)
    assert 0.7 * LIMIT <= passed <= 1.1 * LIMIT, f"{passed / 1e6:.1f} Mb/s"


def test_packets_keep_the_mark_of_their_class_on_their_way(site: FabricSite) -> None:
    qos.add_services(site)
    qos.set_policy(site, "pair", source="shop", destination="db", of="interactive")
    to = qos.address_of(site, "c1")
    assert site.leaf_of("c3") != site.leaf_of("c1")
    with qos.marks(site, "c1", to, 7300, 20) as found:
        qos.send_marked(site, "c3", (to, 7300), 20, 0)
    assert found == {PRESETS["interactive"].dscp: 20}


@pytest.mark.measures
def test_a_guarantee_is_kept_where_all_come_in_by_one_port(site: FabricSite) -> None:
    """The pair and those that fill the link are on one leaf, the link is at another."""
    qos.add_services(site)
    qos.state_rate(site, "c1", LINK)
    fields = {"of": "interactive", "guaranteed_bps": GUARANTEED}
    qos.set_policy(site, "pair", source="shop", destination="db", **fields)
    qos.await_queues(site, "c1")
    to = qos.address_of(site, "c1")
    assert site.leaf_of("c3") == site.leaf_of("c4") == site.leaf_of("cli2")
    with iperf.serving(site.net, "c1", *PORTS[:3]):
        pair = iperf.start_udp(site.net, "c3", to, GUARANTEED, 7)
        qos.wait_until(time.monotonic() + 0.5)
        others = [
            iperf.start_udp(site.net, host, to, LINK, 5, port=port)
            for host, port in (("c4", PORTS[1]), ("cli2", PORTS[2]))
        ]
        began = time.monotonic() + 1
        rates = [load.flow().rate(began, began + 3) for load in others]
        received = pair.flow().rate(began, began + 3)
    assert received >= 0.9 * GUARANTEED, f"{received / 1e6:.1f} Mb/s"
    assert 0.6 * (LINK - GUARANTEED) <= sum(rates) <= 1.05 * LINK - received


def test_a_guarantee_is_kept_free_on_every_way_it_may_take(site: FabricSite) -> None:
    qos.add_services(site)
    qos.state_rate(site, "c1", LINK)
    fields = {"of": "interactive", "guaranteed_bps": GUARANTEED}
    qos.set_policy(site, "pair", source="shop", destination="db", **fields)
    held = {(link["switch"], link["port"]) for link in qos.policy(site, "pair")["links"]}
    down, up = site.leaf_of("c1"), site.leaf_of("c3")
    spines = [name for name in site.switches if name.startswith("spine")]
    ways = {(site.dpid_of(up), interface_name(up, number)) for number in range(1, len(spines) + 1)}
    ways |= {(site.dpid_of(spine), interface_name(spine, int(down[4:]))) for spine in spines}
    assert held == ways | {site.net.spec.port_of("c1")}
    with ExitStack() as cut:
        site.net.fabric.cut(up, spines[0])
        cut.callback(site.net.fabric.mend, up, spines[0])
        fewer = until(
            lambda: len(qos.policy(site, "pair")["links"]),
            lambda links: links < len(held),
            "the way that is cut holds nothing",
        )
        assert fewer == len(held) - 2
        assert qos.policy(site, "pair")["state"] == "active"
