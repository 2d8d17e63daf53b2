"""Changes as one OVSDB transaction, and the server's refusals as our errors.

Owns: the IDL's Transaction: filling it, verifying what was read, wording of conflicts.
Must not know: futures, groups, or when to try again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import ovs.db.idl

from nib.errors import Conflict, NibError, NibUnavailable
from nib.intent import Service
from nib.mirror import RowChange
from nib.records import Record
from nib.replica import Replica
from nib.rows import LAYOUTS, column_json

_INDEX = re.compile(
    r'multiple rows in "(\w+)" table .* values? \((.*)\) for index on columns? (.*?)\.'
)
_REFERENCE = re.compile(r"cannot delete (\w+) row \S+ because of (\d+) remaining reference")


def filled_transaction(replica: Replica, changes: Iterable[RowChange]) -> Any:
    """An uncommitted IDL transaction that makes these changes.

    Every column of every row that exists already is verified: when another process changed the row
    meanwhile, the commit ends in TRY_AGAIN and nothing is overwritten. The operations are written
    out (RFC 7047 section 5.2) since the IDL's own Row attributes cost several times as much.
    """
    writing = _Operations(replica)
    for change in changes:
        writing.add(change)
    txn = ovs.db.idl.Transaction(replica)
    for operation in (*writing.waits, *writing.writes):
        txn.add_op(operation)
    return txn


class _Operations:
    """The waits and writes of one transaction; the server runs waits first."""

    def __init__(self, replica: Replica) -> None:
        self.waits: list[dict[str, Any]] = []
        self.writes: list[dict[str, Any]] = []
        self._replica = replica
        self._new_services: dict[str, str] = {}

    def add(self, change: RowChange) -> None:
        """Append the operations of one change."""
        layout = LAYOUTS[change.kind]
        if change.old is None:
            self._insert(layout.table, change.record)
            return
        before = self._replica.stored(change.kind, change.old.key)
        row = {
            "table": layout.table,
            "where": [["_uuid", "==", self._replica.reference(change.kind, change.old.key)]],
        }
        self.waits.append(
            {
                "op": "wait",
                **row,
                "timeout": 0,
                "until": "==",
                "columns": list(before),
                "rows": [before],
            }
        )
        if change.new is None:
            self.writes.append({"op": "delete", **row})
            return
        after = column_json(change.new, self._service_ref)
        written = {
            column: value
            for column, value in after.items()
            if column not in layout.fixed and value != before[column]
        }
        self.writes.append({"op": "update", **row, "row": written})

    def _insert(self, table: str, record: Record) -> None:
        operation = {"op": "insert", "table": table}
        if isinstance(record, Service):
            name = f"service{len(self._new_services)}"
            self._new_services[record.name] = name
            operation["uuid-name"] = name
        self.writes.append({**operation, "row": column_json(record, self._service_ref)})

    def _service_ref(self, name: str) -> list[str]:
        new = self._new_services.get(name)
        return self._replica.reference(Service, name) if new is None else ["named-uuid", new]


def refusal(remote: str, error: str) -> NibError:
    """The server's error (JSON of RFC 7047 section 3.1) as a Conflict, or the nearest we have."""
    try:
        parsed = json.loads(error)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        parsed = {}
    kind, details = parsed.get("error", ""), str(parsed.get("details", error))
    if kind == "referential integrity violation":
        return _reference_conflict(details)
    if kind == "constraint violation":
        return _constraint_conflict(details)
    if kind in ("I/O error", "resources exhausted"):
        return NibUnavailable(remote, f"{kind}: {details}")
    return NibError(f"the state database refused a change: {error}")


def _constraint_conflict(details: str) -> Conflict:
    match = _INDEX.search(details)
    if match is None:
        return Conflict("row", details, "change the value it names")
    table, values, columns = match.groups()
    fields = "/".join(re.findall(r'"(\w+)"', columns))
    return Conflict(
        fields,
        f"({values}) is taken by another row of {table}",
        f"choose another {fields}, or delete the row that has it",
    )


def _reference_conflict(details: str) -> Conflict:
    match = _REFERENCE.search(details)
    if match is None:
        return Conflict("row", details, "delete what refers to it first")
    table, count = match.groups()
    return Conflict(
        table.lower(),
        f"is still referred to by {count} row{'s'[: int(count) != 1]}",
        "delete its containers first",
    )
