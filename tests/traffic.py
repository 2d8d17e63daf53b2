"""Connections through the rules of one switch, run by the interpreter, hop by hop.

A `Wire` holds rules and what conntrack knows; it carries one packet at a time and says where it
came out. `Dialogue` speaks both ends of one connection to a service and checks every header.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from gateway_lb.neighbours import VIP_MAC
from nib.intent import Service
from nib.topology import Host, Port
from openflow import tables
from openflow.conntrack import Conntrack
from openflow.families import IPV6, PROTOCOLS, Family, family_of
from openflow.fields import FIELDS, MAC
from openflow.index import Index
from openflow.interpreter import Choose, Sent, choose_by_hash, run
from openflow.packet import ACK, SYN, SYN_ACK, Packet, packet_text
from openflow.packet import packet as packet_of
from openflow.values import CONTROLLER, Resubmit, Rules

# By which port what is for other switches leaves, and comes in from there.
TRUNK: Final = 100

_INSIDE: Final = ("reg", "ct_", "metadata", "pkt_mark", "in_port")

_TO_CONTAINER: Final = Resubmit(tables.REMEMBER.number)

# A packet passes every table at most twice (before and after conntrack) and the group's detour.
_MOST_STEPS: Final = 2 * len(tables.PIPELINE)


class Wire:
    """One switch's data path; `conntrack` changes as packets pass."""

    def __init__(self, rules: Rules | Index, conntrack: Conntrack | None = None) -> None:
        self.index = rules if isinstance(rules, Index) else Index(rules)
        self.conntrack = conntrack or Conntrack()

    def programmed(self, rules: Rules | Index) -> Wire:
        """The same switch with other rules."""
        return Wire(rules, self.conntrack)

    def send(self, packet: Packet, choose: Choose = choose_by_hash) -> Sent | None:
        """Where the packet leaves; None: dropped. It never leaves twice, nor loops.

        What the controller is told besides does not count.
        """
        result = run(self.index, packet, self.conntrack, choose=choose)
        assert not result.errors, f"{packet_text(packet)}: {result.errors}"
        assert len(result.steps) <= _MOST_STEPS, f"{packet_text(packet)} loops"
        leaving = [sent for sent in result.outputs if sent.port != CONTROLLER]
        assert len(leaving) <= 1, f"{packet_text(packet)} leaves more than once"
        self.conntrack = result.conntrack
        return next(iter((*leaving, *result.outputs)), None)


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody behind a port of the switch."""

    in_port: int = 50
    port: int = 40_000
    address: str = "10.9.0.1"
    address6: str = "fd09::1"
    mac: str = "02:00:00:00:09:01"


@dataclass(frozen=True, slots=True)
class Where:
    """To whom a packet was delivered, as the wire shows it, and by which port it left.

    That is TRUNK where the container is behind another switch.
    """

    mac: str
    address: str
    port_number: int
    port: int


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One connection of a client to a service."""

    wire: Wire
    client: Client
    service: Service
    port: int
    protocol: str

    @property
    def family(self) -> Family:
        return family_of(self.service.vip)

    @property
    def client_address(self) -> str:
        return self.client.address6 if self.family is IPV6 else self.client.address

    def opened(self, choose: Choose = choose_by_hash) -> Where | None:
        """The first packet; None: it reaches nobody, but perhaps the controller."""
        return self._to_vip(SYN, choose)

    def told(self, flags: int = SYN) -> bool:
        """Whether a packet goes to the controller, as the client sent it."""
        given = self.given(flags)
        sent = self.wire.send(given)
        return sent is not None and sent.port == CONTROLLER and same_outside(sent.packet, given)

    def more(self) -> Where | None:
        """A later packet of the client."""
        return self._to_vip(ACK, choose_by_hash)

    def answered(self, by: Where, flags: int = SYN_ACK) -> bool:
        """Whether the container's reply reaches the client, by its port, as the VIP's."""
        reply = self.reply(by, flags)
        sent = self.wire.send(reply)
        return (
            sent is not None
            and sent.port == self.client.in_port
            and same_outside(sent.packet, self._reply_of_vip(reply))
        )

    def established(self, choose: Choose = choose_by_hash) -> Where | None:
        """Open, have it answered, confirm; whom it reaches, None where it is nobody."""
        where = self.opened(choose)
        if where is None or not self.answered(where):
            return None
        return where if self.more() == where else None

    def _to_vip(self, flags: int, choose: Choose) -> Where | None:
        given = self.given(flags)
        sent = self.wire.send(given, choose)
        if sent is None or sent.port == CONTROLLER:
            return None
        for name in ("eth_src", self.family.src, f"{self.protocol}_src"):
            assert sent.packet[name] == given[name], f"{name} of the client was changed"
        return Where(
            MAC.show(sent.packet["eth_dst"]),
            FIELDS[self.family.dst].form.show(sent.packet[self.family.dst]),
            sent.packet[f"{self.protocol}_dst"],
            sent.port,
        )

    def given(self, flags: int) -> Packet:
        """A packet of the client."""
        return self._packet(
            flags,
            in_port=self.client.in_port,
            eth_src=self.client.mac,
            eth_dst=VIP_MAC,
            src=(self.client_address, self.client.port),
            dst=(self.service.vip, self.port),
        )

    def reply(self, by: Where, flags: int) -> Packet:
        """A packet of the container."""
        return self._packet(
            flags,
            in_port=by.port,
            eth_src=by.mac,
            eth_dst=self.client.mac,
            src=(by.address, by.port_number),
            dst=(self.client_address, self.client.port),
        )

    def _reply_of_vip(self, reply: Packet) -> Packet:
        vip = FIELDS[self.family.src].form.read(self.service.vip)
        fields = {self.family.src: vip, f"{self.protocol}_src": self.port}
        return reply.having(eth_src=MAC.read(VIP_MAC), eth_dst=MAC.read(self.client.mac), **fields)

    def _packet(
        self, flags: int, *, src: tuple[str, int], dst: tuple[str, int], **fields: int | str
    ) -> Packet:
        fields |= {self.family.src: src[0], self.family.dst: dst[0]}
        fields |= {f"{self.protocol}_src": src[1], f"{self.protocol}_dst": dst[1]}
        if self.protocol == "tcp":
            fields["tcp_flags"] = flags
        return packet_of(eth_type=self.family.eth_type, ip_proto=PROTOCOLS[self.protocol], **fields)


def client_rows(client: Client, switch: str) -> tuple[Port, Host]:
    """The client's port, and the client as it was heard there."""
    port = Port(switch, "client", client.in_port, "02:00:00:00:0a:01", up=True)
    return port, Host(client.mac, switch, port.name, frozenset({client.address, client.address6}))


def same_outside(one: Packet, other: Packet) -> bool:
    """Whether two packets are the same on the wire: registers and conntrack fields stay inside."""
    seen = [
        {name: value for name, value in packet.items() if not name.startswith(_INSIDE)}
        for packet in (one, other)
    ]
    return seen[0] == seen[1]


def connection(wire: Wire, client: Client, service: Service) -> Dialogue:
    """A connection to the service's own port."""
    return Dialogue(wire, client, service, service.port, service.protocol)


def slot_choices(wire: Wire, group_id: int) -> Iterable[Choose]:
    """One choice for each different bucket of a group that leads to a container."""
    group = wire.index.groups.get(group_id)
    buckets = [each for each in group.buckets if each.actions[-1] == _TO_CONTAINER] if group else []
    first = {bucket: slot for slot, bucket in reversed(list(enumerate(buckets)))}
    return [_always(slot) for slot in first.values()]


def _always(slot: int) -> Choose:
    return lambda _group, _packet: slot


def another_client(client: Client, number: int) -> Client:
    """The same host with another source port."""
    return replace(client, port=client.port + number)
