"""What the doctor looks at, as values: what the database wants, what a host with switches has.

Must not know: where facts come from, or what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from nib.qos import PortQos
from qos.queues import PortQueues

PortKey = tuple[str, str]  # datapath id, port name
PolicyFate = Literal["active", "waiting", "short"]

DPDK_TYPES: Final = ("dpdk", "dpdkvhostuser", "dpdkvhostuserclient")

# Configuration of one queue or of a port's queues as a whole, as the switch's database has it.
Config = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RuleList:
    """Flows, groups and meters: how many, and the first of them as text."""

    count: int = 0
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownSwitch:
    """A switch as the database has it, and as the controller read it back.

    meters: of policies, that it should have, with the policy's name; missing, alien: rules, where
    it was read back.
    """

    dpid: str
    name: str
    connected: bool = True
    problem: str = ""
    meters: Mapping[int, str] = field(default_factory=dict)
    missing: RuleList | None = None
    alien: RuleList | None = None


@dataclass(frozen=True, slots=True)
class KnownPolicy:
    """A policy: what has become of it. shadowed_by: another with the same ends, which is used."""

    name: str
    fate: PolicyFate = "active"
    reason: str = ""
    has_class: bool = True
    qos_class: str = "default"
    shadowed_by: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """What the database says. fabric, health: ports; queues: those that ports should have."""

    switches: tuple[KnownSwitch, ...] = ()
    policies: tuple[KnownPolicy, ...] = ()
    fabric: frozenset[PortKey] = frozenset()
    health: frozenset[PortKey] = frozenset()
    queues: Mapping[PortKey, PortQueues] = field(default_factory=dict)
    port_qos: Mapping[PortKey, PortQos] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QosRow:
    """The QoS that Open vSwitch has configured at a port; queues: by id."""

    kind: str
    config: Config = field(default_factory=dict)
    queues: Mapping[int, Config] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filter:
    """A tc filter from a DSCP of one family ("ip" or "ipv6") to a class, by its queue."""

    family: str
    dscp: int
    queue: int


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of a port's veth pair; tx_checksum: it leaves checksums to be filled in."""

    name: str
    mtu: int
    tx_checksum: bool


@dataclass(frozen=True, slots=True)
class Device:
    """A port's network device as the kernel has it.

    qdisc: the kind of the root qdisc; handle: its major number; peer: None where it has none, or
    where that cannot be seen (hides_peer).
    """

    mtu: int
    qdisc: str = "noqueue"
    handle: int = 0
    filters: frozenset[Filter] = frozenset()
    peer: Peer | None = None
    hides_peer: bool = False


@dataclass(frozen=True, slots=True)
class HostPort:
    """A port as this host's Open vSwitch has it. kind: the interface's type, "" = a device."""

    name: str
    kind: str = ""
    error: str = ""
    qos: QosRow | None = None
    device: Device | None = None

    @property
    def is_dpdk(self) -> bool:
        """Whether its packets never meet the kernel's queues."""
        return self.kind in DPDK_TYPES


@dataclass(frozen=True, slots=True)
class HostMeter:
    """A meter in a switch, and what it counted. burst: kilobits or packets, as the rate."""

    rate: int
    burst: int
    per_packet: bool
    packets: int
    dropped: int
    seconds: float
    flows: int


@dataclass(frozen=True, slots=True)
class HostBridge:
    """A bridge of this host that the database knows as a switch.

    controllers: target -> max_backoff in milliseconds; queues_set: by any flow's set_queue.
    """

    name: str
    dpid: str
    datapath: str = "netdev"
    fail_mode: str = "secure"
    controllers: Mapping[str, int] = field(default_factory=dict)
    ports: tuple[HostPort, ...] = ()
    queues_set: frozenset[int] = frozenset()
    meters: Mapping[int, HostMeter] = field(default_factory=dict)
    alien: RuleList = RuleList()

    @property
    def is_userspace(self) -> bool:
        """Whether packets pass through ovs-vswitchd and not through the kernel's datapath."""
        return self.datapath == "netdev"


@dataclass(frozen=True, slots=True)
class Host:
    """This machine. checksum_errors: a second, of packets that conntrack refused, now."""

    bridges: tuple[HostBridge, ...] = ()
    dpdk_wanted: bool = False
    dpdk_initialised: bool = False
    hugepages: int = 0
    checksum_errors: float = 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was seen. host: None where there is none to look at; unseen: what was not looked at,
    and why."""

    network: Network
    host: Host | None = None
    unseen: tuple[str, ...] = ()

    def switch(self, dpid: str) -> KnownSwitch | None:
        """The switch of a datapath id."""
        return next((each for each in self.network.switches if each.dpid == dpid), None)
