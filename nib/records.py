"""The rows of the state database as frozen, checked values.

Owns: the list of all record classes, and those of the database itself and of the controller's
decisions; `nib.intent`, `nib.qos`, `nib.prewarm`, `nib.plans`, `nib.topology` and `nib.observed`
have the others. Each is frozen, checked and has its natural key. One role writes each:

    Global, Service, Container                intent: written by REST
    Class, Policy, Link_Rate                  likewise
    Scaling, Provisioning, Schedule, Override likewise
    Dependency_Rule                           likewise
    Switch, Port, Link, Host, Leader          written by the leading controller
    Slot_Table, Local_Slots, Policy_Share     likewise
    Ejected, Demand, Policy_Rate              likewise
    Container_Plan, Rate_Plan, Dependency     written by the predictor that has the shard
    Prewarm_Request                           likewise; who starts containers accepts it
    Predictor, Shard                          each predictor for itself
    Report                                    what containers and gateways report to REST
    Health                                    seen by the node agent of the container's switch
    Connections, Policy_Connections           seen by the node agent of the clients' switch
    Port_QoS                                  done by the node agent of the port's switch
    Token                                     written by REST, and read by no one else
    Event                                     written by REST and the leading controller
    Audit                                     REST raises `requested`, the controller the rest

The rows about a container (Report, Health, Connections, Ejected) go when the container goes, those
about a policy (Policy_Share, Policy_Connections, Policy_Rate, Rate_Plan, Provisioning) when the
policy goes, and Scaling, Container_Plan and Demand when the service goes.

Must not know: OVSDB, row references, or what anyone does with a record.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from nib.access import Token
from nib.errors import FieldError
from nib.events import Event
from nib.fields import (
    MAX_INTEGER,
    MAX_NUMBER,
    check_database,
    check_dpid,
    check_integer,
    check_name,
    check_set,
    check_text,
)
from nib.intent import Container, Service
from nib.observed import Connections, Demand, Ejected, Health, Report
from nib.plans import (
    ContainerPlan,
    Dependency,
    PolicyRate,
    Predictor,
    PrewarmRequest,
    RatePlan,
    Shard,
)
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from nib.qos import LinkRate, Policy, PolicyConnections, PolicyShare, PortQos, QosClass
from nib.topology import Host, Link, Port, Switch

MAX_PREDECESSORS = 100
MAX_AUDIT_LINES = 200

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


AboutPolicy: TypeAlias = PolicyShare | PolicyConnections
Capacity: TypeAlias = Scaling | Provisioning | Schedule | Override | DependencyRule
AboutContainer: TypeAlias = Report | Health | Connections | Ejected
Record: TypeAlias = (
    Global
    | Service
    | Container
    | QosClass
    | Policy
    | LinkRate
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
    | AboutPolicy
    | PortQos
    | Capacity
    | ContainerPlan
    | RatePlan
    | PolicyRate
    | PrewarmRequest
    | Dependency
    | Predictor
    | Shard
    | Token
    | Event
)

Numbered: TypeAlias = Service | Container | Policy
Intent: TypeAlias = Numbered | QosClass | LinkRate | Capacity

# Intent that has a number, which stands for it in switches.
NUMBERED: tuple[type[Numbered], ...] = (Service, Container, Policy)

# Intent about when there is to be how much.
CAPACITY: tuple[type[Capacity], ...] = (Scaling, Provisioning, Schedule, Override, DependencyRule)

# What people ask for; every change of it is a generation.
INTENT: tuple[type[Record], ...] = (*NUMBERED, QosClass, LinkRate, *CAPACITY)

# Rows about one policy; they go when it goes.
ABOUT_POLICY: tuple[type[AboutPolicy], ...] = (PolicyShare, PolicyConnections)

# Rows about one container; they go when it goes.
ABOUT_CONTAINER: tuple[type[AboutContainer], ...] = (Report, Health, Connections, Ejected)

# Referenced tables come before the tables that refer to them.
RECORD_CLASSES: tuple[type[Record], ...] = (
    Global,
    Service,
    Container,
    QosClass,
    Policy,
    LinkRate,
    *CAPACITY,
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
    *ABOUT_POLICY,
    PortQos,
    ContainerPlan,
    RatePlan,
    PolicyRate,
    PrewarmRequest,
    Dependency,
    Predictor,
    Shard,
    Token,
    Event,
)


def field_values(record: Record) -> dict[str, Any]:
    """The record's fields by name, in order."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
