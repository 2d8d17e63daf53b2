"""The rows of the network as frozen, checked values: switches, ports, links and stations.

All are written by the leading controller, as switches, probes and packets show them.

Must not know: OVSDB, or what anyone does with a record.
"""

from __future__ import annotations

from dataclasses import dataclass

from nib.fields import (
    MAX_INTEGER,
    MAX_PORT_NUMBER,
    check_boolean,
    check_dpid,
    check_host_address,
    check_integer,
    check_mac,
    check_set,
    check_text,
    check_unicast_mac,
)

MAX_HOST_ADDRESSES = 16
MAX_CT_ZONE = 0x7FFF  # the zone of origins is this one's with the highest bit set


@dataclass(frozen=True, slots=True)
class Switch:
    """One datapath: the generation it `applied`, and its `problem` ('' when all is well).

    connected: packets may be led through it; it was programmed since it connected.
    """

    dpid: str
    ct_zone: int
    name: str = ""
    connected: bool = False
    applied: int = 0
    problem: str = ""

    def __post_init__(self) -> None:
        check_dpid("dpid", self.dpid)
        check_integer("ct_zone", self.ct_zone, 1, MAX_CT_ZONE)
        check_text("name", self.name, shortest=0)
        check_boolean("connected", self.connected)
        check_integer("applied", self.applied, 0, MAX_INTEGER)
        check_text("problem", self.problem, 4000, shortest=0)

    @property
    def key(self) -> str:
        """The datapath id."""
        return self.dpid


@dataclass(frozen=True, slots=True)
class Port:
    """One port of a switch: its OpenFlow `number`, and the station seen behind it."""

    switch: str
    name: str
    number: int
    mac: str
    iface_id: str | None = None
    attached_mac: str | None = None
    up: bool = False
    speed_bps: int = 0

    def __post_init__(self) -> None:
        check_dpid("switch", self.switch)
        check_text("name", self.name, 63)
        check_integer("number", self.number, 0, MAX_PORT_NUMBER)
        check_mac("mac", self.mac)
        if self.iface_id is not None:
            check_text("iface_id", self.iface_id)
        if self.attached_mac is not None:
            check_unicast_mac("attached_mac", self.attached_mac)
        check_boolean("up", self.up)
        check_integer("speed_bps", self.speed_bps, 0, MAX_INTEGER)

    @property
    def key(self) -> tuple[str, str]:
        """(datapath id, port name)."""
        return (self.switch, self.name)


@dataclass(frozen=True, slots=True)
class Link:
    """What leaves a switch by one of its ports arrives at a port of its peer.

    One direction, as a probe was seen to take it; ports by name. A link carries traffic only where
    both directions are there.
    """

    switch: str
    port: str
    peer: str
    peer_port: str

    def __post_init__(self) -> None:
        check_dpid("switch", self.switch)
        check_text("port", self.port, 63)
        check_dpid("peer", self.peer)
        check_text("peer_port", self.peer_port, 63)

    @property
    def key(self) -> tuple[str, str]:
        """(datapath id, port name)."""
        return (self.switch, self.port)


@dataclass(frozen=True, slots=True)
class Host:
    """A station that spoke at an edge port and that nobody registered; ports by name."""

    mac: str
    switch: str
    port: str
    addresses: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_unicast_mac("mac", self.mac)
        check_dpid("switch", self.switch)
        check_text("port", self.port, 63)
        for address in check_set("addresses", self.addresses, MAX_HOST_ADDRESSES):
            check_host_address("addresses", address)

    @property
    def key(self) -> str:
        """Its MAC address."""
        return self.mac
