"""Packets read, and answers written, against scapy as the judge."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, ICMPerror, IPerror, TCPerror, UDPerror
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    IPerror6,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from gateway_lb.neighbours import VIP_MAC
from ryu_apps.punt_packets import Punted, closing, read, reset, unreachable

_ = (ICMPerror, IPerror, TCPerror)  # scapy finds them by being imported
CLIENT_MAC = "02:00:00:00:00:05"
LINK = Ether(src=CLIENT_MAC, dst=VIP_MAC)
V4 = IP(src="10.0.0.5", dst="10.1.0.1")
V6 = IPv6(src="fd00::5", dst="fd01::1")
SYN = TCP(sport=40000, dport=80, flags="S", seq=1000)

NETWORKS = {"IPv4": V4, "IPv6": V6, "IPv4 with options": V4.copy(), "tagged": V4.copy()}
NETWORKS["IPv4 with options"].options = [b"\x94\x04\0\0"]


def link(network: str) -> Any:
    return LINK / Dot1Q(vlan=7) if network == "tagged" else LINK


def punted(packet: Any) -> Punted:
    found = read(bytes(packet))
    assert found is not None
    return found


def checked(frame: bytes) -> Any:
    """The frame as scapy reads it, its checksums and lengths right."""
    shown = Ether(frame)
    again = Ether(frame)
    for layer in (IP, TCP, UDP, ICMP, ICMPv6DestUnreach):
        if layer in again:
            for field in ("chksum", "cksum", "len"):
                if field in again[layer].fields and layer is not UDP:
                    del again[layer].fields[field]
    assert bytes(again) == frame
    return shown


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    ("flags", "payload", "expected"),
    [
        ("S", b"", (0, 1001, "RA")),
        ("S", b"four", (0, 1005, "RA")),  # TCP fast open
        ("F", b"ab", (0, 1003, "RA")),
        ("", b"ab", (0, 1002, "RA")),
        ("A", b"", (77, 0, "R")),
        ("PA", b"GET /", (77, 0, "R")),
        ("FA", b"", (77, 0, "R")),
        ("SA", b"", (77, 0, "R")),
        ("SEC", b"", (0, 1001, "RA")),
    ],
)
def test_resets_are_those_of_rfc_9293(
    network: str, flags: str, payload: bytes, expected: tuple[int, int, str]
) -> None:
    segment = TCP(sport=40000, dport=80, flags=flags, seq=1000, ack=77)
    given_packet = link(network) / NETWORKS[network] / segment / Raw(payload)
    frame = reset(punted(given_packet))
    assert frame is not None
    shown = checked(frame)
    assert (shown.dst, shown.src) == (CLIENT_MAC, VIP_MAC)
    assert (Dot1Q in shown) == (network == "tagged")
    over = shown[IPv6] if network == "IPv6" else shown[IP]
    assert (over.src, over.dst) == (NETWORKS[network].dst, NETWORKS[network].src)
    back = shown[TCP]
    assert (back.sport, back.dport) == (80, 40000)
    assert (back.seq, back.ack, str(back.flags)) == expected
    assert not back.payload


def test_sequence_numbers_wrap() -> None:
    frame = reset(punted(LINK / V4 / TCP(flags="S", seq=0xFFFF_FFFF)))
    assert frame is not None
    assert checked(frame)[TCP].ack == 0


@pytest.mark.parametrize("network", ["IPv4", "IPv6"])
def test_a_closing_is_what_the_client_would_send_next(network: str) -> None:
    segment = TCP(sport=40000, dport=80, flags="PA", seq=1000, ack=77)
    shown = checked(closing(punted(LINK / NETWORKS[network] / segment / Raw(b"abc"))))
    over = shown[IPv6] if network == "IPv6" else shown[IP]
    assert (over.src, over.dst) == (NETWORKS[network].src, NETWORKS[network].dst)
    back = shown[TCP]
    assert (back.sport, back.dport, back.seq, str(back.flags)) == (40000, 80, 1003, "R")


def test_a_reset_is_not_answered() -> None:
    assert reset(punted(LINK / V4 / TCP(flags="RA"))) is None


def test_padding_of_a_short_frame_is_no_payload() -> None:
    frame = reset(punted(bytes(LINK / V4 / SYN) + bytes(6)))
    assert frame is not None
    assert checked(frame)[TCP].ack == 1001


@pytest.mark.parametrize("size", [0, 1, 11, 800, 1400])
def test_port_unreachable(size: int) -> None:
    datagram = UDP(sport=40000, dport=53) / Raw(bytes(range(256)) * 6)
    datagram[Raw].load = datagram[Raw].load[:size]
    shown = checked(unreachable(punted(LINK / V4 / datagram)))
    assert (shown[IP].src, shown[IP].dst) == ("10.1.0.1", "10.0.0.5")
    assert (shown[ICMP].type, shown[ICMP].code) == (3, 3)
    assert (shown[UDPerror].sport, shown[UDPerror].dport) == (40000, 53)
    assert len(shown[IP]) == min(56 + size, 576)


@pytest.mark.parametrize("size", [0, 1, 1400])
def test_port_unreachable_over_ipv6(size: int) -> None:
    datagram = UDP(sport=40000, dport=53) / Raw(b"x" * size)
    shown = checked(unreachable(punted(LINK / V6 / datagram)))
    assert (shown[IPv6].src, shown[IPv6].dst) == ("fd01::1", "fd00::5")
    assert (shown[ICMPv6DestUnreach].type, shown[ICMPv6DestUnreach].code) == (1, 4)
    assert (shown[IPerror6].dst, shown[UDPerror].sport) == ("fd01::1", 40000)
    assert len(shown[IPv6]) == min(96 + size, 1280)


def test_ipv6_extension_headers_before_tcp() -> None:
    whole = IPv6ExtHdrFragment(offset=0, m=0)
    for headers in (
        IPv6ExtHdrHopByHop(),
        IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt(),
        whole,
    ):
        found = punted(LINK / V6 / headers / SYN)
        assert (found.sequence, found.begins) == (1000, True)


def test_what_tells_connections_apart() -> None:
    one = punted(LINK / V4 / SYN)
    others = (
        LINK / IP(src="10.0.0.6", dst=V4.dst) / SYN,
        LINK / IP(src=V4.src, dst="10.1.0.2") / SYN,
        LINK / V4 / TCP(sport=40001, dport=80),
        LINK / V4 / TCP(sport=40000, dport=81),
        LINK / V4 / UDP(sport=40000, dport=80),
    )
    assert len({one.client, *(punted(other).client for other in others)}) == 6
    assert punted(LINK / V4 / TCP(sport=40000, dport=80, flags="S", seq=5)).client == one.client


@pytest.mark.parametrize(
    ("flags", "begins"), [("S", True), ("SEC", True), ("SA", False), ("SF", False), ("A", False)]
)
def test_only_a_plain_syn_begins_a_connection(flags: str, begins: bool) -> None:
    assert punted(LINK / V4 / TCP(flags=flags)).begins is begins


ODD = {
    "empty": b"",
    "an Ethernet header alone": LINK,
    "ARP": LINK / ARP(),
    "ICMP": LINK / V4 / ICMP(),
    "a first fragment": LINK / IP(src=V4.src, dst=V4.dst, flags="MF") / SYN,
    "a later fragment": LINK / IP(src=V4.src, dst=V4.dst, frag=10) / SYN,
    "an IPv6 fragment": LINK / V6 / IPv6ExtHdrFragment(offset=0, m=1) / SYN,
    "a later IPv6 fragment": LINK / V6 / IPv6ExtHdrFragment(offset=9, m=0) / SYN,
    "from a multicast MAC address": Ether(src="01:00:5e:00:00:01", dst=VIP_MAC) / V4 / SYN,
    "from a multicast address": LINK / IP(src="224.0.0.1", dst=V4.dst) / SYN,
    "from no address": LINK / IP(src="0.0.0.0", dst=V4.dst) / SYN,
    "from a broadcast address": LINK / IP(src="255.255.255.255", dst=V4.dst) / SYN,
    "from an IPv6 multicast address": LINK / IPv6(src="ff02::1", dst=V6.dst) / SYN,
    "from no IPv6 address": LINK / IPv6(src="::", dst=V6.dst) / SYN,
    "IPv4 that says 6": LINK / IP(src=V4.src, dst=V4.dst, version=6) / SYN,
    "IPv6 that says 4": LINK / IPv6(src=V6.src, dst=V6.dst, version=4) / SYN,
    "an IPv4 header below 20 bytes": LINK / IP(src=V4.src, dst=V4.dst, ihl=4) / SYN,
    "an IPv4 length beyond the frame": LINK / IP(src=V4.src, dst=V4.dst, len=99) / SYN,
    "an IPv4 length below the header": LINK / IP(src=V4.src, dst=V4.dst, len=19) / SYN,
    "an IPv6 length beyond the frame": LINK / IPv6(src=V6.src, dst=V6.dst, plen=99) / SYN,
    "a TCP header below 20 bytes": LINK / V4 / TCP(dataofs=4),
    "a TCP header beyond the packet": LINK / V4 / TCP(dataofs=15),
    "half a TCP header": LINK / IP(src=V4.src, dst=V4.dst, proto=6) / Raw(b"0123456789"),
    "half a UDP header": LINK / IP(src=V4.src, dst=V4.dst, proto=17) / Raw(b"0123"),
    "nine extension headers": LINK / V6 / Raw(bytes((0, 0)) * 40),
    "three tags": LINK / Dot1Q() / Dot1Q() / Dot1Q() / V4 / SYN,
}


@pytest.mark.parametrize("case", ODD)
def test_odd_packets_are_none(case: str) -> None:
    assert read(bytes(ODD[case])) is None


@given(st.binary(max_size=200))
def test_any_bytes(frame: bytes) -> None:
    read(frame)


WHOLE = [
    bytes(LINK / V4 / SYN),
    bytes(LINK / V6 / SYN),
    bytes(LINK / V4 / UDP() / Raw(b"abc")),
    bytes(LINK / V6 / IPv6ExtHdrHopByHop() / UDP() / Raw(b"abc")),
    bytes(LINK / Dot1Q(vlan=3) / V4 / SYN),
]


@given(
    whole=st.sampled_from(WHOLE), seed=st.integers(), changes=st.integers(0, 4), cut=st.integers(0)
)
def test_damaged_packets(whole: bytes, seed: int, changes: int, cut: int) -> None:
    """What is read at all can be answered, and the answer is a proper packet."""
    dice = random.Random(seed)
    frame = bytearray(whole)
    for _ in range(changes):
        frame[dice.randrange(12, len(frame))] = dice.randrange(256)
    found = read(bytes(frame[: len(frame) - cut % len(frame)]))
    if found is None:
        return
    answer = reset(found) if found.protocol == 6 else unreachable(found)
    if answer is not None:
        assert checked(answer).dst == CLIENT_MAC
