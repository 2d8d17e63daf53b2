"""ARP packets and neighbour discovery, as scapy writes them, and what they say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ryu_apps.neighbour_packets import Spoken, read

l2 = pytest.importorskip("scapy.layers.l2")
inet6 = pytest.importorskip("scapy.layers.inet6")

MAC, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02"
EVERYONE = "ff:ff:ff:ff:ff:ff"
GLOBAL, LOCAL, TARGET = "fd00::1", "fe80::1", "fd00::2"


def arp(**fields: Any) -> bytes:
    given = {"op": 1, "hwsrc": MAC, "psrc": "10.0.0.1", "pdst": "10.0.0.2"} | fields
    return bytes(l2.Ether(src=MAC, dst=EVERYONE) / l2.ARP(**given))


def nd(message: Any, source: str = GLOBAL, hops: int = 255) -> bytes:
    header = inet6.IPv6(src=source, dst="ff02::1:ff00:2", hlim=hops)
    return bytes(l2.Ether(src=MAC, dst="33:33:ff:00:00:02") / header / message)


def solicitation(source: str = GLOBAL, lladdr: str | None = MAC, **fields: Any) -> bytes:
    message = inet6.ICMPv6ND_NS(**({"tgt": TARGET} | fields))
    option = inet6.ICMPv6NDOptSrcLLAddr(lladdr=lladdr) if lladdr else None
    return nd(message / option if option else message, source)


def advertisement(lladdr: str | None = MAC) -> Any:
    message = inet6.ICMPv6ND_NA(tgt=GLOBAL)
    return message / inet6.ICMPv6NDOptDstLLAddr(lladdr=lladdr) if lladdr else message


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (arp(), Spoken(MAC, "10.0.0.1", "10.0.0.2")),
        (arp(op=2), Spoken(MAC, "10.0.0.1")),
        (arp(pdst="10.0.0.1"), Spoken(MAC, "10.0.0.1")),  # gratuitous
        (arp(psrc="0.0.0.0"), Spoken(MAC, "")),  # is it free?
        (arp(hwsrc=OTHER), Spoken(MAC, "10.0.0.1", "10.0.0.2", is_consistent=False)),
        (arp(pdst="224.0.0.1"), Spoken(MAC, "10.0.0.1")),
        (solicitation(), Spoken(MAC, GLOBAL, TARGET)),
        (solicitation(LOCAL), Spoken(MAC, LOCAL, TARGET)),
        (solicitation(lladdr=None), Spoken(MAC, GLOBAL, TARGET)),
        (solicitation("::", None), Spoken(MAC, "")),
        (solicitation(lladdr=OTHER), Spoken(MAC, GLOBAL, TARGET, is_consistent=False)),
        (nd(advertisement(), LOCAL), Spoken(MAC, GLOBAL)),
        (nd(advertisement(None)), Spoken(MAC, GLOBAL)),
        (nd(advertisement(OTHER)), Spoken(MAC, GLOBAL, is_consistent=False)),
    ],
)
def test_what_is_said(frame: bytes, said: Spoken) -> None:
    assert read(frame) == said
    assert read(frame + bytes(10)) == said  # short frames are padded


@pytest.mark.parametrize(
    "frame",
    [
        arp(psrc="224.0.0.1"),
        arp(psrc="127.0.0.1"),
        arp(psrc="255.255.255.255"),
        arp(op=3),
        arp(ptype=0x86DD),
        nd(inet6.ICMPv6ND_NS(tgt=TARGET), hops=64),  # from beyond a router
        nd(inet6.ICMPv6ND_NS(tgt=TARGET, code=1)),
        nd(inet6.ICMPv6ND_NA(tgt="::")),
        nd(inet6.ICMPv6ND_NA(tgt="ff02::1")),
        nd(inet6.ICMPv6ND_RS()),
        nd(inet6.ICMPv6EchoRequest()),
        bytes(l2.Ether(src=EVERYONE, dst=EVERYONE) / l2.ARP()),
        bytes(l2.Ether(src=MAC, dst=EVERYONE) / l2.Dot1Q(vlan=7) / l2.ARP()),
    ],
)
def test_what_says_nothing_of_the_kind(frame: bytes) -> None:
    assert read(frame) is None


@pytest.mark.parametrize("frame", [arp(), solicitation(), nd(advertisement())])
def test_a_frame_cut_short_says_less_or_nothing(frame: bytes) -> None:
    assert {read(frame[:cut]) for cut in range(len(frame))} == {None}


@given(st.sampled_from([arp(), solicitation(), nd(advertisement())]), st.data())
def test_noise_raises_nothing(frame: bytes, data: st.DataObject) -> None:
    noisy = bytearray(frame)
    for _ in range(data.draw(st.integers(1, 6))):
        noisy[data.draw(st.integers(0, len(noisy) - 1))] = data.draw(st.integers(0, 255))
    said = read(bytes(noisy))
    assert said is None or said.mac == bytes(noisy[6:12]).hex(":")
