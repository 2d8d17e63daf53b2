"""The model of conntrack, case by case. A real datapath is compared in tests/switch."""

from __future__ import annotations

from openflow.conntrack import DNAT, EST, INV, NEW, RPL, SNAT, TRK, Conntrack, lookup, track
from openflow.fields import CLIENT_MAC, ENDPOINT, IPV4, whole
from openflow.packet import (
    ACK,
    FIN,
    RST,
    SYN,
    SYN_ACK,
    Packet,
    arp,
    icmp,
    icmp6,
    solicitation,
    tcp,
    tcp6,
    udp,
)
from openflow.values import Ct, Move, Nat, set_field

ZONE = 5
COMMIT = Ct(ZONE, commit=True)


def forth(flags: int = SYN, **fields: int | str) -> Packet:
    """From the client."""
    ends: dict[str, int | str] = {"ip_src": "10.9.1.1", "ip_dst": "10.9.1.100", "tcp_src": 4000}
    return tcp(**(ends | fields), tcp_dst=80, tcp_flags=flags)


def back(flags: int = SYN_ACK, source: str = "10.9.1.100") -> Packet:
    """To the client."""
    return tcp(ip_src=source, ip_dst="10.9.1.1", tcp_src=80, tcp_dst=4000, tcp_flags=flags)


def after(*packets: Packet, action: Ct = COMMIT) -> Conntrack:
    """What conntrack holds after these packets."""
    conntrack = Conntrack()
    for packet in packets:
        conntrack, _ = track(conntrack, packet, action)
    return conntrack


def test_a_first_packet_is_new_until_it_is_committed() -> None:
    assert lookup(Conntrack(), forth(), ZONE) == TRK | NEW
    known = after(forth())
    assert lookup(known, forth(), ZONE) == TRK | NEW  # a repeated SYN
    assert lookup(known, forth(ACK), ZONE) == TRK | EST
    assert lookup(known, back(), ZONE) == TRK | EST | RPL


def test_zones_do_not_know_of_each_other() -> None:
    assert lookup(after(forth()), back(ACK), ZONE + 1) == TRK | NEW


def test_what_tcp_cannot_begin_with_is_invalid() -> None:
    for flags in (SYN_ACK, 0, SYN | FIN, SYN | RST, FIN):
        assert lookup(Conntrack(), forth(flags), ZONE) == TRK | INV
    assert lookup(Conntrack(), forth(ACK), ZONE) == TRK | NEW  # picked up in the middle
    assert after(forth(SYN_ACK)).connections == {}


def test_a_port_used_again_after_the_end_begins_a_new_connection() -> None:
    for ending in ([back(RST)], [forth(FIN | ACK), back(FIN | ACK), forth(ACK)]):
        ended = after(forth(), back(), forth(ACK), *ending)
        assert lookup(ended, forth(), ZONE) == TRK | NEW
        again, tracked = track(ended, forth(), COMMIT)
        assert tracked["ct_mark"] == 0
        assert lookup(again, back(), ZONE) == TRK | EST | RPL


def test_udp_is_established_once_answered() -> None:
    ask = udp(ip_src="10.9.1.1", ip_dst="10.9.1.2", udp_src=9, udp_dst=53)
    answer = udp(ip_src="10.9.1.2", ip_dst="10.9.1.1", udp_src=53, udp_dst=9)
    asked = after(ask)
    assert lookup(asked, ask, ZONE) == TRK | NEW
    assert lookup(asked, answer, ZONE) == TRK | EST | RPL
    assert lookup(after(ask, answer), ask, ZONE) == TRK | EST


def test_icmp_echo() -> None:
    ends = {"ip_src": "10.9.1.1", "ip_dst": "10.9.1.2"}
    turned = {"ip_src": "10.9.1.2", "ip_dst": "10.9.1.1"}
    ping, pong = icmp(**ends), icmp(**turned, icmp_type=0)
    assert lookup(Conntrack(), pong, ZONE) == TRK | INV
    assert lookup(after(ping), pong, ZONE) == TRK | EST | RPL
    assert lookup(after(ping), icmp(**turned), ZONE) == TRK | NEW  # another ping, the other way


def test_what_has_no_connections_is_invalid() -> None:
    assert lookup(Conntrack(), arp(arp_tpa="10.9.1.1"), ZONE) == TRK | INV


def test_marks_and_labels_return_with_every_packet() -> None:
    remember = Ct(
        ZONE,
        commit=True,
        exec=(Move(ENDPOINT, whole("ct_mark")), Move(whole("eth_src"), CLIENT_MAC)),
    )
    first = forth(eth_src="02:00:00:00:00:07").having(reg0=17)
    known, committed = track(Conntrack(), first, remember)
    assert (committed["ct_mark"], committed["ct_label"]) == (17, 0x020000000007)
    _, found = track(known, back(), Ct(ZONE))
    assert (found["ct_zone"], found["ct_mark"], found["ct_label"]) == (5, 17, 0x020000000007)
    again, _ = track(known, back(), Ct(ZONE, commit=True, exec=(set_field("ct_mark", 3),)))
    assert track(again, forth(ACK), Ct(ZONE))[1]["ct_mark"] == 3


def test_nothing_given_is_changed() -> None:
    before = after(forth())
    entries = dict(before.connections)
    track(before, back(RST), COMMIT)
    assert before.connections == entries


def test_dnat_there_and_back() -> None:
    nat = Nat("dst", IPV4.read("10.9.1.11"), 80)
    known, sent = track(Conntrack(), forth(), Ct(ZONE, commit=True, nat=nat))
    assert sent["ip_dst"] == nat.address
    assert sent["ct_state"] == TRK | NEW | DNAT
    reply = back(source="10.9.1.11")
    known, answered = track(known, reply, Ct(ZONE, nat=Nat()))
    assert answered["ip_src"] == IPV4.read("10.9.1.100")
    assert answered["ct_state"] == TRK | EST | RPL | SNAT
    assert track(known, forth(ACK), Ct(ZONE, nat=Nat()))[1]["ip_dst"] == nat.address
    assert track(known, forth(ACK), Ct(ZONE))[1]["ip_dst"] == IPV4.read("10.9.1.100")


def test_snat_there_and_back() -> None:
    nat = Nat("src", IPV4.read("10.9.1.200"), 999)
    known, sent = track(Conntrack(), forth(), Ct(ZONE, commit=True, nat=nat))
    assert (sent["ip_src"], sent["tcp_src"]) == (nat.address, 999)
    reply = tcp(
        ip_src="10.9.1.100", ip_dst="10.9.1.200", tcp_src=80, tcp_dst=999, tcp_flags=SYN_ACK
    )
    _, answered = track(known, reply, Ct(ZONE, nat=Nat()))
    assert (answered["ip_dst"], answered["tcp_dst"]) == (IPV4.read("10.9.1.1"), 4000)


def test_connections_over_ipv6() -> None:
    ends = {"ipv6_src": "2001:db8::1", "ipv6_dst": "2001:db8::100"}
    turned = {"ipv6_src": "2001:db8::100", "ipv6_dst": "2001:db8::1"}
    known = after(tcp6(**ends, tcp_src=4000, tcp_dst=80))
    answer = tcp6(**turned, tcp_src=80, tcp_dst=4000, tcp_flags=SYN_ACK)
    assert lookup(known, answer, ZONE) == TRK | EST | RPL
    pong = icmp6(**turned, icmpv6_type=129)
    assert lookup(Conntrack(), pong, ZONE) == TRK | INV
    assert lookup(after(icmp6(**ends)), pong, ZONE) == TRK | EST | RPL
    asking = solicitation(**ends, nd_target="2001:db8::100")
    assert lookup(Conntrack(), asking, ZONE) == TRK | INV
    assert after(asking).connections == {}


def test_a_syn_over_an_ended_connection_drops_what_was_remembered() -> None:
    """Whether or not it is committed."""
    remember = Ct(ZONE, commit=True, exec=(set_field("ct_mark", 7),))
    ended = after(forth(), back(), forth(ACK), back(RST), action=remember)
    assert ended.connections
    dropped, tracked = track(ended, forth(), Ct(ZONE))
    assert dropped.connections == {}
    assert (tracked["ct_state"], tracked["ct_mark"]) == (TRK | NEW, 0)
    again, _ = track(ended, forth(), Ct(ZONE, commit=True, exec=(set_field("ct_mark", 11),)))
    assert track(again, back(), Ct(ZONE))[1]["ct_mark"] == 11
