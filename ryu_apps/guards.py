"""Whose network a switch is part of: may this database program it?

One of our flows, the marker, carries in its cookie the number of the database that the switch was
programmed from. A switch that another database programmed is left alone until an operator says that
this one takes over: else a database that was emptied by mistake would empty the network.

Must not know: connections, sessions.
"""

from __future__ import annotations

from collections.abc import Iterable

from nib.mirror import RowChange
from nib.records import Global
from openflow.cookies import Kind, is_ours, read
from openflow.values import Flow


def programmed_from(flows: Iterable[Flow]) -> frozenset[int]:
    """The numbers of the databases that these flows say they come from."""
    origins = map(read, {flow.cookie for flow in flows})
    return frozenset(
        origin.number
        for origin in origins
        if origin is not None and origin.kind is Kind.BASE and origin.number
    )


def objection(flows: Iterable[Flow], database: Global) -> str:
    """Why this database may not program a switch that holds these flows; "" where it may."""
    known = {int(each, 16) for each in (database.database, *database.predecessors) if each}
    strange = min(programmed_from(flows) - known, default=0)
    if not strange or not database.database:
        return ""
    return (
        f"programmed from database {strange:08x}; this is database {database.database}: "
        f"`prewire adopt {strange:08x}` lets it take over"
    )


def is_replacement(change: RowChange) -> bool:
    """Whether a change says that another database is in the place of the one we knew."""
    old, new = change.old, change.new
    if not isinstance(old, Global) or not old.database:
        return False
    return not isinstance(new, Global) or new.database != old.database


def holds_ours(flows: Iterable[Flow]) -> bool:
    """Whether any of the flows is prewire's."""
    return any(is_ours(flow.cookie) for flow in flows)
