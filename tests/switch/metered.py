"""A switch of the userspace datapath whose policies are metered, real frames through it, and what
is read of them; its rules are put by a link, without a controller.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Final, NamedTuple, Self

from nib.database import Nib
from nib.mirror import RowChange
from nib.qos import Policy, QosClass
from openflow import cookies, tables
from openflow.cookies import OWNER_MASK, Cookie, Kind
from openflow.fields import SOURCE_SERVICE, TARGET_SERVICE
from openflow.values import Flow, Goto, Output, SetField, match, merged
from qos.pipeline import Limits, policy_rules
from ryu_apps import wire
from ryu_apps.diff import Changes, Desired, Installed, diff
from ryu_apps.framework import ofproto
from ryu_apps.link import Link
from ryu_apps.message_ids import LAST_READINGS, is_of
from ryu_apps.order import order
from ryu_apps.policy_readings import PolicyReadings
from tests.nib_strategies import HERE
from tests.ovs import PrivateOvs
from tests.switch.management import Management

BRIDGE: Final = "br0"
FRAME_BYTES: Final = 500
_UDP: Final = {"eth_type": 0x0800, "ip_proto": 17}
_CLASS: Final = QosClass("bulk", 1, 1)
_SEND: Final = """
import socket, struct, sys, time
count, first, policies, size, pause = map(int, sys.argv[2:])
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((sys.argv[1], 0))
frames = []
for port in range(first, first + policies):
    ip = struct.pack("!BBHHHBBH4s4s", 69, 0, size - 14, 0, 0, 64, 17, 0, bytes(4), bytes(4))
    frame = bytes.fromhex("020000000002" "020000000001" "0800") + ip
    frame += struct.pack("!HHHH", 1, port, size - 34, 0)
    frames.append(frame.ljust(size, bytes(1)))
for number in range(count):
    for frame in frames:
        out.send(frame)
    if number % 10 == 9:
        time.sleep(pause / 1000)
"""


class Figures(NamedTuple):
    """Packets or bytes of one policy."""

    offered: int
    passed: int
    dropped: int


@dataclass
class Metered:
    """What a test works with: policies 1..n, whose frames go to the UDP port of their number."""

    ovs: PrivateOvs
    peer: Management
    nib: Nib
    policies: tuple[Policy, ...]
    readings: PolicyReadings = field(init=False)
    link: Link = field(init=False)
    _held: Installed = field(default_factory=Installed)

    def __post_init__(self) -> None:
        self.readings = PolicyReadings(self.nib)
        self.link = Link(self.peer)

    def prepare(self) -> Self:
        """Put what the policies need, and lead the frames of each to its flow."""
        flows = [Flow(tables.MARK.number, 1, match(), (Output(2),), Cookie(Kind.BASE, 0).value)]
        for policy in self.policies:
            ends = SetField(SOURCE_SERVICE, 1), SetField(TARGET_SERVICE, policy.number)
            to = (*ends, Goto(tables.POLICE.number))
            cookie = Cookie(Kind.BASE, policy.number).value
            flows.append(Flow(0, 1, match(**_UDP, udp_dst=policy.number), to, cookie))
        self._program(Changes(put_flows=tuple(flows)))
        self.limit(self.policies)
        return self

    def limit(self, policies: Collection[Policy]) -> None:
        """The policies are so from now on: meters are added, changed and deleted as needed."""
        rules = merged(
            policy_rules(
                each, _CLASS, (1, each.number), Limits(each.max_bps, each.max_pps, each.burst_ms)
            )
            for each in policies
        )
        wanted = Installed()
        wanted.confirm(Changes(add_meters=rules.meters, put_flows=rules.flows))
        changes = diff(Desired(wanted.flows, {}, wanted.meters), self._held, self._as_desired())
        self._held = wanted
        self._program(*(stage for batch in order(changes) for stage in batch))

    def _as_desired(self) -> Desired:
        return Desired(self._held.flows, {}, self._held.meters)

    def scale(self, percent: int) -> None:
        """Every limit is this part of what it was first."""
        self.limit(
            [
                replace(
                    each,
                    max_bps=each.max_bps and each.max_bps * percent // 100,
                    max_pps=each.max_pps and each.max_pps * percent // 100,
                )
                for each in self.policies
            ]
        )

    def read(self) -> None:
        """Take a whole reading."""
        police, mask = tables.POLICE.number, OWNER_MASK | 0xFF << 32
        cookie = Cookie(Kind.POLICY, 0).value
        flows = self.peer.asked(
            lambda xid: wire.flows_request(xid, table=police, cookie=cookie, mask=mask)
        )
        self.readings.read(HERE, flows, self.peer.asked(wire.meter_stats_request))

    def figures(self, unit: str = "packets") -> dict[str, Figures]:
        """What is shown, by policy."""
        shown: dict[str, dict[str, int]] = {}
        for metric in self.readings.collect():
            what, _, kind = metric.name.removeprefix("prewire_policy_").partition("_")
            for sample in metric.samples if kind == unit else ():
                shown.setdefault(sample.labels["policy"], {})[what] = int(sample.value)
        return {policy: Figures(**values) for policy, values in shown.items()}

    def sending(self, frames: int, pause_ms: int = 10) -> Thread:
        """Frames of every policy are sent; after ten of each a pause. Started; ends by itself."""
        first, policies = self.policies[0].number, len(self.policies)
        numbers = map(str, (frames, first, policies, FRAME_BYTES, pause_ms))
        argv = (sys.executable, "-c", _SEND, "p1-peer", *numbers)
        thread = Thread(target=self.ovs.run, args=argv)
        thread.start()
        return thread

    def entered(self) -> dict[str, int]:
        """Frames of every policy that the switch took in: a busy machine may lose some before."""
        flows = self.peer.asked(lambda xid: wire.flows_request(xid, table=0))
        counts = {cookies.read(entry.cookie): entry.packet_count for entry in flows}
        numbers = {parts.number: count for parts, count in counts.items() if parts is not None}
        return {each.name: numbers[each.number] for each in self.policies}

    def left(self) -> int:
        """Frames that left by the second port."""
        entries = self.peer.asked(wire.port_stats_request)
        return sum(int(entry.tx_packets) for entry in entries if entry.port_no == 2)

    def _program(self, *batch: Changes) -> None:
        """As `ryu_apps.members` does, and `ryu_apps.telemetry` hears it."""
        self.link.program(batch)
        refused = None
        while refused is None:
            message = self.peer.receive()
            if message.msg_type == ofproto.OFPT_BARRIER_REPLY:
                refused = self.link.barrier(message.xid)
            elif message.msg_type == ofproto.OFPT_ERROR:
                self.link.refused(message)
            else:
                assert is_of(LAST_READINGS, message.xid)
                self.readings.last_of(HERE, message.body)
        assert not refused


@contextmanager
def metered(*policies: Policy) -> Iterator[Metered]:
    """It runs; ends with the block."""
    with (
        PrivateOvs("netdev") as ovs,
        closing(Nib("unix:/nowhere", "test")) as nib,
    ):
        ovs.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")  # ports send nothing else
        ovs.add_bridge(BRIDGE, dpid=1, ports=("p1", "p2"))
        with nib.view() as view:
            for policy in policies:
                view.apply(RowChange(None, policy))
        with Management(ovs, BRIDGE) as peer:
            yield Metered(ovs, peer, nib, policies).prepare()
