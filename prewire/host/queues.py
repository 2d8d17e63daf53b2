"""A port's queues as rows of Open vSwitch's database: QoS and Queue of ovs-vswitchd.conf.db(5).

Pure: what rows are there and what they should be goes in, arguments of ovs-vsctl come out. Rows are
ours by a tag in their external_ids; no other row is ever changed, nor the port of one.
Must not know: processes, the kernel, why a port has queues.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from qos.queues import PortQueues

TAG: Final = ("prewire", "qos")  # in the external_ids of our rows

# Columns that `known` reads, by table.
COLUMNS: Final[Mapping[str, Sequence[str]]] = {
    "Bridge": ("datapath_id", "datapath_type", "ports"),
    "Port": ("_uuid", "name", "interfaces", "qos"),
    "Interface": ("_uuid", "type", "ifindex"),
    "QoS": ("_uuid", "type", "other_config", "queues", "external_ids"),
    "Queue": ("_uuid", "other_config", "external_ids"),
}


@dataclass(frozen=True, slots=True)
class QosColumns:
    """What a port's rows should say. queues: other_config of its Queue rows, by queue number."""

    type: str
    other_config: Mapping[str, str]
    queues: Mapping[int, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class OvsPort:
    """A port as the database has it.

    datapath: of its bridge, such as "netdev"; kinds: the types of its interfaces; index: of the
    kernel's device, 0 = none; qos: the uuid of its QoS row, "" = none.
    """

    dpid: str
    name: str
    datapath: str
    kinds: tuple[str, ...]
    index: int
    qos: str


@dataclass(frozen=True, slots=True)
class QosRow:
    """A QoS row. queues: the uuids of its Queue rows, by queue number."""

    columns: QosColumns
    queues: Mapping[int, str]
    is_ours: bool


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A Queue row."""

    other_config: Mapping[str, str]
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Known:
    """The database: its ports by name, its rows by uuid."""

    ports: Mapping[str, OvsPort]
    qos: Mapping[str, QosRow]
    queues: Mapping[str, QueueRow]

    def has_ours(self, port: OvsPort) -> bool:
        """Whether the port's QoS row is ours."""
        return port.qos in self.qos and self.qos[port.qos].is_ours

    def has_foreign(self, port: OvsPort) -> bool:
        """Whether the port has QoS that somebody else set."""
        return bool(port.qos) and not self.has_ours(port)


def htb_columns(plan: PortQueues) -> QosColumns:
    """The queues by linux-htb, where bursts are bits as rates are."""
    return QosColumns(
        "linux-htb",
        {"max-rate": str(plan.rate_bps)},
        {
            each.queue: {
                "min-rate": str(each.min_bps),
                "max-rate": str(each.max_bps),
                "burst": str(each.burst_bits),
                "priority": str(each.priority),
            }
            for each in plan.queues
        },
    )


def changes(
    wanted: Mapping[str, QosColumns], kept: frozenset[str], known: Known
) -> list[tuple[str, ...]]:
    """Commands of ovs-vsctl, of one transaction, after which the database says what is wanted.

    wanted: by port, of those without foreign QoS only; kept: ports left as they are.
    """
    commands: list[tuple[str, ...]] = []
    used: set[str] = set()
    for place, (name, port) in enumerate(known.ports.items()):
        if name in kept and known.has_ours(port):
            used |= {port.qos, *known.qos[port.qos].queues.values()}
        elif name in wanted:
            commands += _port_commands(f"@{place}", port, wanted[name], known, used)
        elif known.has_ours(port):
            commands.append(("clear", "Port", name, "qos"))
    gone = [("QoS", uuid) for uuid, row in known.qos.items() if row.is_ours and uuid not in used]
    gone += [
        ("Queue", uuid) for uuid, row in known.queues.items() if row.is_ours and uuid not in used
    ]
    return [*commands, *(("destroy", table, uuid) for table, uuid in gone)]


def _port_commands(
    symbol: str, port: OvsPort, columns: QosColumns, known: Known, used: set[str]
) -> Iterator[tuple[str, ...]]:
    row = known.qos[port.qos] if known.has_ours(port) else None
    references = {}
    for number, other_config in columns.queues.items():
        uuid = row.queues.get(number, "") if row is not None else ""
        if uuid not in known.queues or not known.queues[uuid].is_ours:
            uuid = f"{symbol}.{number}"
            yield _created(uuid, "Queue", f"other_config={_map(other_config)}")
        elif known.queues[uuid].other_config != other_config:
            yield ("set", "Queue", uuid, f"other_config={_map(other_config)}")
        references[number] = uuid
    used |= {port.qos, *references.values()}
    queues = ",".join(f"{number}={uuid}" for number, uuid in sorted(references.items()))
    said = (
        f"type={columns.type}",
        f"other_config={_map(columns.other_config)}",
        f"queues={{{queues}}}",
    )
    if row is None:
        yield _created(symbol, "QoS", *said)
        yield ("set", "Port", port.name, f"qos={symbol}")
    elif _head(row.columns) != _head(columns) or row.queues != references:
        yield ("set", "QoS", port.qos, *said)


def _head(columns: QosColumns) -> tuple[str, Mapping[str, str]]:
    return columns.type, columns.other_config


def _created(name: str, table: str, *columns: str) -> tuple[str, ...]:
    return (f"--id={name}", "create", table, f"external_ids:{TAG[0]}={TAG[1]}", *columns)


def _map(values: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{key}={json.dumps(value)}" for key, value in values.items()) + "}"


def known(tables: Mapping[str, Sequence[Sequence[Any]]]) -> Known:
    """From rows of COLUMNS as JSON has them (RFC 7047 section 5.1)."""
    interfaces = {_one(row[0]): (row[1], _one(row[2]) or 0) for row in tables["Interface"]}
    bridges = {
        uuid: (_one(dpid), datapath)
        for dpid, datapath, ports in tables["Bridge"]
        for uuid in _members(ports)
    }
    ports = {}
    for uuid, name, members, qos in tables["Port"]:
        dpid, datapath = bridges.get(_one(uuid), ("", ""))
        devices = [interfaces[each] for each in _members(members) if each in interfaces]
        index = devices[0][1] if len(devices) == 1 else 0
        kinds = tuple(kind for kind, _ in devices)
        ports[name] = OvsPort(dpid, name, datapath, kinds, index, _one(qos))
    rows = {_one(row[0]): _qos_row(*row[1:]) for row in tables["QoS"]}
    queues = {
        _one(uuid): QueueRow(_pairs(other_config), _is_ours(ids))
        for uuid, other_config, ids in tables["Queue"]
    }
    return Known(ports, rows, queues)


def _qos_row(kind: str, other_config: Any, queues: Any, ids: Any) -> QosRow:
    numbered = {number: _one(uuid) for number, uuid in queues[1]}
    return QosRow(QosColumns(kind, _pairs(other_config), {}), numbered, _is_ours(ids))


def _is_ours(ids: Any) -> bool:
    return _pairs(ids).get(TAG[0]) == TAG[1]


def _pairs(value: Any) -> dict[str, str]:
    return dict(value[1])


def _members(value: Any) -> list[Any]:
    """The members of a set, or of what is written alone because it is one."""
    if isinstance(value, list) and value[0] == "set":
        return [_one(each) for each in value[1]]
    return [_one(value)]


def _one(value: Any) -> Any:
    """An atom: a uuid's text; "" for an empty set."""
    if not isinstance(value, list):
        return value
    kind, content = value
    return content if kind == "uuid" else ""
