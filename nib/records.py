"""The rows of the state database as frozen, checked values.

Owns: one record class for each table, its natural key and its validation. One role writes each:

    Global, Service, Container                intent: written by REST
    Switch, Port, Link, Host, Leader          written by the leading controller
    Slot_Table, Local_Slots                   likewise
    Ejected, Demand                           likewise
    Report                                    what containers and gateways report to REST
    Health                                    seen by the node agent of the container's switch
    Connections                               seen by the node agent of the clients' switch
    Audit                                     REST raises `requested`, the controller the rest

The rows about a container (Report, Health, Connections, Ejected) go when the container goes.

Must not know: OVSDB, row references, or what anyone does with a record. A `Container` names its
service; turning that name into a row reference is the writer's business.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from nib.errors import FieldError
from nib.fields import (
    MAX_INTEGER,
    MAX_NUMBER,
    MAX_PORT_NUMBER,
    check_address,
    check_boolean,
    check_choice,
    check_database,
    check_dpid,
    check_host_address,
    check_integer,
    check_mac,
    check_name,
    check_set,
    check_text,
    check_unicast_mac,
)
from nib.observed import Connections, Demand, Ejected, Health, Report
from nib.policy import (
    MAX_EXTRA_PORTS,
    PROTOCOLS,
    Canary,
    Ejection,
    ExtraPort,
    HealthCheck,
)

CONTAINER_STATES = frozenset({"ready", "draining"})
MODES = frozenset({"stateful", "stateless"})
BALANCE_POLICIES = frozenset({"weighted", "least_inflight", "source_affinity"})
ON_EMPTY = frozenset({"reject", "hold"})
LOCALITIES = frozenset({"none", "prefer"})
MAX_PREDECESSORS = 100
MAX_HOST_ADDRESSES = 16
MAX_AUDIT_LINES = 200
MAX_WEIGHT = 256
MAX_CT_ZONE = 0x7FFF  # the zone of origins is this one's with the highest bit set

Key: TypeAlias = str | tuple[str, str] | tuple[str, str, str] | tuple[()]


@dataclass(frozen=True, slots=True)
class Global:
    """The one row about the database itself.

    `generation` counts the transactions that changed intent; `next_number` is the next service or
    container number to try. `database` tells this database from any other (eight hex digits, drawn
    when it is made); `predecessors` are those whose networks an operator let it take over.
    """

    generation: int = 0
    next_number: int = 1
    database: str = ""
    predecessors: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_integer("generation", self.generation, 0, MAX_INTEGER)
        check_integer("next_number", self.next_number, 1, MAX_NUMBER)
        if self.database:
            check_database("database", self.database)
        for each in check_set("predecessors", self.predecessors, MAX_PREDECESSORS):
            check_database("predecessors", each)

    @property
    def key(self) -> tuple[()]:
        """There is only one."""
        return ()


@dataclass(frozen=True, slots=True)
class Service:
    """Intent: a VIP, port and protocol that containers stand behind.

    `number` (0 = not allotted yet) stands for the service in flows; `generation` is the
    transaction that changed it last. `port` leads to each container's own port, every one of
    `extra_ports` to the same port of all containers.

    policy: how slots are shared; affinity_seconds: how long a client's slot stays where it is
    (source_affinity). on_empty: what a new connection finds where no container takes it.
    max_connections: connections at a time, None = no cap. panic_percent: with fewer containers
    usable, all are used. slow_start_seconds: in which a new container's share grows. locality:
    prefer = a client's switch chooses among its own containers, while one of them can take more.
    """

    name: str
    vip: str
    port: int
    protocol: str = "tcp"
    number: int = 0
    generation: int = 0
    extra_ports: tuple[ExtraPort, ...] = ()
    mode: str = "stateful"
    policy: str = "weighted"
    affinity_seconds: int = 0
    on_empty: str = "reject"
    max_connections: int | None = None
    slow_start_seconds: int = 0
    panic_percent: int = 0
    health: HealthCheck | None = None
    ejection: Ejection | None = None
    canary: Canary | None = None
    locality: str = "none"

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_address("vip", self.vip)
        check_integer("port", self.port, 1, 65535)
        check_choice("protocol", self.protocol, PROTOCOLS)
        check_integer("number", self.number, 0, MAX_NUMBER)
        check_integer("generation", self.generation, 0, MAX_INTEGER)
        self._check_ports()
        check_choice("mode", self.mode, MODES)
        check_choice("policy", self.policy, BALANCE_POLICIES)
        check_integer("affinity_seconds", self.affinity_seconds, 0, 86_400)
        check_choice("on_empty", self.on_empty, ON_EMPTY)
        if self.max_connections is not None:
            check_integer("max_connections", self.max_connections, 1, 1_000_000)
        check_integer("slow_start_seconds", self.slow_start_seconds, 0, 86_400)
        check_integer("panic_percent", self.panic_percent, 0, 100)
        check_choice("locality", self.locality, LOCALITIES)
        self._check_contradictions()

    def _check_ports(self) -> None:
        if len(self.extra_ports) > MAX_EXTRA_PORTS:
            raise FieldError(
                "extra_ports",
                f"there are {len(self.extra_ports)}",
                f"give at most {MAX_EXTRA_PORTS}, or make a second service",
            )
        fronts = self.fronts
        if len(set(fronts)) != len(fronts):
            raise FieldError("extra_ports", "a port is given twice", "give each port once")

    def _check_contradictions(self) -> None:
        """What one field asks for and another forbids."""
        if self.affinity_seconds and self.policy != "source_affinity":
            raise FieldError(
                "affinity_seconds",
                f"policy {self.policy} keeps no client with its container",
                "set policy to source_affinity, or leave affinity_seconds out",
            )
        if self.mode == "stateless" and self.max_connections is not None:
            raise FieldError(
                "max_connections",
                "connections are not known in stateless mode",
                "set mode to stateful, or leave max_connections out",
            )
        if self.protocol == "udp" and (self.max_connections is not None or self.ejection):
            field = "ejection" if self.ejection else "max_connections"
            raise FieldError(
                field,
                "it counts the beginning and end of TCP connections",
                f"set protocol to tcp, or leave {field} out",
            )
        if self.protocol == "udp" and self.health and self.health.port is None:
            raise FieldError(
                "health.port",
                f"a {self.health.kind} check cannot ask a UDP port",
                "give the TCP port that the check asks",
            )

    @property
    def key(self) -> str:
        """The service's name."""
        return self.name

    @property
    def fronts(self) -> tuple[tuple[str, int, str], ...]:
        """(VIP, port, protocol) of all its ports, its own first."""
        own = (self.vip, self.port, self.protocol)
        return (own, *((self.vip, extra.port, extra.protocol) for extra in self.extra_ports))

    def targets(self, container: Container) -> tuple[tuple[int, str, int], ...]:
        """(port, protocol, the container's port) of all its ports, its own first."""
        own = (self.port, self.protocol, container.port)
        return (own, *((each.port, each.protocol, each.target) for each in self.extra_ports))


@dataclass(frozen=True, slots=True)
class Container:
    """Intent: one resident container of a service.

    Where it is attached is said in one of two ways: `switch` and `switch_port`, or `iface_id`
    (the `external_ids:iface-id` of its interface). `..._ms` are milliseconds since 1970; `since_ms`
    is when it became ready. weight: its share relative to its siblings'; max_inflight: what it
    works at in parallel; max_connections: what it may ever be connected to.
    """

    service: str
    id: str
    address: str
    port: int
    mac: str
    switch: str | None = None
    switch_port: str | None = None
    iface_id: str | None = None
    state: str = "ready"
    drain_until_ms: int | None = None
    number: int = 0
    generation: int = 0
    weight: int = 1
    version: str | None = None
    max_inflight: int | None = None
    max_connections: int | None = None
    lease_seconds: int | None = None
    lease_until_ms: int | None = None
    since_ms: int = 0

    def __post_init__(self) -> None:
        check_name("service", self.service)
        check_name("id", self.id)
        check_address("address", self.address)
        check_integer("port", self.port, 1, 65535)
        check_unicast_mac("mac", self.mac)
        self._check_place()
        check_choice("state", self.state, CONTAINER_STATES)
        check_integer("number", self.number, 0, MAX_NUMBER)
        check_integer("generation", self.generation, 0, MAX_INTEGER)
        check_integer("weight", self.weight, 0, MAX_WEIGHT)
        if self.version is not None:
            check_name("version", self.version)
        for field in ("max_inflight", "max_connections"):
            if getattr(self, field) is not None:
                check_integer(field, getattr(self, field), 1, 1_000_000)
        if self.lease_seconds is not None:
            check_integer("lease_seconds", self.lease_seconds, 1, 86_400)
        for field in ("drain_until_ms", "lease_until_ms"):
            if getattr(self, field) is not None:
                check_integer(field, getattr(self, field), 0, MAX_INTEGER)
        check_integer("since_ms", self.since_ms, 0, MAX_INTEGER)

    def _check_place(self) -> None:
        remedy = "give either switch and switch_port, or iface_id"
        if self.iface_id is not None:
            check_text("iface_id", self.iface_id)
            if self.switch is not None or self.switch_port is not None:
                raise FieldError("iface_id", "the container's place is given twice", remedy)
            return
        if self.switch is None:
            raise FieldError("switch", "nothing says where the container is attached", remedy)
        check_dpid("switch", self.switch)
        if self.switch_port is None:
            raise FieldError("switch_port", "the port on the switch is missing", remedy)
        check_text("switch_port", self.switch_port, 63)

    @property
    def key(self) -> tuple[str, str]:
        """(service name, container id)."""
        return (self.service, self.id)


@dataclass(frozen=True, slots=True)
class SlotTable:
    """Which container number each slot of a service's group sends to; () = no container at all."""

    service: str
    slots: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_name("service", self.service)
        _check_slots(self.slots)

    @property
    def key(self) -> str:
        """The service's name."""
        return self.service


@dataclass(frozen=True, slots=True)
class LocalSlots:
    """The slots of a service with locality, for the clients of one switch."""

    service: str
    switch: str
    slots: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_name("service", self.service)
        check_dpid("switch", self.switch)
        _check_slots(self.slots)

    @property
    def key(self) -> tuple[str, str]:
        """(service name, datapath id)."""
        return (self.service, self.switch)


def _check_slots(slots: tuple[int, ...]) -> None:
    if not isinstance(slots, tuple):
        raise FieldError("slots", f"{slots!r} is not a tuple", "give a tuple of numbers")
    for number in slots:
        check_integer("slots", number, 1, MAX_NUMBER)


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


@dataclass(frozen=True, slots=True)
class Leader:
    """Which controller leads, and the epoch it committed before it began.

    beat: counted on by the leader as long as it lives and the database hears it.
    """

    epoch: int
    controller: str
    beat: int = 0

    def __post_init__(self) -> None:
        check_integer("epoch", self.epoch, 0, MAX_INTEGER)
        check_text("controller", self.controller)
        check_integer("beat", self.beat, 0, MAX_INTEGER)

    @property
    def key(self) -> tuple[()]:
        """There is at most one."""
        return ()


@dataclass(frozen=True, slots=True)
class Audit:
    """A read-back of a switch, due while `requested` > `finished`; `lines` show what differs."""

    switch: str
    requested: int = 0
    finished: int = 0
    missing: int = 0
    alien: int = 0
    lines: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_dpid("switch", self.switch)
        for field in ("requested", "finished", "missing", "alien"):
            check_integer(field, getattr(self, field), 0, MAX_INTEGER)
        for line in check_set("lines", self.lines, MAX_AUDIT_LINES):
            check_text("lines", line, 4000)

    @property
    def key(self) -> str:
        """The datapath id."""
        return self.switch


AboutContainer: TypeAlias = Report | Health | Connections | Ejected
Record: TypeAlias = (
    Global
    | Service
    | Container
    | SlotTable
    | LocalSlots
    | Switch
    | Port
    | Link
    | Host
    | Leader
    | Audit
    | AboutContainer
    | Demand
)
Intent: TypeAlias = Service | Container

# Rows about one container; they go when it goes.
ABOUT_CONTAINER: tuple[type[AboutContainer], ...] = (Report, Health, Connections, Ejected)

# Referenced tables come before the tables that refer to them.
RECORD_CLASSES: tuple[type[Record], ...] = (
    Global,
    Service,
    Container,
    SlotTable,
    LocalSlots,
    Switch,
    Port,
    Link,
    Host,
    Leader,
    Audit,
    *ABOUT_CONTAINER,
    Demand,
)


def field_values(record: Record) -> dict[str, Any]:
    """The record's fields by name, in order."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
