"""Small random pipelines and packets that often meet, from a seed. No lookup goes backwards."""

from __future__ import annotations

import random
from collections.abc import Callable

from openflow.fields import (
    ETH_ARP,
    ETH_IP,
    ETH_IPV6,
    IN_PORT_NUMBER,
    ND_ADVERTISEMENT,
    ND_SOLICITATION,
    PROTO_ICMP,
    PROTO_ICMPV6,
    PROTO_TCP,
    PROTO_UDP,
    Subfield,
    whole,
)
from openflow.packet import Packet, arp, icmp, icmp6, solicitation, tcp, tcp6, udp, udp6
from openflow.values import (
    ALL,
    CONTROLLER,
    FLOOD,
    IN_PORT,
    LOCAL,
    NORMAL,
    Action,
    ApplyMeter,
    Bucket,
    Ct,
    CtClear,
    Flow,
    Goto,
    Group,
    GroupKind,
    Match,
    Meter,
    Move,
    Nat,
    Output,
    OutputField,
    Resubmit,
    Rules,
    SetField,
    SetQueue,
    ToGroup,
    match,
    set_field,
)

PORTS = (1, 2, 3, 4)
NO_PORT = 99

_TABLES = range(5)
_MACS = (0x0200_0000_0001, 0x0200_0000_0002)
_HOSTS = ("10.9.1.1", "10.9.1.2", "10.9.2.1")
_HOSTS6 = ("fd00:1::1", "fd00:1::2", "fd00:2::1")
_SUBNET, _SUBNET6 = (0x0A090100, 0xFFFFFF00), (0xFD00_0001 << 96, 0xFFFF_FFFF << 96)
_L4_PORTS = (80, 443)

_ND = {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6, "icmpv6_code": 0}
# What a match must say for fields of a kind.
REQUIRED: dict[str, dict[str, int | str | tuple[int, int]]] = {
    "arp": {"eth_type": ETH_ARP},
    "ip": {"eth_type": ETH_IP},
    "tcp": {"eth_type": ETH_IP, "ip_proto": PROTO_TCP},
    "udp": {"eth_type": ETH_IP, "ip_proto": PROTO_UDP},
    "icmp": {"eth_type": ETH_IP, "ip_proto": PROTO_ICMP},
    "ipv6": {"eth_type": ETH_IPV6},
    "tcp6": {"eth_type": ETH_IPV6, "ip_proto": PROTO_TCP},
    "udp6": {"eth_type": ETH_IPV6, "ip_proto": PROTO_UDP},
    "icmp6": {"eth_type": ETH_IPV6, "ip_proto": PROTO_ICMPV6},
    "asking": {**_ND, "icmpv6_type": ND_SOLICITATION},
    "answering": {**_ND, "icmpv6_type": ND_ADVERTISEMENT},
}
# The protocol that a kind's ports belong to.
TRANSPORTS = {"tcp": "tcp", "udp": "udp", "tcp6": "tcp", "udp6": "udp"}


class Maker:
    """Makes small pipelines and packets that often meet, from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def rules(self) -> Rules:
        groups = tuple(self.group(number) for number in range(1, 7))
        flows = [
            self.flow(table, priority)
            for table in _TABLES
            for priority in self.random.sample(range(1, 100), 8)
        ]
        flows += [Flow(table, 0, match(), self.actions("any", table)) for table in _TABLES]
        return Rules(tuple(flows), groups, (Meter(1, 1000, 1000), Meter(2, 1000, 1000)))

    def flow(self, table: int, priority: int) -> Flow:
        kind = self.random.choice(("any", "any", "tcp", "tcp", "tcp6", "tcp6", *REQUIRED))
        return Flow(table, priority, self.match(kind), self.actions(kind, table))

    def match(self, kind: str) -> Match:
        choose = self.random.choice
        fields: dict[str, int | str | tuple[int, int]] = {
            "in_port": choose(PORTS),
            "eth_src": choose(_MACS),
            "reg0": choose((0, 1, (1, 3))),
            "reg1": (choose(PORTS), 0xFFFF),
            "ct_state": choose(("+trk", "-trk", "+new+trk", "+est-rpl+trk", "-inv", "+rpl")),
            "ct_mark": choose((0, 7, (1, 1))),
        }
        count = self.random.randint(0, 2)
        if kind == "arp":
            fields = {"arp_op": choose((1, 2)), "arp_tpa": choose(_HOSTS), "in_port": choose(PORTS)}
        elif is_ipv6(kind):
            hosts6 = (*_HOSTS6, _SUBNET6)
            fields |= {"ipv6_src": choose(hosts6), "ipv6_dst": choose(hosts6)}
        elif kind != "any":
            hosts = (*_HOSTS, _SUBNET)
            fields |= {"ip_src": choose(hosts), "ip_dst": choose(hosts)}
        if kind in TRANSPORTS:
            name = TRANSPORTS[kind]
            fields |= {f"{name}_dst": choose((*_L4_PORTS, (0, 1))), f"{name}_src": choose((80, 9))}
        if kind in ("asking", "answering"):
            fields |= {"nd_target": choose((*_HOSTS6, _SUBNET6)), "nd_options_type": choose((0, 1))}
            fields |= {"nd_reserved": choose((0, 0x6000_0000))}
        picked = self.random.sample(sorted(fields), count)
        wanted = {name: fields[name] for name in picked} | REQUIRED.get(kind, {})
        return match(**wanted)

    def actions(self, kind: str, table: int) -> tuple[Action, ...]:
        count = self.random.choice((0, 1, 1, 2, 2, 3, 4))
        actions: list[Action] = [self.action(kind, table) for _ in range(count)]
        if self.random.random() < 0.15:
            actions.insert(0, ApplyMeter(self.random.choice((1, 2))))
        later = [other for other in _TABLES if other > table]
        if later and self.random.random() < 0.4:
            actions.append(Goto(self.random.choice(later)))
        return tuple(actions)

    def action(self, kind: str, table: int) -> Action:
        choose = self.random.choice
        makers: list[Callable[[], Action]] = [
            lambda: Output(choose((*PORTS, IN_PORT, NORMAL, FLOOD, ALL, CONTROLLER, LOCAL))),
            lambda: Output(choose(PORTS)),
            lambda: OutputField(choose((Subfield("reg1", 0, 16), whole("reg1")))),
            lambda: self.write(kind),
            lambda: self.write(kind),
            lambda: SetQueue(choose((1, 2, 3))),
            CtClear,
        ]
        if table < 2:
            makers.append(lambda: ToGroup(self.random.randint(1, 6)))
        makers += self.onward(kind, table)
        return choose(makers)()

    def onward(self, kind: str, table: int) -> list[Callable[[], Action]]:
        """Actions that go to later tables, so that no pipeline loops."""
        later = [other for other in _TABLES if other > table]
        if not later:
            return []
        makers: list[Callable[[], Action]] = [lambda: Resubmit(self.random.choice(later))] * 2
        if kind not in ("any", "arp"):
            makers += [lambda: self.ct(later)] * 2
        return makers

    def ct(self, later: list[int]) -> Ct:
        commit = self.random.random() < 0.5
        marks = (set_field("ct_mark", 7), Move(whole("reg0"), whole("ct_mark")))
        table = self.random.choice((*later, None))
        return Ct(
            zone=self.random.choice((5, 6)),
            table=table,
            commit=commit,
            # only a bare nat: what a trace does with addresses is an imitation of NAT
            nat=Nat() if self.random.random() < 0.2 else None,
            exec=(self.random.choice(marks),) if commit and self.random.random() < 0.7 else (),
        )

    def write(self, kind: str) -> Action:
        choose = self.random.choice
        writes: list[Action] = [
            SetField(whole("reg0"), choose((0, 1, 2, 3))),
            SetField(Subfield("reg1", 0, 16), choose((*PORTS, 0xFFF8, 77))),
            SetField(Subfield("reg1", 16, 2), choose((0, 1))),
            Move(IN_PORT_NUMBER, Subfield("reg1", 0, 16)),
            Move(Subfield("reg0", 0, 16), IN_PORT_NUMBER),
            set_field("in_port", choose((0, *PORTS))),
            Move(whole("xxreg0"), whole("xxreg1")),
            SetField(Subfield("xxreg0", 96, 32), choose((0, 1, 2, 3))),
            Move(whole("ct_mark"), whole("reg0")),
            Move(whole("eth_src"), whole("eth_dst")),
            set_field("eth_src", choose(_MACS)),
            set_field("pkt_mark", choose((0, 9))),
        ]
        if kind == "arp":
            sender, target = whole("arp_sha"), whole("arp_tha")
            writes += [set_field("arp_op", 2), set_field("arp_spa", choose(_HOSTS))]
            writes += [Move(sender, target), Move(whole("arp_spa"), whole("arp_tpa"))]
        elif is_ipv6(kind):
            writes += [set_field("ipv6_dst", choose(_HOSTS6)), set_field("nw_ttl", 3)]
            writes += [Move(whole("ipv6_src"), whole("xxreg1")), set_field("ip_dscp", 46)]
            writes += [Move(whole("ipv6_src"), whole("ipv6_dst"))]
            writes += [Move(whole("xxreg1"), whole("ipv6_src"))]
            writes += [Move(Subfield("reg0", 0, 8), Subfield("ipv6_dst", 0, 8))]
        elif kind != "any":
            writes += [set_field("ip_dst", choose(_HOSTS)), set_field("ip_src", choose(_HOSTS))]
            writes += [set_field("ip_dscp", choose((0, 46))), set_field("nw_ttl", 3)]
            writes += [Move(Subfield("reg0", 0, 8), Subfield("ip_dst", 0, 8))]
        if kind in TRANSPORTS:
            near, far = f"{TRANSPORTS[kind]}_src", f"{TRANSPORTS[kind]}_dst"
            writes += [set_field(far, choose(_L4_PORTS)), set_field(near, 9)]
            writes += [Move(whole(near), Subfield("reg1", 0, 16))]
        return choose(writes + self.discovery(kind))

    def discovery(self, kind: str) -> list[Action]:
        """Writes of ICMPv6 and of neighbour discovery."""
        choose = self.random.choice
        if kind == "icmp6":
            return [set_field("icmpv6_type", choose((128, 129)))] * 3
        writes: list[Action] = [set_field("nd_target", choose(_HOSTS6))]
        writes += [set_field("nd_reserved", choose((0, 0x6000_0000)))]
        if kind == "asking":
            option = set_field("nd_sll", choose(_MACS))
            return [*writes, option, *[set_field("icmpv6_type", ND_ADVERTISEMENT)] * 6]
        if kind == "answering":
            option_type = set_field("nd_options_type", choose((1, 2)))
            return [*writes, option_type, Move(whole("eth_src"), whole("nd_tll"))]
        return []

    def group(self, number: int) -> Group:
        kinds: tuple[GroupKind, ...] = ("select", "select", "all", "indirect", "ff")
        kind = self.random.choice(kinds)
        count = {"select": 8, "indirect": 1}.get(kind, 3)
        buckets = [
            Bucket(
                tuple(self.action("tcp", 2) for _ in range(self.random.randint(1, 4))),
                watch_port=self.random.choice((*PORTS, NO_PORT)) if kind == "ff" else None,
            )
            for _ in range(count)
        ]
        return Group(number, kind, tuple(buckets))

    def packet(self) -> Packet:
        choose = self.random.choice
        fields: dict[str, int | str] = {
            "in_port": choose(PORTS),
            "eth_src": choose(_MACS),
            "eth_dst": choose(_MACS),
            "ct_mark": choose((0, 7)),
        }
        hosts: dict[str, int | str] = {"ip_src": choose(_HOSTS), "ip_dst": choose(_HOSTS)}
        if self.random.random() < 0.5:
            return self.packet6(fields)
        kind = choose(("tcp", "tcp", "tcp", "udp", "icmp", "arp"))
        if kind == "arp":
            spoken: dict[str, int | str] = {"arp_spa": choose(_HOSTS), "arp_tpa": choose(_HOSTS)}
            return arp(**fields, **spoken, arp_sha=choose(_MACS))
        if kind == "icmp":
            return icmp(**fields, **hosts)
        ports: dict[str, int | str] = {
            f"{kind}_src": choose((80, 9)),
            f"{kind}_dst": choose((80, 443)),
        }
        return tcp(**fields, **hosts, **ports) if kind == "tcp" else udp(**fields, **hosts, **ports)

    def packet6(self, fields: dict[str, int | str]) -> Packet:
        choose = self.random.choice
        hosts: dict[str, int | str] = {"ipv6_src": choose(_HOSTS6), "ipv6_dst": choose(_HOSTS6)}
        kind = choose(("tcp", "tcp", "udp", "icmp", "asking", "asking"))
        if kind == "asking":
            options: tuple[dict[str, int | str], ...] = ({}, {"nd_sll": choose(_MACS)})
            return solicitation(**fields, **hosts, nd_target=choose(_HOSTS6), **choose(options))
        if kind == "icmp":
            return icmp6(**fields, **hosts)
        ports: dict[str, int | str] = {
            f"{kind}_src": choose((80, 9)),
            f"{kind}_dst": choose((80, 443)),
        }
        return (tcp6 if kind == "tcp" else udp6)(**fields, **hosts, **ports)


def is_ipv6(kind: str) -> bool:
    """Whether packets of a kind have the headers of IPv6."""
    return REQUIRED.get(kind, {}).get("eth_type") == ETH_IPV6
