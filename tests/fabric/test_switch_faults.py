"""Links and switches that fail under traffic, and what the network does about it.

What the switches do by themselves is measured while every controller is stopped (SIGSTOP).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from openflow import tables
from tests.fabric.site import FabricSite, Stream
from tests.waiting import had_s, until

PORT = 5353
LINKS = 8  # between two spines and four leaves
Figure = Callable[..., None]

# What a reply may be late for no fault at all: threads of a busy machine.
NOISE_MS = 30


@contextmanager
def left_alone(site: FabricSite) -> Iterator[None]:
    """No controller does anything."""
    for each in site.fabric.controllers:
        each.stop()
    try:
        yield
    finally:
        for each in site.fabric.controllers:
            each.go_on()


def learned(site: FabricSite, *hosts: str) -> None:
    """Have hosts heard with their addresses, and their flows on every switch.

    They forget whom they know: who has been a container would not ask, and so not be heard.
    """
    for host in hosts:
        target = site.container("c1" if host != "c1" else "c3").address
        site.net.run(host, ["ip", "neigh", "flush", "all"], 10)
        site.net.run(host, ["ping", "-c", "2", "-i", "0.2", "-W", "1", target], 10)
    wanted = {site.net.spec.host(host).address for host in hosts}
    until(
        lambda: {address for host in site.hosts() for address in host["addresses"]},
        lambda known: wanted <= known,
        f"{hosts} are known",
    )
    until(site.missing, lambda count: count == 0, "every switch has all rules")


def takes_spine1(site: FabricSite, stream: Stream, before: int) -> None:
    """Return when the stream goes on, and some of its flows go through spine1. before: packets."""
    stream.goes_on()
    until(
        lambda: site.forwarded("spine1", "c3"),
        lambda count: count > before,
        "some flows take spine1",
    )


def links_up(site: FabricSite) -> int:
    """How many links are up, as REST shows them."""
    return sum(link["up"] for link in site.prewire.http.get("/v1/links").json()["items"])


@pytest.mark.measures
def test_a_link_cut_inside_the_switch(site: FabricSite, figure: Figure) -> None:
    """One way, so that only the switch at the cut has to find another."""
    learned(site, "client", "c3")
    c3, before = site.container("c3").address, site.forwarded("spine1", "c3")
    with (
        left_alone(site),
        site.listening("c3", PORT) as heard,
        site.sending(c3, PORT, "client"),
    ):
        takes_spine1(site, heard, before)
        site.net.fabric.cut("leaf1", "spine1")
        heard.goes_on()
    figure("gap_ms", heard.gap_ms, flows=len(heard.flows))
    assert heard.gap_ms <= 50 + NOISE_MS


@pytest.mark.measures
def test_a_spine_lost_inside_the_switches(site: FabricSite, figure: Figure) -> None:
    """There and back: every leaf sees its own link to the spine go down."""
    learned(site, "client", "c3")
    c3, before = site.container("c3").address, site.forwarded("spine1", "c3")
    with (
        left_alone(site),
        site.udp_server("c3", PORT),
        site.stream(c3, PORT) as stream,
    ):
        takes_spine1(site, stream, before)
        site.net.fabric.lose("spine1")
        stream.goes_on()
    figure("gap_ms", stream.gap_ms, flows=len(stream.flows), lost=stream.lost)
    assert stream.gap_ms <= 50 + NOISE_MS


@pytest.mark.measures
def test_a_link_cut_that_others_must_know_of(site: FabricSite, figure: Figure) -> None:
    """The spine has no other way down: the controller turns the other leaves away from it."""
    learned(site, "client", "c3")
    c3, before = site.container("c3").address, site.forwarded("spine1", "c3")
    with site.udp_server("c3", PORT), site.stream(c3, PORT) as stream:
        takes_spine1(site, stream, before)
        site.net.fabric.cut("spine1", "leaf2")
        until(lambda: links_up(site), lambda up: up == LINKS - 1, "the cut is known")
        stream.goes_on()
        site.net.fabric.mend("spine1", "leaf2")
        until(lambda: links_up(site), lambda up: up == LINKS, "the link is back")
        stream.goes_on()
    figure("gap_ms", stream.gap_ms, flows=len(stream.flows), lost=stream.lost)
    assert stream.gap_ms <= 1000


def test_established_connections_survive_a_spine(site: FabricSite) -> None:
    """Over the VIP, with keep-alive and new connections, while a spine goes and comes back."""
    site.add_service()
    site.add("c3", "c5", "c7")
    site.await_slots({"c3": 21, "c5": 21, "c7": 21})
    with site.load(at_least=1000) as load:
        site.net.fabric.lose("spine2")
        until(lambda: site.switch("spine2")["connected"], lambda up: not up, "it is missed")
        assert site.get(20).keys() <= {"c3", "c5", "c7"}
        site.net.fabric.restore("spine2")
        site.fabric.await_fabric(site.net.spec)
    load.assert_none_failed()


@pytest.mark.parametrize("switch", ["leaf2", "spine1"])
def test_a_switch_that_restarts_is_restored(site: FabricSite, figure: Figure, switch: str) -> None:
    """It comes back empty, with the same ports; the node agent gives it its own port again."""
    site.add_service()
    site.add("c3", "c7")
    site.await_slots({"c3": 32, "c7": 32})
    before = len(site.rules_of(switch))
    began = time.monotonic()
    site.net.fabric.restart(switch)
    until(lambda: site.get(8), lambda seen: set(seen) == {"c3", "c7"}, "all answer again")
    figure("answered_s", time.monotonic() - began)
    until(lambda: len(site.rules_of(switch)), lambda count: count >= before, "it holds all again")
    figure("whole_s", time.monotonic() - began)
    site.fabric.await_fabric(site.net.spec)
    assert set(site.get(20)) == {"c3", "c7"}


def test_a_full_table_is_told_and_holds_nobody_else_up(site: FabricSite) -> None:
    """A switch that refuses flows has a problem; the others take what is wanted."""
    site.add_service()
    site.add("c3")
    full = "leaf3"
    site.limit_flows(full, tables.ENDPOINT.number, 1)
    try:
        body = {"address": site.container("c7").address, "port": 8080, "iface_id": "c7"}
        answer = site.prewire.http.put("/v1/services/web/containers/c7", json=body)
        assert answer.status_code in (200, 201)
        told = until(
            lambda: site.switch(full)["problem"], bool, "leaf3 has a problem", timeout_s=10
        )
        assert "TABLE_FULL" in told
        assert "flow_limit" in told
        until(lambda: set(site.get(10)), lambda seen: seen == {"c3", "c7"}, "others go on")
    finally:
        site.unlimit_flows(full)
    until(lambda: site.switch(full)["problem"], lambda text: not text, "it is mended", 40)
    assert set(site.get(10, host="cli3")) == {"c3", "c7"}


@pytest.mark.measures
def test_a_slow_switch_holds_the_others_up_for_a_second_at_most(
    site: FabricSite, figure: Figure
) -> None:
    """Its connection answers after three seconds; the others have the change long before."""
    site.add_service()
    site.add("c3")
    with site.slowed("leaf4", seconds=3):
        began = had_s()
        body = {"address": site.container("c5").address, "port": 8080, "iface_id": "c5"}
        assert site.prewire.http.put("/v1/services/web/containers/c5", json=body).is_success
        until(lambda: set(site.get(6)), lambda seen: seen == {"c3", "c5"}, "c5 is in use", 60)
        took = had_s() - began
    figure("seconds", took)
    assert took < 2.5


def test_a_forged_link_is_no_link(site: FabricSite) -> None:
    """A host repeats what a switch sent it, and sends what looks like it."""
    before = site.prewire.http.get("/v1/links").json()["items"]
    rejected = site.prewire.counter("prewire_lldp_rejected_total")
    site.forge_lldp("cli3")
    until(
        lambda: site.prewire.counter("prewire_lldp_rejected_total") - rejected,
        lambda count: count >= 3,
        "forged frames are counted",
    )
    assert site.prewire.http.get("/v1/links").json()["items"] == before


def test_two_switches_with_one_datapath_id(site: FabricSite) -> None:
    """The one that was there first stays; the other is refused, and its address told."""
    site.add_service()
    site.add("c7")
    with site.double_of("leaf4"):
        told = until(lambda: site.switch("leaf4")["problem"], bool, "leaf4 has a problem", 60)
        assert "same datapath id" in told or "another switch" in told
        assert set(site.get(10, host="cli4")) == {"c7"}
        assert set(site.get(10)) == {"c7"}
    until(lambda: site.switch("leaf4")["problem"], lambda text: not text, "it is forgotten", 40)
