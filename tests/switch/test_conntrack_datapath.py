"""The model of conntrack against the real one: packets run through a userspace datapath.

Here nothing is traced: packets enter simulated ports, and what leaves by which port tells the
ct_state they were found in. Afterwards both connection tables must be the same.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from openflow.conntrack import Conntrack, Tuple5
from openflow.fields import (
    ETH_IP,
    FIELDS,
    IPV4,
    PROTO_ICMP,
    PROTO_TCP,
    PROTO_UDP,
    Subfield,
    whole,
)
from openflow.index import Index
from openflow.interpreter import run
from openflow.packet import ACK, FIN, RST, SYN, SYN_ACK, Packet, icmp, packet_text, tcp, udp
from openflow.text import flow_text
from openflow.values import Ct, Flow, Move, Nat, Output, Rules, match, set_field
from tests.needs import need_ovs
from tests.ovs import PrivateOvs

BRIDGE = "br0"
ZONE = 5
HOSTS = ("10.9.1.1", "10.9.1.2")
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
BEGUN, KNOWN, ANSWER, INVALID = 3, 4, 5, 6
PACKETS = 150


@pytest.fixture(scope="module")
def switch() -> Iterator[PrivateOvs]:
    need_ovs()
    with PrivateOvs() as ovs:
        ovs.add_bridge(BRIDGE, dpid=1, ports=[f"p{number}" for number in range(1, 7)])
        for port in (BEGUN, KNOWN, ANSWER, INVALID):
            ovs.vsctl("set", "Interface", f"p{port}", f"options:tx_pcap={pcap(ovs, port)}")
        ovs.appctl("dpctl/ct-disable-tcp-seq-chk")
        yield ovs


def pcap(ovs: PrivateOvs, port: int) -> Path:
    """Where a port keeps the packets that left by it."""
    return ovs.directory / f"p{port}.pcap"


def rules(nat: Nat | None) -> Rules:
    """Each state leaves by a port of its own; what is new is committed.

    With NAT only what comes by port 1 is committed: of two connections whose translations collide,
    a real switch moves one to another port, which the model does not.
    """
    restore = Nat() if nat else None
    marks = (
        Move(Subfield("in_port", 0, 16), Subfield("ct_mark", 0, 16)),
        Move(whole("eth_src"), Subfield("ct_label", 8, 48)),
        set_field("ct_mark", 9),
        Move(Subfield("in_port", 0, 8), Subfield("ct_mark", 8, 8)),
    )
    commit = Ct(ZONE, table=2, commit=True, nat=nat, exec=marks)
    answer = Output(BEGUN) if nat else commit
    outputs = (
        (1, "+new+trk", commit),
        (1, "+est-rpl+trk", Output(KNOWN)),
        (1, "+est+rpl+trk", Output(ANSWER)),
        (1, "+inv+trk", Output(INVALID)),
    )
    return Rules(
        (
            Flow(0, 1, match(eth_type=ETH_IP), (Ct(ZONE, table=1, nat=restore),)),
            Flow(1, 2, match(eth_type=ETH_IP, ct_state="+new+trk", in_port=2), (answer,)),
            *(
                Flow(table, 1, match(eth_type=ETH_IP, ct_state=state), (action,))
                for table, state, action in outputs
            ),
            Flow(2, 1, match(), (Output(BEGUN),)),
        )
    )


def some_packet(chance: random.Random, nat: Nat | None) -> Packet:
    """A packet between two hosts, so few of them that connections come to life and end."""
    near = chance.choice((0, 1))
    source, target = HOSTS[near], HOSTS[1 - near]
    # with NAT replies come from, or go to, the address translated to
    if nat and nat.kind == "dst" and near == 1 and chance.random() < 0.8:
        source = IPV4.show(nat.address)
    if nat and nat.kind == "src" and near == 1 and chance.random() < 0.8:
        target = IPV4.show(nat.address)
    ends: dict[str, int | str] = {
        "in_port": near + 1,
        "eth_src": MACS[near],
        "eth_dst": MACS[1 - near],
        "ip_src": source,
        "ip_dst": target,
    }
    ports = (chance.choice((4000, 4001)), 80)[:: 1 if near == 0 else -1]
    kind = chance.choice(("tcp", "tcp", "tcp", "tcp", "udp", "icmp"))
    if kind == "icmp":
        return icmp(**ends, icmp_type=chance.choice((8, 0)))
    if kind == "udp":
        return udp(**ends, udp_src=ports[0], udp_dst=ports[1])
    usual = (SYN, SYN, ACK, ACK) if near == 0 else (SYN_ACK, SYN_ACK, ACK)
    # with NAT no connection ends: OVS 3.1 moves the next one of its ports to another source port
    ending = () if nat else (FIN | ACK, RST)
    flags = chance.choice((*usual, *ending, SYN | FIN, 0))
    return tcp(**ends, tcp_src=ports[0], tcp_dst=ports[1], tcp_flags=flags)


def datapath_text(packet: Packet) -> str:
    """The packet as `netdev-dummy/receive` reads it."""
    shown = {name: FIELDS[name].form.show(value) for name, value in packet.items()}
    text = (
        f"in_port({shown['in_port']}),eth(src={shown['eth_src']},dst={shown['eth_dst']}),"
        f"eth_type(0x0800),ipv4(src={shown['ip_src']},dst={shown['ip_dst']},"
        f"proto={shown['ip_proto']},tos=0,ttl={shown['nw_ttl']},frag=no)"
    )
    if packet["ip_proto"] == PROTO_ICMP:
        return f"{text},icmp(type={shown['icmp_type']},code=0)"
    kind = {PROTO_TCP: "tcp", PROTO_UDP: "udp"}[packet["ip_proto"]]
    text += f",{kind}(src={shown[f'{kind}_src']},dst={shown[f'{kind}_dst']})"
    return f"{text},tcp_flags({shown['tcp_flags']})" if kind == "tcp" else text


class Outbox:
    """Reads what ports have sent since it was read last: IP's source address to the ports."""

    def __init__(self, ovs: PrivateOvs) -> None:
        self._files = {port: pcap(ovs, port) for port in (BEGUN, KNOWN, ANSWER, INVALID)}
        self._read = {port: file.stat().st_size for port, file in self._files.items()}

    def taken(self) -> list[tuple[int, bytes]]:
        packets: list[tuple[int, bytes]] = []
        for port, file in self._files.items():
            data, place = file.read_bytes(), self._read[port]
            while place < len(data):
                (length,) = struct.unpack_from("<8xI", data, place)
                packets.append((port, data[place + 16 + 26 : place + 16 + 38]))
                place += 16 + length
            self._read[port] = place
        return packets


def as_sent(packet: Packet) -> bytes:
    """The same part of a packet here."""
    if packet["ip_proto"] == PROTO_ICMP:
        return struct.pack("!II", packet["ip_src"], packet["ip_dst"])
    kind = "tcp" if packet["ip_proto"] == PROTO_TCP else "udp"
    ports = packet[f"{kind}_src"], packet[f"{kind}_dst"]
    return struct.pack("!IIHH", packet["ip_src"], packet["ip_dst"], *ports)


def held(ovs: PrivateOvs) -> set[tuple[Tuple5, Tuple5, int, int]]:
    """The real connection table: both tuples, mark and label."""
    found = set()
    for line in ovs.appctl("dpctl/dump-conntrack", f"zone={ZONE}").splitlines():
        proto = {"tcp": PROTO_TCP, "udp": PROTO_UDP, "icmp": PROTO_ICMP}[line.partition(",")[0]]
        forth, back = (
            _tuple(proto, *ends)
            for ends in re.findall(r"\(src=([\d.]+),dst=([\d.]+),([^)]*)\)", line)
        )
        mark, label = (re.search(rf"{name}=(\w+)", line) for name in ("mark", "labels"))
        found.add((forth, back, int(mark[1], 0) if mark else 0, int(label[1], 0) if label else 0))
    return found


def _tuple(proto: int, source: str, target: str, rest: str) -> Tuple5:
    said = dict(word.split("=") for word in rest.split(","))
    if proto == PROTO_ICMP:
        ports = int(said["type"]), 8 - int(said["type"])
    else:
        ports = int(said["sport"]), int(said["dport"])
    return Tuple5(ZONE, proto, IPV4.read(source), IPV4.read(target), *ports)


@pytest.mark.parametrize("seed", [3])
@pytest.mark.parametrize(
    "nat",
    [None, Nat("dst", IPV4.read("10.9.1.50"), 0), Nat("src", IPV4.read("10.9.1.60"), 0)],
    ids=["no-nat", "dnat", "snat"],
)
def test_states_tables_and_translations(switch: PrivateOvs, nat: Nat | None, seed: int) -> None:
    chance = random.Random(seed)
    here = rules(nat)
    switch.ofctl("del-flows", BRIDGE)
    switch.appctl("dpctl/flush-conntrack")
    for flow in here.flows:
        switch.ofctl("add-flow", BRIDGE, flow_text(flow, "ovs"))
    index, conntrack, history = Index(here), Conntrack(), []
    outbox = Outbox(switch)
    for _ in range(PACKETS):
        packet = some_packet(chance, nat)
        result = run(index, packet, conntrack)
        conntrack = result.conntrack
        switch.appctl("netdev-dummy/receive", f"p{packet['in_port']}", datapath_text(packet))
        there = held(switch)  # answered after the packet has been through
        history.append(packet_text(packet))
        ours = [(sent.port, as_sent(sent.packet)) for sent in result.outputs]
        theirs = [(port, frame[: len(ours[0][1])]) for port, frame in outbox.taken()]
        assert ours == theirs, history[-12:]
        entries = {
            (entry.forth, entry.back, entry.mark, entry.label)
            for entry in conntrack.connections.values()
        }
        assert entries == there, history[-12:]
