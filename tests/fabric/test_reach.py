"""Who reaches whom over a leaf-spine fabric, and what does not pass it."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.acceptance.site import VIP
from tests.fabric.site import FabricSite, reachable
from tests.waiting import until

VIP6 = "fd70:77::100"


def test_every_container_answers_through_the_vip_to_clients_of_every_leaf(site: FabricSite) -> None:
    site.add_service()
    site.add(*site.containers)
    site.await_slots(dict.fromkeys(site.containers, 8))
    for client in site.clients:
        answers = site.get(60, host=client)
        assert set(answers) == set(site.containers), client


def test_ipv6_and_udp_go_the_same_way(site: FabricSite) -> None:
    site.add_service(service="six", vip=VIP6)
    site.add("c1", "c8", service="six")
    site.add_service("udp", 53, service="dns", vip="10.0.0.53")
    site.add("c3", "c6", port=5353, service="dns")
    answers = site.get(40, f"http://[{VIP6}]/", "cli3")
    assert set(answers) == {"c1", "c8"}
    with site.udp_server("c3", 5353), site.udp_server("c6", 5353):
        asked = site.ask_udp(30, 53, "10.0.0.53")
    assert {name.split()[0] for name in asked} == {"c3", "c6"}


def test_all_hosts_find_each_other_with_nobody_registered(site: FabricSite) -> None:
    """Clients are heard when they first speak; an address nobody knows is asked for at the edge,
    once a second, and the first packet to who was only just heard is not lost."""
    hosts = [host for host in site.net.spec.hosts if host.role != "gateway"]
    for source in ("cli4", "c5"):
        for host in hosts:
            if host.name != source:
                assert reachable(site.net, source, host.address, 3), f"{source} to {host.name}"
    known = {tuple(host["addresses"]): host for host in site.hosts() if host["source"] == "learned"}
    places = {host["switch"] for host in known.values()}
    assert site.dpid_of(site.leaf_of("cli4")) in places


def test_only_the_clients_edge_balances(site: FabricSite) -> None:
    """The group of the service counts connections on one leaf, the others only forward."""
    site.add_service()
    site.add("c3", "c5", "c7")
    site.await_slots({"c3": 21, "c5": 21, "c7": 21})
    before = {switch: site.balanced(switch) for switch in site.switches}
    assert site.get(30).total() == 30

    def counted() -> dict[str, int]:
        return {switch: site.balanced(switch) - before[switch] for switch in site.switches}

    found = until(counted, lambda seen: sum(seen.values()) >= 30, "30 connections are counted")
    assert found == {switch: 30 if switch == "leaf1" else 0 for switch in site.switches}


def test_both_spines_carry_traffic(site: FabricSite) -> None:
    site.add_service()
    site.add("c7", "c8")
    before = Counter({spine: site.passed(spine) for spine in ("spine1", "spine2")})
    assert site.get(60).total() == 60
    for spine, packets in before.items():
        assert site.passed(spine) - packets > 50, spine


def test_locality_prefers_containers_of_the_same_leaf_and_spills_over(site: FabricSite) -> None:
    site.add_service(locality="prefer")
    site.add("c1", "c2", "c3", "c7")
    site.await_slots({"c1": 16, "c2": 16, "c3": 16, "c7": 16})
    until(lambda: set(site.get(10)), lambda seen: seen == {"c1", "c2"}, "leaf1 keeps to its own")
    assert set(site.get(20, host="cli4")) == {"c7"}
    assert set(site.get(60, host="cli3")) == {"c1", "c2", "c3", "c7"}
    site.report({"container": "c7", "words": "down"})
    until(
        lambda: set(site.get(30, host="cli4")),
        lambda seen: seen == {"c1", "c2", "c3"},
        "leaf4 spills over",
    )
    assert set(site.get(20, host="cli2")) == {"c3"}


def test_a_container_that_moves_keeps_its_connections(site: FabricSite) -> None:
    """Its cable is plugged into another leaf; who talks to it goes on."""
    site.add_service()
    site.add("c3")
    try:
        with site.talk() as talk:
            assert talk.get() == "c3"
            site.move("c3", "leaf4")
            assert talk.get() == "c3"
        assert set(site.get(10, host="cli3")) == {"c3"}
    finally:
        site.move("c3", "leaf2")
    assert set(site.get(10)) == {"c3"}


@pytest.mark.parametrize("to", ["10.0.255.255", "ff02::1%cli2-eth0"])
def test_broadcast_does_not_pass_the_fabric(site: FabricSite, to: str) -> None:
    reachable(site.net, "cli2", site.container("c7").address)
    before = {name: site.received(name) for name in site.containers}
    broadcast = ["-b"] if ":" not in to else []
    interface = f"pw-{to.partition('%')[2]}" if "%" in to else ""
    target = f"{to.partition('%')[0]}%{interface}" if interface else to
    argv = ["ping", *broadcast, "-c", "50", "-i", "0.01", "-W", "1", target]
    site.net.run("cli2", argv, 20)
    heard = {name: site.received(name) - before[name] for name in site.containers}
    assert max(heard.values()) < 25, heard


def test_containers_come_and_go_over_the_fabric_without_a_failed_request(site: FabricSite) -> None:
    site.add_service()
    site.add("c1", "c8")
    site.await_slots({"c1": 32, "c8": 32})
    with site.load(at_least=1500) as load:
        for name in ("c3", "c4", "c5", "c6", "c7"):
            site.add(name)
        for name in ("c3", "c4", "c5", "c6", "c7"):
            site.remove(name, drain=5)
    load.assert_none_failed()
    assert load.result["answers"].keys() >= {"c1", "c8"}


def test_addresses_are_still_vips(site: FabricSite) -> None:
    """A VIP answers ping at every leaf, whoever is behind it."""
    site.add_service()
    for client in site.clients:
        assert reachable(site.net, client, VIP), client


def test_packets_are_counted_once(site: FabricSite) -> None:
    """A container's at its own switch, though the client's switch sees them too."""
    site.add_service()
    site.add("c7")
    own = {"service": "web", "container": "c7"}

    def sent(direction: str) -> float:
        name = "prewire_container_packets_total"
        return site.prewire.counter(name, direction=direction, **own)

    connections = site.prewire.counter("prewire_container_new_connections_total", **own)
    assert site.get(20) == {"c7": 20}
    until(
        lambda: site.prewire.counter("prewire_container_new_connections_total", **own),
        lambda count: count - connections == 20,
        "20 connections are counted",
    )
    to, back = sent("to"), sent("from")
    assert 0.5 < back / to < 1.5, "as many packets from it as to it, more or less"
