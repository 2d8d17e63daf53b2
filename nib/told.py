"""A row as the server tells it: its columns as JSON, without the library's objects for each value.

The library makes a datum of every column of every row and an atom of every value, checks each
against the schema, and makes those of defaults anew whenever they are looked at. The server has
checked all of it, and a record checks itself: this was half of what a change costs a process that
watches.

Owns: what insertions and modifications make of a row (ovsdb-server(7), "Update2 Notification").
Must not know: records, connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

_DEFAULTS: Final[Mapping[str, Any]] = {
    "integer": 0,
    "real": 0.0,
    "boolean": False,
    "string": "",
    "uuid": ["uuid", str(UUID(int=0))],
}


class Columns:
    """What a table's columns hold where nothing else is told, and which hold several values.

    schema: of the table (RFC 7047, section 3.2), which has no maps.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        kinds = {name: _kind(column["type"]) for name, column in schema["columns"].items()}
        self._defaults = {name: default for name, (default, _) in kinds.items()}
        self._several = frozenset(name for name, (_, several) in kinds.items() if several)

    def inserted(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a new row; the server leaves out those that have their default."""
        return {**self._defaults, **told}

    def modify(self, columns: dict[str, Any], told: Mapping[str, Any]) -> None:
        """Change a row: what is told of a column that may hold several values is what came or went,
        of any other its new value."""
        for name, value in told.items():
            if name in self._several:
                columns[name] = _set(atoms_of(columns[name]) ^ atoms_of(value))
            else:
                columns[name] = value


class ToldRow:
    """One row, in the place of the library's own."""

    __slots__ = ("_data", "_table", "uuid")

    def __init__(self, table: Any, uuid: UUID, columns: dict[str, Any]) -> None:
        self._table = table
        self.uuid = uuid
        self._data = columns


def atoms_of(value: Any) -> frozenset[Any]:
    """The values of a column that is a set of numbers or texts."""
    return frozenset(value[1]) if isinstance(value, list) else frozenset((value,))


def _set(atoms: frozenset[Any]) -> Any:
    """As the server writes it: a single value alone."""
    return next(iter(atoms)) if len(atoms) == 1 else ["set", sorted(atoms)]


def _kind(column: Any) -> tuple[Any, bool]:
    """A column's default, and whether it may hold several values."""
    if isinstance(column, str):
        return _DEFAULTS[column], False
    key = column["key"]
    atomic = key if isinstance(key, str) else key["type"]
    default = _DEFAULTS[atomic] if column.get("min", 1) else ["set", []]
    return default, column.get("max", 1) != 1
