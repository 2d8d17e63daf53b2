"""How records are laid out in the database's tables.

Owns: the packaged schema, table names, and the translations row -> record and record -> columns.
Must not know: transactions, connections or threads.

A record field has the name of its column. An empty optional column means None, or the field's
default where None is no value of it: so a database that was upgraded reads as intended. The other
exceptions are spelled out below: a container's service, slots, policies, and sets of texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from nib.access import Token
from nib.errors import FieldError
from nib.events import Event
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
from nib.policy import Canary, Ejection, HealthCheck, policy_text, read_extra_ports, read_policy
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from nib.qos import LinkRate, Policy, PolicyConnections, PolicyShare, PortQos, QosClass
from nib.records import RECORD_CLASSES, Audit, Global, Leader, LocalSlots, Record, SlotTable
from nib.told import atoms_of
from nib.topology import Host, Link, Port, Switch

DATABASE = "Prewire"
_SETS = frozenset({"lines", "addresses", "predecessors", "services", "switches"})
SCHEMA_FILE = "prewire.ovsschema"
_POLICIES: Mapping[str, type[Any]] = {
    "health": HealthCheck,
    "ejection": Ejection,
    "canary": Canary,
}


@dataclass(frozen=True)
class Layout:
    """One table: its columns in field order, those that never change once written, and what an
    empty optional column stands for."""

    kind: type[Record]
    table: str
    columns: tuple[str, ...]
    fixed: frozenset[str]
    absent: Mapping[str, Any]


def _layout(kind: type[Record], table: str, *fixed: str) -> Layout:
    return Layout(
        kind=kind,
        table=table,
        columns=tuple(field.name for field in fields(kind)),
        fixed=frozenset(fixed),
        absent={f.name: None if f.default is MISSING else f.default for f in fields(kind)},
    )


LAYOUTS: Mapping[type[Record], Layout] = {
    layout.kind: layout
    for layout in (
        _layout(Global, "Global"),
        _layout(Service, "Service", "name"),
        _layout(Container, "Container", "service", "id"),
        _layout(QosClass, "Class", "name"),
        _layout(Policy, "Policy", "name"),
        _layout(LinkRate, "Link_Rate", "switch", "port"),
        _layout(Scaling, "Scaling", "service"),
        _layout(Provisioning, "Provisioning", "policy"),
        _layout(Schedule, "Schedule", "name"),
        _layout(Override, "Override", "kind", "name"),
        _layout(DependencyRule, "Dependency_Rule", "parent", "child"),
        _layout(SlotTable, "Slot_Table", "service"),
        _layout(LocalSlots, "Local_Slots", "service", "switch"),
        _layout(Switch, "Switch", "dpid"),
        _layout(Port, "Port", "switch", "name"),
        _layout(Link, "Link", "switch", "port"),
        _layout(Host, "Host", "mac"),
        _layout(Leader, "Leader"),
        _layout(Audit, "Audit", "switch"),
        _layout(Report, "Report", "service", "container"),
        _layout(Health, "Health", "service", "container"),
        _layout(Connections, "Connections", "service", "container", "switch"),
        _layout(Ejected, "Ejected", "service", "container"),
        _layout(Demand, "Demand", "service"),
        _layout(PolicyShare, "Policy_Share", "policy", "switch"),
        _layout(PolicyConnections, "Policy_Connections", "policy", "switch"),
        _layout(PortQos, "Port_QoS", "switch", "port"),
        _layout(ContainerPlan, "Container_Plan", "service"),
        _layout(RatePlan, "Rate_Plan", "policy"),
        _layout(PolicyRate, "Policy_Rate", "policy"),
        _layout(PrewarmRequest, "Prewarm_Request", "id", "service"),
        _layout(Dependency, "Dependency", "parent", "child"),
        _layout(Predictor, "Predictor", "name"),
        _layout(Shard, "Shard", "number"),
        _layout(Token, "Token", "name"),
        _layout(Event, "Event", "id"),
    )
}
KINDS: Mapping[str, type[Record]] = {LAYOUTS[kind].table: kind for kind in RECORD_CLASSES}


def schema_path() -> Path:
    """The packaged schema file."""
    return Path(str(resources.files("nib").joinpath(SCHEMA_FILE)))


def packaged_schema() -> dict[str, Any]:
    """The packaged schema as JSON (RFC 7047 section 3.2)."""
    schema: dict[str, Any] = json.loads(schema_path().read_text("utf-8"))
    return schema


def packaged_version() -> str:
    """The packaged schema's version, 'major.minor.patch'."""
    return str(packaged_schema()["version"])


def version_tuple(version: str) -> tuple[int, ...]:
    """'1.2.3' as (1, 2, 3); raises ValueError for anything else."""
    return tuple(int(part) for part in version.split("."))


def record_of_row(
    kind: type[Record], told: Mapping[str, Any], service_name: Callable[[str], str]
) -> Record:
    """The record that a row holds, of its columns as JSON (RFC 7047, section 5.1); raises
    FieldError when a column holds what no record may.

    `service_name` tells the name of the service row with a given UUID.
    """
    layout = LAYOUTS[kind]
    values: dict[str, Any] = {}
    for column in layout.columns:
        value = told[column]
        if column in _SETS:
            values[column] = atoms_of(value)
        elif not isinstance(value, list):
            values[column] = value
        elif value[0] == "uuid":
            values[column] = value[1]
        else:  # a set of one at most
            values[column] = value[1][0] if value[1] else layout.absent[column]
    if kind is Container:
        values["service"] = service_name(values["service"])
    elif kind is Service:
        values["extra_ports"] = read_extra_ports(values["extra_ports"])
        values["switches"] = tuple(sorted(values["switches"]))
        for column, policy in _POLICIES.items():
            values[column] = read_policy(column, policy, values[column])
    elif kind in (SlotTable, LocalSlots):
        values["slots"] = _slots(values["slots"])
    return kind(**values)


def _slots(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in text.split())
    except ValueError as error:
        raise FieldError("slots", str(error), "write numbers separated by blanks") from None


def column_json(record: Record, service_ref: Callable[[str], Any]) -> dict[str, Any]:
    """The record's columns as JSON values (RFC 7047 section 5.1).

    `service_ref` gives the reference to a service's row, by the service's name.
    """
    layout = LAYOUTS[type(record)]
    values: dict[str, Any] = {}
    for column in layout.columns:
        value = getattr(record, column)
        if column in _SETS:
            values[column] = ["set", sorted(value)]
        else:
            values[column] = ["set", []] if value is None else value
    if isinstance(record, Container):
        values["service"] = service_ref(record.service)
    elif isinstance(record, Service):
        for column in ("extra_ports", *_POLICIES):
            values[column] = policy_text(getattr(record, column))
    elif isinstance(record, SlotTable | LocalSlots):
        values["slots"] = " ".join(str(number) for number in record.slots)
    return values
