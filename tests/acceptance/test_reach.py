"""Who reaches whom, with real packets: IPv6, several ports, shared containers, hairpins, direct."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.acceptance.site import ON_OS_KEN, VIP, VIP_MAC, Site

pytestmark = [pytest.mark.root, ON_OS_KEN]

VIP6 = "fd70:77::100"
OTHER_VIP = "10.0.0.101"


def test_http_through_an_ipv6_vip_reaches_every_container(site: Site) -> None:
    site.add_service(vip=VIP6)
    site.add("c1", "c2", "c3")
    site.net.run("client", ["ip", "-6", "neigh", "flush", "all"])
    assert set(site.get(60, f"http://[{VIP6}]/")) == {"c1", "c2", "c3"}
    assert VIP_MAC in site.net.run("client", ["ip", "-6", "neigh", "show", VIP6]).stdout
    assert set(site.get(20, f"http://[{VIP6}]/", host="c4")) == {"c1", "c2", "c3"}


def test_an_ipv6_vip_answers_ping(site: Site) -> None:
    site.add_service(vip=VIP6)
    ping = site.net.run("client", ["ping", "-6", "-c", "3", "-i", "0.2", "-W", "2", VIP6])
    assert "3 received" in ping.stdout, ping.stdout


def test_an_ipv6_connection_stays_with_its_draining_container(site: Site) -> None:
    site.add_service(vip=VIP6)
    site.add("c1", "c2")
    with site.talk(VIP6) as talk:
        name = talk.get()
        site.remove(name)
        assert name not in site.get(20, f"http://[{VIP6}]/")
        assert talk.get() == name


def test_every_port_of_a_service_leads_to_its_containers(site: Site) -> None:
    extra = [{"port": 8000, "target": 8080}, {"port": 5353, "target": 5300, "protocol": "udp"}]
    site.add_service(extra_ports=extra)
    site.add("c1", "c2")
    for url in (f"http://{VIP}/", f"http://{VIP}:8000/"):
        assert set(site.get(30, url)) == {"c1", "c2"}, url
    with site.udp_server("c1", 5300), site.udp_server("c2", 5300):
        assert set(site.ask_udp(20, 5353)) == {"c1", "c2"}


def test_a_container_behind_several_services_answers_as_the_one_asked(site: Site) -> None:
    site.add_service()
    site.add_service(vip=OTHER_VIP, service="api")
    site.add("c1", "c2")
    with site.talk() as before:
        assert before.get() in {"c1", "c2"}
        site.add("c1", "c2", service="api")
        first = before.get()
        assert first in {"c1", "c2"}
        with site.talk(OTHER_VIP) as other, site.talk("10.0.0.11", 8080) as direct:
            for talk, names in ((other, {"c1", "c2"}), (direct, {"c1"}), (before, {first})):
                for _ in range(3):
                    assert talk.get() in names
    assert set(site.get(30)) == {"c1", "c2"}
    assert set(site.get(30, f"http://{OTHER_VIP}/")) == {"c1", "c2"}
    site.prewire.delete("/v1/services/web")
    assert set(site.get(30, f"http://{OTHER_VIP}/")) == {"c1", "c2"}


@pytest.mark.parametrize("vip", [VIP, VIP6])
@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_container_reaches_itself_by_its_own_vip(site: Site, vip: str, *, shared: bool) -> None:
    url = f"http://[{vip}]/" if ":" in vip else f"http://{vip}/"
    site.add_service(vip=vip)
    site.add("c1", "c2")
    if shared:
        site.add_service(vip=vip, port=81, service="api")
        site.add("c1", "c2", service="api")
    assert set(site.get(20, url, host="c1")) == {"c1", "c2"}
    site.remove("c2", drain=0)
    assert site.get(10, url, host="c1") == {"c1": 10}


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_source_port_serves_for_the_vip_and_directly_in_turn(site: Site, *, shared: bool) -> None:
    """Conntrack forgets the closed connection when the other one begins."""
    site.add_service()
    site.add("c1")
    if shared:
        site.add_service(vip=OTHER_VIP, service="api")
        site.add("c1", service="api")
    source_port = random.randrange(20_000, 60_000)
    for host, port in (("10.0.0.11", 8080), (VIP, 80), ("10.0.0.11", 8080), (VIP, 80)):
        with site.talk(host, port, source_port=source_port) as talk:
            assert talk.get() == "c1", f"by {host}:{port}"


def test_without_conntrack_http_reaches_every_container(site: Site) -> None:
    site.forget_connections()
    site.add_service(mode="stateless")
    site.add("c1", "c2", "c3")
    assert set(site.get(60)) == {"c1", "c2", "c3"}
    with site.talk() as talk:
        assert len({talk.get() for _ in range(5)}) == 1
    assert not site.conntrack()


def test_one_client_stays_with_one_container(site: Site) -> None:
    """Affinity by address: another client may have another container, each has but one."""
    site.add_service(policy="source_affinity")
    site.add("c1", "c2", "c3", "c4")
    answers = {host: site.get(20, host=host) for host in ("client", "gateway", "c1", "c2")}
    assert all(len(each) == 1 for each in answers.values()), answers


def test_udp_moves_on_when_its_container_is_removed_at_once(site: Site) -> None:
    site.add_service("udp", port=5353)
    site.add("c1", "c2", port=5300)
    with site.udp_server("c1", 5300), site.udp_server("c2", 5300):
        before = site.ask_udp_from(40_001, 5353)
        site.remove(before, drain=0)
        after = Counter(site.ask_udp_from(40_001, 5353) for _ in range(3))
    assert after == {({"c1", "c2"} - {before}).pop(): 3}
