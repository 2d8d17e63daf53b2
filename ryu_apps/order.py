"""In which order changes reach switches: make before break, as tables.

An update of several switches goes in *phases*, each an act and a number of hops. First what is new
is made; then ways change, those nearest to their destination first; then what packets enter by;
then groups choose among what is there; last, what nobody needs is taken away. A phase begins on any
switch when all have acknowledged the one before. So at every moment a packet to a live place
reaches it, and never turns in a circle: a switch with its new way sends it only to switches with
theirs, one with its old way along the old path, until it is there or meets a switch with a new way.

Within a switch a phase is a *batch* of stages, a barrier after each: what others point at comes
before what points at it, and goes after it. A batch is sent at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from itertools import groupby
from typing import Final, NamedTuple

from openflow import tables
from openflow.cookies import ROUTE_IDS
from openflow.values import Ct, Flow, Group
from ryu_apps.diff import Changes

Batch = tuple[Changes, ...]
Stage = Callable[[Changes], Changes]


class Act(IntEnum):
    """The acts of an update, in their order."""

    MAKE = 0  # what is new, and nothing enters by
    ROUTE = 1  # ways to other switches, and to stations; by hops
    ENTER = 2  # flows that packets enter by, and other flows that change
    TURN = 3  # groups choose among what is there
    BREAK = 4  # what nobody needs goes


class When(NamedTuple):
    """A phase's place in an update. hops: of an act ROUTE, how far the destination is."""

    act: Act
    hops: int = 0


class Part(NamedTuple):
    """What one switch does in one phase."""

    when: When
    batch: Batch


# Acts of one switch alone that need no acknowledgement between them: barriers are enough.
_TOGETHER: Final = {Act.MAKE: 0, Act.ROUTE: 0, Act.ENTER: 0, Act.TURN: 1, Act.BREAK: 2}


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


def _act_of(flow: Flow, changes: Changes) -> Act:
    """When a flow is put."""
    overwrites = flow.key in changes.overwritten
    if flow.table == tables.FORWARD.number:
        return Act.ROUTE if overwrites else Act.MAKE
    return Act.ENTER if overwrites or _is_entry(flow) else Act.MAKE


def _put(changes: Changes, act: Act, *, entry: bool) -> Changes:
    """The flows of an act, those that packets come to last first."""
    flows = (flow for flow in changes.put_flows if _act_of(flow, changes) is act)
    chosen = (flow for flow in flows if _is_entry(flow) is entry)
    return Changes(put_flows=tuple(sorted(chosen, key=_depth, reverse=True)))


def _deleted(changes: Changes, *, entry: bool) -> Changes:
    flows = tuple(flow for flow in changes.delete_flows if _is_entry(flow) is entry)
    return Changes(delete_flows=tuple(sorted(flows, key=_depth)))


def _turned(changes: Changes, *, route: bool) -> Changes:
    groups = changes.modify_groups
    chosen = tuple(group for group in groups if (group.group_id in ROUTE_IDS) is route)
    return Changes(modify_groups=chosen)


# The stages of each act, in their order.
ORDER: Final[dict[Act, tuple[tuple[str, Stage], ...]]] = {
    Act.MAKE: (
        (
            "new meters and groups, which flows may name",
            lambda c: Changes(
                add_groups=c.add_groups, add_meters=c.add_meters, modify_meters=c.modify_meters
            ),
        ),
        ("new flows that packets come to later", lambda c: _put(c, Act.MAKE, entry=False)),
    ),
    Act.ROUTE: (
        ("ways to other switches", lambda c: _turned(c, route=True)),
        ("ways to stations", lambda c: _put(c, Act.ROUTE, entry=False)),
    ),
    Act.ENTER: (
        ("flows that packets come to later", lambda c: _put(c, Act.ENTER, entry=False)),
        ("flows packets enter by", lambda c: _put(c, Act.ENTER, entry=True)),
    ),
    Act.TURN: (("groups that choose among what is there", lambda c: _turned(c, route=False)),),
    Act.BREAK: (
        ("entries that are gone", lambda c: _deleted(c, entry=True)),
        ("flows nothing points at", lambda c: _deleted(c, entry=False)),
        (
            "groups and meters nothing names",
            lambda c: Changes(delete_groups=c.delete_groups, delete_meters=c.delete_meters),
        ),
    ),
}


def phases(changes: Changes) -> list[Part]:
    """The phases of one switch's changes in their order, empty ones left out."""
    if not len(changes):
        return []
    found = []
    for act, stages in ORDER.items():
        batch = tuple(stage(changes) for _, stage in stages)
        parts = _by_hops(batch) if act is Act.ROUTE else {0: batch}
        found += [Part(When(act, hops), _full(parts[hops])) for hops in sorted(parts)]
    return [part for part in found if part.batch]


def joined(of_one: Iterable[Part]) -> list[Part]:
    """One switch's parts as few batches, where no other switch has to be waited for.

    What breaks things, and what turns packets to what was made, still waits for the acknowledgement
    of what it relies on.
    """
    runs = groupby(of_one, key=lambda part: _TOGETHER[part.when.act])
    return [_one([*run]) for _, run in runs]


def order(changes: Changes) -> list[Batch]:
    """The batches of a switch that is updated alone."""
    return [part.batch for part in joined(phases(changes))]


def _one(run: list[Part]) -> Part:
    return Part(run[0].when, tuple(stage for part in run for stage in part.batch))


def _full(batch: Batch) -> Batch:
    return tuple(stage for stage in batch if len(stage))


def _by_hops(batch: Batch) -> dict[int, Batch]:
    """The stages of the act ROUTE for each distance."""
    rules: list[Flow | Group] = []
    for stage in batch:
        rules += (*stage.modify_groups, *stage.put_flows)
    return {hops: tuple(_at(stage, hops) for stage in batch) for hops in {r.hops for r in rules}}


def _at(stage: Changes, hops: int) -> Changes:
    return Changes(
        modify_groups=tuple(group for group in stage.modify_groups if group.hops == hops),
        put_flows=tuple(flow for flow in stage.put_flows if flow.hops == hops),
    )
