"""Small random pipelines and packets that often meet, from a seed. No lookup goes backwards."""

from __future__ import annotations

import random
from collections.abc import Callable

from openflow.fields import ETH_ARP, ETH_IP, Subfield, whole
from openflow.packet import Packet, arp, icmp, tcp, udp
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
_L4_PORTS = (80, 443)


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
        kind = self.random.choice(("any", "arp", "ip", "tcp", "tcp", "udp", "icmp"))
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
        elif kind != "any":
            subnet = (0x0A090100, 0xFFFFFF00)
            fields |= {"ip_src": choose((*_HOSTS, subnet)), "ip_dst": choose((*_HOSTS, subnet))}
        if kind in ("tcp", "udp"):
            fields |= {f"{kind}_dst": choose((*_L4_PORTS, (0, 1))), f"{kind}_src": choose((80, 9))}
        picked = self.random.sample(sorted(fields), count)
        wanted = {name: fields[name] for name in picked} | required(kind)
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
        if kind in ("ip", "tcp", "udp", "icmp"):
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
            Move(Subfield("in_port", 0, 16), Subfield("reg1", 0, 16)),
            Move(whole("ct_mark"), whole("reg0")),
            Move(whole("eth_src"), whole("eth_dst")),
            set_field("eth_src", choose(_MACS)),
            set_field("pkt_mark", choose((0, 9))),
        ]
        if kind == "arp":
            sender, target = whole("arp_sha"), whole("arp_tha")
            writes += [set_field("arp_op", 2), set_field("arp_spa", choose(_HOSTS))]
            writes += [Move(sender, target), Move(whole("arp_spa"), whole("arp_tpa"))]
        elif kind != "any":
            writes += [set_field("ip_dst", choose(_HOSTS)), set_field("ip_src", choose(_HOSTS))]
            writes += [set_field("ip_dscp", choose((0, 46))), set_field("nw_ttl", 3)]
            writes += [Move(Subfield("reg0", 0, 8), Subfield("ip_dst", 0, 8))]
        if kind in ("tcp", "udp"):
            writes += [set_field(f"{kind}_dst", choose(_L4_PORTS)), set_field(f"{kind}_src", 9)]
        return choose(writes)

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


def required(kind: str) -> dict[str, int | str | tuple[int, int]]:
    """What a match must say for fields of a kind."""
    protocols = {"tcp": 6, "udp": 17, "icmp": 1}
    if kind == "any":
        return {}
    if kind in protocols:
        return {"eth_type": ETH_IP, "ip_proto": protocols[kind]}
    return {"eth_type": ETH_ARP if kind == "arp" else ETH_IP}
