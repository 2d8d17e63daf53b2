"""Links, ports and hosts of real switches, found by a real controller."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Final

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from gateway_lb.intent import delete_service
from gateway_lb.neighbours import VIP_MAC
from nib.draft import Draft
from nib.intent import Container, Service
from nib.records import Leader
from nib.topology import Host, Link, Port, Switch
from ryu_apps.lldp import Probe, probe_frame
from tests.places import free_ports
from tests.ryu import Framework, need
from tests.switch.discovery_site import (
    CABLES,
    DiscoverySite,
    discovery_site,
    dpid_of,
    is_lldp,
    links_between,
)
from tests.waiting import until

pytestmark = pytest.mark.root

EVERYONE: Final = "ff:ff:ff:ff:ff:ff"
MAC, OTHER, POD = (f"02:00:00:00:01:{number:02x}" for number in (1, 2, 3))
S1, S2, S3 = (dpid_of(bridge) for bridge in ("s1", "s2", "s3"))
WEB: Final = Service("web", "10.0.0.100", 80)
CONTAINER: Final = Container("web", "c1", "10.0.1.1", 8080, POD, S2, "s2-h2")


@pytest.fixture(scope="module")
def ring() -> Iterator[DiscoverySite]:
    with discovery_site() as site:
        yield site


@pytest.fixture
def site(ring: DiscoverySite) -> Iterator[DiscoverySite]:
    """The ring, with all its links, no hosts and no services."""
    ring.await_links(*CABLES)
    yield ring
    ring.write(_without_stations)
    ring.await_switches()


def _without_stations(draft: Draft) -> None:
    for service in draft.all(Service):
        delete_service(service.name)(draft)
    for host in draft.all(Host):
        draft.delete(Host, host.mac)


def arp(mac: str, address: str, target: str, **fields: str) -> Packet:
    return Ether(src=mac, dst=EVERYONE) / ARP(hwsrc=mac, psrc=address, pdst=target, **fields)


# ------------------------------------------------------------------------------- links


def test_ports_and_links_are_found(site: DiscoverySite) -> None:
    assert site.rows(Link) == links_between(*CABLES)
    assert {port.name for port in _ports_up(site)} >= {"s1-h1", "s1-h2", "s1-s2", "s1-s3"}


def _ports_up(site: DiscoverySite) -> list[Port]:
    with site.nib.view() as view:
        return [port for port in view.ports_of(S1) if port.up]


def test_a_forged_probe_makes_no_link(site: DiscoverySite) -> None:
    """A host that knows the format, but not the key."""
    before = site.metric("prewire_lldp_rejected_total", switch=S1, reason="forged")
    forged = probe_frame(Probe(S3, 1, 1), MAC, bytes(32))

    def rejected() -> float:
        site.send("s1-h1", forged)
        return site.metric("prewire_lldp_rejected_total", switch=S1, reason="forged")

    until(rejected, lambda count: count >= before + 3, "forged probes are counted")
    assert site.rows(Link) == links_between(*CABLES)
    assert site.log.read_text().count(f" LLDP at port 1 of switch {S1}") == 1


def test_a_recorded_probe_makes_no_link(site: DiscoverySite) -> None:
    """A host that keeps what it hears, and says it elsewhere later."""
    heard = site.await_frame("s1-h1", is_lldp, "a probe")
    newest = max(at for at, frame in site.received("s1-h1") if frame == heard)
    until(time.time, lambda now: now - newest > 2.5, "the probe is old")
    site.send("s2-h1", heard)
    until(
        lambda: site.metric("prewire_lldp_rejected_total", switch=S2, reason="stale"),
        bool,
        "the recorded probe is counted",
    )
    assert site.rows(Link) == links_between(*CABLES)


def test_a_containers_port_is_no_end_of_a_link(site: DiscoverySite) -> None:
    """A host plays what it hears at one port at another at once, where a container is."""
    site.put(WEB, CONTAINER)
    known = len([frame for _, frame in site.received("s1-h1") if is_lldp(frame)])
    heard = until(
        lambda: [frame for _, frame in site.received("s1-h1") if is_lldp(frame)],
        lambda frames: len(frames) > known,
        "a new probe leaves by s1-h1",
    )
    site.send("s2-h2", heard[-1])
    until(
        lambda: site.metric("prewire_lldp_rejected_total", switch=S2, reason="claimed"),
        bool,
        "the probe is counted",
    )
    assert site.rows(Link) == links_between(*CABLES)


def test_a_link_that_carries_nothing_is_noticed_in_a_second(site: DiscoverySite) -> None:
    """Both ends stay up, and drop what comes in."""
    lost = site.metric("prewire_links_lost_total")
    for bridge, port in (("s1", "s1-s2"), ("s2", "s2-s1")):
        site.ovs.ofctl("mod-port", bridge, port, "no-receive")
    took_s = site.await_links(*CABLES[1:])
    assert site.metric("prewire_links_lost_total") == lost + 2
    for bridge, port in (("s1", "s1-s2"), ("s2", "s2-s1")):
        site.ovs.ofctl("mod-port", bridge, port, "receive")
    site.await_links(*CABLES)
    assert took_s < 3  # one, and what a busy machine adds


def test_a_port_that_goes_down_ends_its_link(site: DiscoverySite) -> None:
    site.ovs.ofctl("mod-port", "s1", "s1-s2", "down")
    site.await_links(*CABLES[1:])
    site.ovs.ofctl("mod-port", "s1", "s1-s2", "up")
    site.await_links(*CABLES)


def test_links_of_a_switch_without_controller_stay(site: DiscoverySite) -> None:
    gone = _links_that_end(site)
    site.ovs.vsctl("del-controller", "s3")
    until(lambda: _is_connected(site, S3), lambda there: not there, "s3 is disconnected")
    since = time.monotonic()
    until(time.monotonic, lambda now: now > since + 2, "more than three probes could be lost")
    site.ovs.set_controller("s3", f"tcp:127.0.0.1:{site.settings.controller_port}")
    until(lambda: _is_connected(site, S3), bool, "s3 is connected")
    site.await_switches()
    assert gone == []
    assert site.rows(Link) == links_between(*CABLES)


def test_a_controller_that_slept_has_lost_no_link(site: DiscoverySite) -> None:
    gone = _links_that_end(site)
    assert site.process is not None
    site.process.send_signal(signal.SIGSTOP)
    slept = time.monotonic()
    until(time.monotonic, lambda now: now > slept + 1.5, "more than three probes are due")
    site.process.send_signal(signal.SIGCONT)
    woke = time.monotonic()
    until(time.monotonic, lambda now: now > woke + 1.5, "what is not there would be lost")
    assert gone == []
    assert site.rows(Link) == links_between(*CABLES)


def test_a_new_controller_finds_nothing_changed(site: DiscoverySite) -> None:
    gone = _links_that_end(site)
    site.kill_controller()
    site.start_controller()
    since = time.monotonic()
    until(time.monotonic, lambda now: now > since + 1.5, "what is not there would be lost")
    assert gone == []
    assert site.rows(Link) == links_between(*CABLES)


def _links_that_end(site: DiscoverySite) -> list[Link]:
    """A list that grows with every link that is deleted from now on."""
    gone: list[Link] = []
    site.nib.watch(
        lambda batch: gone.extend(
            change.old
            for change in batch.changes
            if isinstance(change.old, Link) and change.new is None
        )
    )
    return gone


def _is_connected(site: DiscoverySite, dpid: str) -> bool:
    return any(switch.connected for switch in site.rows(Switch) if switch.dpid == dpid)


def test_a_link_that_somebody_deletes_is_written_again(site: DiscoverySite) -> None:
    gone = _links_that_end(site)
    site.write(lambda draft: draft.delete(Link, (S1, "s1-s2")))
    until(lambda: len(gone), bool, "it is deleted")
    site.await_links(*CABLES)


# ------------------------------------------------------------------------------- ports


def test_an_interface_that_moves_has_one_place(site: DiscoverySite) -> None:
    def place(port: str) -> None:
        site.ovs.vsctl("set", "Interface", port, "external_ids:iface-id=pod")

    def has_it() -> list[str]:
        names = [f"{bridge}-h1" for bridge in ("s1", "s2")]
        return [name for name in names if (port := site.port(name)) and port.iface_id == "pod"]

    try:
        place("s1-h1")
        until(has_it, lambda names: names == ["s1-h1"], "the interface is at s1")
        place("s2-h1")
        until(has_it, lambda names: names == ["s2-h1"], "the interface is at s2")
        site.ovs.vsctl("remove", "Interface", "s2-h1", "external_ids", "iface-id")
        until(has_it, lambda names: names == ["s1-h1"], "the interface is at s1 again")
    finally:
        for port in ("s1-h1", "s2-h1"):
            site.ovs.vsctl("remove", "Interface", port, "external_ids", "iface-id")
    until(has_it, lambda names: names == [], "no port has it")


# ------------------------------------------------------------------------------- hosts


def test_hosts_are_learned_and_move(site: DiscoverySite) -> None:
    site.send("s1-h1", arp(MAC, "10.0.9.1", "10.0.9.1"))
    site.await_hosts(Host(MAC, S1, "s1-h1", frozenset({"10.0.9.1"})))
    advertisement = ICMPv6ND_NA(tgt="fd00::9") / ICMPv6NDOptDstLLAddr(lladdr=MAC)
    nd = IPv6(src="fd00::9", dst="ff02::1", hlim=255) / advertisement
    site.send("s2-h1", Ether(src=MAC, dst="33:33:00:00:00:01") / nd)
    site.await_hosts(Host(MAC, S2, "s2-h1", frozenset({"10.0.9.1", "fd00::9"})))


def test_what_is_anothers_is_not_learned(site: DiscoverySite) -> None:
    site.put(WEB, CONTAINER)
    for frame, reason in (
        (arp(MAC, WEB.vip, "10.0.9.2"), "vip"),
        (arp(VIP_MAC, "10.0.9.1", "10.0.9.2"), "vip"),
        (arp(MAC, CONTAINER.address, "10.0.9.2"), "container"),
        (arp(POD, "10.0.9.1", "10.0.9.2"), "container"),
        (Ether(src=MAC, dst=EVERYONE) / ARP(hwsrc=OTHER, psrc="10.0.9.1"), "mismatch"),
    ):
        before = site.metric("prewire_host_claims_refused_total", reason=reason)
        site.send("s1-h1", frame)
        until(
            lambda reason=reason: site.metric("prewire_host_claims_refused_total", reason=reason),  # type: ignore[misc]
            lambda count, before=before: count > before,  # type: ignore[misc]
            f"{frame.summary()} is refused as {reason}",
        )
    assert site.rows(Host) == set()


def test_a_host_that_is_registered_is_a_host_no_more(site: DiscoverySite) -> None:
    site.send("s2-h2", arp(POD, "10.0.1.1", "10.0.1.1"))
    site.send("s1-h1", arp(MAC, "10.0.9.1", "10.0.9.1"))
    speaker = Host(MAC, S1, "s1-h1", frozenset({"10.0.9.1"}))
    site.await_hosts(speaker, Host(POD, S2, "s2-h2", frozenset({"10.0.1.1"})))
    site.put(WEB, CONTAINER)
    site.await_hosts(speaker)


def test_who_nobody_knows_is_asked_for_at_every_edge_port_once(site: DiscoverySite) -> None:
    asking = arp(MAC, "10.0.9.1", "10.0.9.77")

    def heard(port: str) -> int:
        return sum(frame[:60] == bytes(asking)[:60] for _, frame in site.received(port))

    others = ("s1-h2", "s2-h1", "s2-h2", "s3-h1", "s3-h2")
    for _ in range(3):
        site.send("s1-h1", asking)
    until(lambda: [heard(port) for port in others], all, "it is asked for at all other ports")
    until(
        lambda: site.metric("prewire_station_packets_total", result="waiting"),
        lambda count: count >= 2,
        "it is asked for once a second",
    )
    assert [heard(port) for port in others] == [1] * len(others)
    assert heard("s1-h1") == 0


def test_a_request_in_anothers_name_is_passed_on_to_nobody(site: DiscoverySite) -> None:
    site.put(WEB, CONTAINER)
    poison = arp(MAC, CONTAINER.address, "10.0.9.78")
    before = site.metric("prewire_station_packets_total", result="refused")
    site.send("s1-h1", poison)
    until(
        lambda: site.metric("prewire_station_packets_total", result="refused"),
        lambda count: count >= before + 2,
        "it is refused in both tables",
    )
    assert bytes(poison) not in [frame for _, frame in site.received("s2-h1")]


def test_a_packet_ahead_of_its_flows_is_delivered(site: DiscoverySite) -> None:
    site.send("s2-h1", arp(OTHER, "10.0.9.2", "10.0.9.2"))
    site.await_hosts(Host(OTHER, S2, "s2-h1", frozenset({"10.0.9.2"})))
    site.await_switches()
    to_other = f"table=90,dl_dst={OTHER}"
    until(lambda: site.ovs.ofctl("dump-flows", "s1", to_other), lambda t: OTHER in t, "a flow")
    site.ovs.ofctl("del-flows", "s1", to_other)
    packet = Ether(src=MAC, dst=OTHER) / IP(src="10.0.9.1", dst="10.0.9.2") / UDP() / b"early"
    site.send("s1-h1", packet)
    site.await_frame("s2-h1", lambda frame: b"early" in frame, "the packet")
    assert site.metric("prewire_station_packets_total", result="delivered") >= 1


def test_links_outlive_their_leader_and_are_watched_by_the_next() -> None:
    with discovery_site() as site:
        site.await_links(*CABLES)
        second = site.settings.model_copy(update=free_ports("controller_port", "metrics_port"))
        standby = site.controller(second)
        try:
            targets = [each.controller_port for each in (site.settings, second)]
            for bridge in ("s1", "s2", "s3"):
                site.ovs.set_controller(bridge, *(f"tcp:127.0.0.1:{port}" for port in targets))
                site.ovs.await_controller(bridge)
            gone = _links_that_end(site)
            site.kill_controller()
            until(
                lambda: site.rows(Leader), lambda rows: {r.epoch for r in rows} == {2}, "a leader"
            )
            site.ovs.ofctl("mod-port", "s1", "s1-s2", "no-receive")
            site.ovs.ofctl("mod-port", "s2", "s2-s1", "no-receive")
            site.await_links(*CABLES[1:])
            assert set(gone) == links_between(CABLES[0])
        finally:
            standby.kill()
            standby.wait()


@pytest.mark.parametrize("framework", ["ryu"])
def test_links_and_hosts_are_found_on_classic_ryu(framework: Framework) -> None:
    need(framework)
    with discovery_site(framework) as site:
        site.await_links(*CABLES)
        site.send("s1-h1", arp(MAC, "10.0.9.1", "10.0.9.1"))
        site.await_hosts(Host(MAC, S1, "s1-h1", frozenset({"10.0.9.1"})))
