"""Packets that no kernel would send: `odd_packets.py CASE INTERFACE TARGET [PORT]`; prints JSON.

Cases: `syn` and `rst` in the TCP connection from PORT to TARGET:80, out of its window; `flags` that
contradict each other; `fragments` of a UDP datagram; `solicit` and `is-it-free`, neighbour
solicitations for TARGET from this host and from nobody.
"""

import json
import logging
import random
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.config import conf  # noqa: E402
from scapy.layers.inet import IP, TCP, UDP, fragment  # noqa: E402
from scapy.layers.inet6 import (  # noqa: E402
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
)
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.packet import Raw  # noqa: E402
from scapy.sendrecv import sendp, sniff  # noqa: E402
from scapy.utils6 import in6_getnsma, in6_getnsmac  # noqa: E402

VIP_MAC = "02:70:77:76:69:70"
WAIT_S = 1.0


def answers(packets: list[Any], interface: str, wanted: Callable[[Any], bool]) -> list[Any]:
    """What came back within a second of sending these."""
    return list(
        sniff(
            iface=interface,
            lfilter=wanted,
            timeout=WAIT_S,
            started_callback=lambda: sendp(packets, iface=interface, verbose=False),
        )
    )


def in_connection(interface: str, target: str, port: int, flags: str) -> Iterator[dict[str, Any]]:
    sequence = random.randrange(1 << 32)
    odd = Ether(dst=VIP_MAC) / IP(dst=target) / TCP(sport=port, dport=80, flags=flags, seq=sequence)
    for each in answers([odd], interface, lambda p: TCP in p and p[TCP].dport == port):
        yield {"source": each[IP].src, "flags": str(each[TCP].flags)}


def contradicting(interface: str, target: str) -> Iterator[dict[str, Any]]:
    ports = range(40_000, 40_004)
    packets = [
        Ether(dst=VIP_MAC) / IP(dst=target) / TCP(sport=port, dport=80, flags=flags)
        for port, flags in zip(ports, ("SF", "", "FPU", "SR"), strict=True)
    ]
    for each in answers(packets, interface, lambda p: TCP in p and p[TCP].dport in ports):
        yield {"flags": str(each[TCP].flags)}


def fragments(interface: str, target: str) -> Iterator[dict[str, Any]]:
    whole = IP(dst=target) / UDP(sport=40_100, dport=5353) / Raw(b"x" * 3000)
    packets = [Ether(dst=VIP_MAC) / each for each in fragment(whole, fragsize=1000)]
    for each in answers(packets, interface, lambda p: UDP in p and p[UDP].dport == 40_100):
        yield {"from": each[UDP].sport}


def solicitation(interface: str, target: str, source: str) -> Iterator[dict[str, Any]]:
    group = in6_getnsma(socket.inet_pton(socket.AF_INET6, target))
    asked = (
        Ether(dst=in6_getnsmac(group), src=conf.ifaces[interface].mac)
        / IPv6(src=source, dst=socket.inet_ntop(socket.AF_INET6, group))
        / ICMPv6ND_NS(tgt=target)
    )
    if source != "::":
        asked /= ICMPv6NDOptSrcLLAddr(lladdr=conf.ifaces[interface].mac)
    for each in answers([asked], interface, lambda p: ICMPv6ND_NA in p):
        option = each.getlayer(ICMPv6NDOptDstLLAddr)
        yield {
            "target": each[ICMPv6ND_NA].tgt,
            "solicited": int(each[ICMPv6ND_NA].S),
            "mac": option.lladdr if option else None,
        }


def main() -> None:
    case, interface, target, *more = sys.argv[1:]
    found: Iterator[dict[str, Any]]
    if case in ("syn", "rst"):
        found = in_connection(interface, target, int(more[0]), {"syn": "S", "rst": "R"}[case])
    elif case == "flags":
        found = contradicting(interface, target)
    elif case == "fragments":
        found = fragments(interface, target)
    else:
        found = solicitation(interface, target, "::" if case == "is-it-free" else more[0])
    sys.stdout.write(json.dumps(list(found)) + "\n")


main()
