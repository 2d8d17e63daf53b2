"""In which order changes reach a switch: make before break, as a table.

What others point at comes first (groups, later tables), then what points at it; then groups turn to
what is there; what is taken away goes in the opposite order. So at every moment a packet to a live
VIP still reaches a container. A stage's changes are separated from the next stage's by a barrier;
a *batch* of stages is sent at once, and only when it is acknowledged the next batch is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openflow import tables
from openflow.values import Ct, Flow
from ryu_apps.diff import Changes

Stage = Callable[[Changes], Changes]


def _depth(flow: Flow) -> float:
    """The place in the pipeline that a flow's packets have come to when it is done with them.

    That is its table; but a flow that sends them through conntrack stands just before the table
    where they come back. So replies are restored before anything is sent to a container's new
    address.
    """
    back = [action.table for action in flow.actions if isinstance(action, Ct)]
    return next((table - 0.5 for table in back if table is not None), flow.table)


def _is_entry(flow: Flow) -> bool:
    """Whether a flow begins what the SERVICE table goes on with."""
    return _depth(flow) < tables.SERVICE.number


def _deepest_first(flows: tuple[Flow, ...]) -> tuple[Flow, ...]:
    return tuple(sorted(flows, key=_depth, reverse=True))


def _put(changes: Changes, *, entry: bool) -> Changes:
    flows = tuple(flow for flow in changes.put_flows if _is_entry(flow) is entry)
    return Changes(put_flows=_deepest_first(flows))


def _deleted(changes: Changes, *, entry: bool) -> Changes:
    flows = tuple(flow for flow in changes.delete_flows if _is_entry(flow) is entry)
    return Changes(delete_flows=tuple(sorted(flows, key=_depth)))


# Batches, each of stages, in their order.
ORDER: Final[tuple[tuple[tuple[str, Stage], ...], ...]] = (
    (  # make
        (
            "new meters and groups, which flows may name",
            lambda c: Changes(
                add_groups=c.add_groups, add_meters=c.add_meters, modify_meters=c.modify_meters
            ),
        ),
        ("flows that packets come to later", lambda c: _put(c, entry=False)),
        ("flows packets enter by", lambda c: _put(c, entry=True)),
    ),
    (  # turn
        (
            "groups that choose among what is there",
            lambda c: Changes(modify_groups=c.modify_groups),
        ),
    ),
    (  # break
        ("entries that are gone", lambda c: _deleted(c, entry=True)),
        ("flows nothing points at", lambda c: _deleted(c, entry=False)),
        (
            "groups and meters nothing names",
            lambda c: Changes(delete_groups=c.delete_groups, delete_meters=c.delete_meters),
        ),
    ),
)

Batch = tuple[Changes, ...]


def order(changes: Changes) -> list[Batch]:
    """The changes as batches of stages, empty ones left out."""
    batches = (tuple(stage(changes) for _, stage in stages) for stages in ORDER)
    full = (tuple(part for part in batch if len(part)) for batch in batches)
    return [batch for batch in full if batch]
