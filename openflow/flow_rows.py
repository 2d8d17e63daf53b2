"""Flows of one object written as rows: table, priority, match, actions.

Must not know: what the rows do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from openflow.cookies import Cookie, Kind
from openflow.tables import Table
from openflow.values import Action, Flow, Match

# Fields of a match by name, as `openflow.values.match` takes them.
Fields = dict[str, int | str | tuple[int, int]]


class Row(NamedTuple):
    """One flow without what all flows of its object share."""

    table: Table
    priority: int
    match: Match
    actions: tuple[Action, ...]


def flows_of(kind: Kind, number: int, origin: str, rows: Iterable[Row]) -> tuple[Flow, ...]:
    """The rows as flows that belong to one object."""
    cookie = Cookie(kind, number).value
    return tuple(
        Flow(row.table.number, row.priority, row.match, row.actions, cookie, origin=origin)
        for row in rows
    )
