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
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple

from openflow import tables
from openflow.cookies import ROUTE_IDS
from openflow.values import Ct, Flow, Group
from ryu_apps.diff import Changes

Batch = tuple[Changes, ...]


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


# Flows that packets come to before this table are entries: they begin what it goes on with.
_ENTRIES_END: Final = tables.SERVICE.number
_LAST: Final = tables.PIPELINE[-1].number + 1

# Acts of one switch alone that need no acknowledgement between them: barriers are enough.
_TOGETHER: Final = {Act.MAKE: 0, Act.ROUTE: 0, Act.ENTER: 0, Act.TURN: 1, Act.BREAK: 2}


def _depth(flow: Flow) -> float:
    """The place in the pipeline that a flow's packets have come to when it is done with them.

    That is its table; but a flow that sends them through conntrack stands just before the table
    where they come back. So replies are restored before anything is sent to a container's new
    address. And what brings packets from the fabric to conntrack stands behind what delivers them:
    a reply that reached its client as the container's would end the connection.
    """
    if flow.table == tables.ARRIVE.number:
        return _LAST
    for action in flow.actions:
        if isinstance(action, Ct) and action.table is not None:
            return action.table - 0.5
    return flow.table


@dataclass(slots=True)
class _Sorted:
    """Changes, and their flows by when they are put or deleted."""

    changes: Changes
    made: list[Flow] = field(default_factory=list)  # new, deepest first, as all that are put
    ways: list[Flow] = field(default_factory=list)
    altered: list[Flow] = field(default_factory=list)
    entered: list[Flow] = field(default_factory=list)
    left: list[Flow] = field(default_factory=list)  # entries that go, as all deepest last
    gone: list[Flow] = field(default_factory=list)

    def groups(self, *, route: bool) -> Changes:
        """Groups that change: ways to other switches, or all others."""
        groups = self.changes.modify_groups
        chosen = tuple(group for group in groups if (group.group_id in ROUTE_IDS) is route)
        return Changes(modify_groups=chosen)


def _sorted(changes: Changes) -> _Sorted:
    found = _Sorted(changes)
    put = [(_depth(flow), flow) for flow in changes.put_flows]
    for depth, flow in sorted(put, key=itemgetter(0), reverse=True):
        overwrites = flow.key in changes.overwritten
        if depth < _ENTRIES_END:
            found.entered.append(flow)
        elif not overwrites:
            found.made.append(flow)
        elif flow.table == tables.FORWARD.number:
            found.ways.append(flow)
        else:
            found.altered.append(flow)
    deleted = [(_depth(flow), flow) for flow in changes.delete_flows]
    for depth, flow in sorted(deleted, key=itemgetter(0)):
        (found.left if depth < _ENTRIES_END else found.gone).append(flow)
    return found


def _put(flows: list[Flow]) -> Changes:
    return Changes(put_flows=tuple(flows))


def _delete(flows: list[Flow]) -> Changes:
    return Changes(delete_flows=tuple(flows))


Stage = Callable[[_Sorted], Changes]

# The stages of each act, in their order.
ORDER: Final[dict[Act, tuple[tuple[str, Stage], ...]]] = {
    Act.MAKE: (
        (
            "new meters and groups, which flows may name",
            lambda s: Changes(
                add_groups=s.changes.add_groups,
                add_meters=s.changes.add_meters,
                modify_meters=s.changes.modify_meters,
            ),
        ),
        ("new flows that packets come to later", lambda s: _put(s.made)),
    ),
    Act.ROUTE: (
        ("ways to other switches", lambda s: s.groups(route=True)),
        ("ways to stations", lambda s: _put(s.ways)),
    ),
    Act.ENTER: (
        ("flows that packets come to later", lambda s: _put(s.altered)),
        ("flows packets enter by", lambda s: _put(s.entered)),
    ),
    Act.TURN: (("groups that choose among what is there", lambda s: s.groups(route=False)),),
    Act.BREAK: (
        ("entries that are gone", lambda s: _delete(s.left)),
        ("flows nothing points at", lambda s: _delete(s.gone)),
        (
            "groups and meters nothing names",
            lambda s: Changes(
                delete_groups=s.changes.delete_groups, delete_meters=s.changes.delete_meters
            ),
        ),
    ),
}


def phases(changes: Changes) -> list[Part]:
    """The phases of one switch's changes in their order, empty ones left out."""
    if not len(changes):
        return []
    found = []
    in_order = _sorted(changes)
    for act, stages in ORDER.items():
        batch = tuple(stage(in_order) for _, stage in stages)
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
