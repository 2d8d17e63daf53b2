"""The main job, on both frameworks: REST, switch, and real HTTP through the VIP."""

from __future__ import annotations

import random

import pytest

from tests.acceptance.site import SERVICE, VIP, VIP_MAC, Site
from tests.waiting import until

pytestmark = pytest.mark.root


def test_http_through_the_vip_reaches_every_container(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    site.add_by_port("c3", "c4")

    answers = site.get(120)

    assert set(answers) == {"c1", "c2", "c3", "c4"}, answers
    assert min(answers.values()) >= 10, f"far from even: {answers}"


def test_the_gateway_host_reaches_the_vip_too(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    assert set(site.get(20, host="gateway")) == {"c1", "c2"}


def test_ping_and_arp_of_the_vip_are_answered_in_the_switch(site: Site) -> None:
    site.add_service()
    site.net.run("client", ["ip", "neigh", "flush", "all"])

    ping = site.net.run("client", ["ping", "-c", "3", "-i", "0.2", "-W", "2", VIP])

    assert "3 received" in ping.stdout, ping.stdout
    assert VIP_MAC in site.net.run("client", ["ip", "neigh", "show", VIP]).stdout


def test_the_vip_of_a_deleted_service_answers_no_more(site: Site) -> None:
    site.add_service()
    site.prewire.delete(SERVICE)
    site.net.run("client", ["ip", "neigh", "flush", "all"])
    assert "0 received" in site.net.run("client", ["ping", "-c", "1", "-W", "1", VIP]).stdout


def test_a_container_is_reachable_beside_the_vip(site: Site) -> None:
    site.add_service()
    site.add("c1")
    with site.talk() as balanced, site.talk("10.0.0.11", 8080) as direct:
        for talk in (balanced, direct, balanced, direct):
            assert talk.get() == "c1"


def test_a_source_port_used_directly_serves_for_the_vip_next(site: Site) -> None:
    """In this order: after a connection to the VIP conntrack still claims replies for a while."""
    site.add_service()
    site.add("c1")
    source_port = random.randrange(20_000, 60_000)
    for host, port in (("10.0.0.11", 8080), (VIP, 80)):
        with site.talk(host, port, source_port=source_port) as talk:
            assert talk.get() == "c1", f"by {host}:{port}"


def test_containers_reach_each_other_and_a_vip(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    assert site.get(3, "http://10.0.0.12:8080/", host="c1") == {"c2": 3}
    assert set(site.get(20, host="c3")) == {"c1", "c2"}


def test_udp_reaches_every_container_and_stays_with_one(site: Site) -> None:
    site.add_service("udp", port=5353)
    site.add("c1", "c2", port=5300)
    with site.udp_server("c1", 5300), site.udp_server("c2", 5300):
        answers = site.ask_udp(40, 5353)
        assert site.ask_udp(5, 5300, to="10.0.0.12") == {"c2": 5}, "directly, beside the VIP"
    assert set(answers) == {"c1", "c2"}, "each source port must hear one container, twice"


def test_a_removed_container_keeps_its_connection_and_gets_no_new_one(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2", "c3")
    with site.talk() as talk:
        name = talk.get()
        assert name in {"c1", "c2", "c3"}, name

        assert site.remove(name) == 202

        assert name not in site.get(60)
        assert talk.get() == name
        state = site.prewire.http.get(f"{SERVICE}/containers/{name}").json()
        assert (state["state"], state["slots"]) == ("draining", 0)


def test_the_end_of_draining_removes_the_container(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    assert site.remove("c1", drain=0.3) == 202
    until(
        lambda: site.prewire.http.get(f"{SERVICE}/containers/c1").status_code,
        lambda code: code == 404,
        "the drained container is gone",
    )
    assert site.get(10) == {"c2": 10}
    until(
        lambda: site.ofctl("dump-flows"),
        lambda flows: "set_field:10.0.0.11" not in flows,
        "the drained container's flows are gone",
    )


def test_a_draining_container_registered_anew_is_ready_again(site: Site) -> None:
    site.add_service()
    site.add("c1")
    site.remove("c1")
    site.add("c1")
    assert site.get(5) == {"c1": 5}
    state = site.prewire.http.get(f"{SERVICE}/containers/c1").json()
    assert (state["state"], state["drain_until_ms"]) == ("ready", None)


def test_drain_0_ends_connections_at_once(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2")
    with site.talk() as talk:
        name = talk.get()
        assert site.remove(name, drain=0) == 204
        assert site.prewire.http.get(f"{SERVICE}/containers/{name}").status_code == 404
        assert name not in site.get(20)
        assert talk.get().startswith("failed")


def test_nothing_is_missing_or_alien_afterwards(site: Site) -> None:
    site.add_service()
    site.add("c1", "c2", "c3", "c4")
    site.remove("c4", drain=0)
    site.get(5)
    found = site.prewire.http.post(f"/v1/switches/{site.dpid}/diff").json()
    assert (found["missing"], found["alien"]) == (0, 0), found["lines"]
