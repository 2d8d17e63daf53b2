"""The rows of the state database as frozen, checked values.

Owns: one record class for each table, its natural key and its validation. One role writes each:

    Global, Service, Container                intent: written by REST
    Switch, Port, Slot_Table, Leader          written by the leading controller
    Audit                                     REST raises `requested`, the controller the rest

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
    check_boolean,
    check_choice,
    check_dpid,
    check_integer,
    check_ipv4,
    check_mac,
    check_name,
    check_text,
    check_unicast_mac,
)

PROTOCOLS = frozenset({"tcp", "udp"})
CONTAINER_STATES = frozenset({"ready", "draining"})
MAX_AUDIT_LINES = 200

Key: TypeAlias = str | tuple[str, str] | tuple[()]


@dataclass(frozen=True, slots=True)
class Global:
    """The one row about the database itself.

    `generation` counts the transactions that changed intent; `next_number` is the next service or
    container number to try.
    """

    generation: int = 0
    next_number: int = 1

    def __post_init__(self) -> None:
        check_integer("generation", self.generation, 0, MAX_INTEGER)
        check_integer("next_number", self.next_number, 1, MAX_NUMBER)

    @property
    def key(self) -> tuple[()]:
        """There is only one."""
        return ()


@dataclass(frozen=True, slots=True)
class Service:
    """Intent: a VIP, port and protocol that containers stand behind.

    `number` (0 = not allotted yet) stands for the service in flows; `generation` is the
    transaction that changed it last.
    """

    name: str
    vip: str
    port: int
    protocol: str = "tcp"
    number: int = 0
    generation: int = 0

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_ipv4("vip", self.vip)
        check_integer("port", self.port, 1, 65535)
        check_choice("protocol", self.protocol, PROTOCOLS)
        check_integer("number", self.number, 0, MAX_NUMBER)
        check_integer("generation", self.generation, 0, MAX_INTEGER)

    @property
    def key(self) -> str:
        """The service's name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Container:
    """Intent: one resident container of a service.

    Where it is attached is said in one of two ways: `switch` and `switch_port`, or `iface_id`
    (the `external_ids:iface-id` of its interface). `drain_until_ms` is milliseconds since 1970.
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

    def __post_init__(self) -> None:
        check_name("service", self.service)
        check_name("id", self.id)
        check_ipv4("address", self.address)
        check_integer("port", self.port, 1, 65535)
        check_unicast_mac("mac", self.mac)
        self._check_place()
        check_choice("state", self.state, CONTAINER_STATES)
        if self.drain_until_ms is not None:
            check_integer("drain_until_ms", self.drain_until_ms, 0, MAX_INTEGER)
        check_integer("number", self.number, 0, MAX_NUMBER)
        check_integer("generation", self.generation, 0, MAX_INTEGER)

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
        if not isinstance(self.slots, tuple):
            raise FieldError("slots", f"{self.slots!r} is not a tuple", "give a tuple of numbers")
        for number in self.slots:
            check_integer("slots", number, 1, MAX_NUMBER)

    @property
    def key(self) -> str:
        """The service's name."""
        return self.service


@dataclass(frozen=True, slots=True)
class Switch:
    """One datapath: the generation it `applied`, and its `problem` ('' when all is well)."""

    dpid: str
    ct_zone: int
    name: str = ""
    connected: bool = False
    applied: int = 0
    problem: str = ""

    def __post_init__(self) -> None:
        check_dpid("dpid", self.dpid)
        check_integer("ct_zone", self.ct_zone, 1, 65535)
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
class Leader:
    """Which controller leads, and the epoch it committed before it began."""

    epoch: int
    controller: str

    def __post_init__(self) -> None:
        check_integer("epoch", self.epoch, 0, MAX_INTEGER)
        check_text("controller", self.controller)

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
        if not isinstance(self.lines, frozenset):
            raise FieldError("lines", f"{self.lines!r} is not a frozenset", "give a frozenset")
        if len(self.lines) > MAX_AUDIT_LINES:
            raise FieldError(
                "lines", f"there are {len(self.lines)}", f"keep at most {MAX_AUDIT_LINES}"
            )
        for line in self.lines:
            check_text("lines", line, 4000)

    @property
    def key(self) -> str:
        """The datapath id."""
        return self.switch


Record: TypeAlias = Global | Service | Container | SlotTable | Switch | Port | Leader | Audit
Intent: TypeAlias = Service | Container

# Referenced tables come before the tables that refer to them.
RECORD_CLASSES: tuple[type[Record], ...] = (
    Global,
    Service,
    Container,
    SlotTable,
    Switch,
    Port,
    Leader,
    Audit,
)


def field_values(record: Record) -> dict[str, Any]:
    """The record's fields by name, in order."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
