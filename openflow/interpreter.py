"""Runs a packet through rules as Open vSwitch 3.1 would, without a switch.

What a run gives is a value: every lookup in order, every packet sent, what conntrack then holds.
`prewire explain` prints it; property tests hold compiled pipelines against it. A test on a real
switch compares it with `ofproto/trace`.

Must not know: which rules prewire makes, how a switch is reached. Time does not pass in a run: no
timeouts, and a meter passes what `meter_passes` says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, assert_never

from openflow.conntrack import Conntrack, track, tuple_of, untracked
from openflow.index import Index
from openflow.packet import Packet
from openflow.values import (
    IN_PORT,
    MAX_PORT,
    NORMAL,
    RESERVED_PORTS,
    Action,
    ApplyMeter,
    Bucket,
    Ct,
    CtClear,
    Flow,
    Goto,
    Group,
    Move,
    Output,
    OutputField,
    Resubmit,
    Rules,
    SetField,
    SetQueue,
    ToGroup,
)

# Limits of Open vSwitch (ovs-actions(7), "Error Handling"): on groups and lookups that do not go to
# a later table, nested in each other; on all lookups after the first; on recirculations
# (MAX_RECIRC_DEPTH in lib/dpif-netdev.c).
MAX_DEPTH: Final = 64
MAX_RESUBMITS: Final = 4096
MAX_RECIRCULATIONS: Final = 6

# What a group's actions do with the packet, in the order in which Open vSwitch prefers them: of an
# action set only the first kind present is run, and of that only the last.
_FINAL: Final = (ToGroup, Output, Resubmit, CtClear, Ct)
_WRITES: Final = (SetField, Move, SetQueue)

Choose = Callable[[Group, Packet], int]
Track = Callable[[Conntrack, Packet, Ct], tuple[Conntrack, Packet]]


@dataclass(frozen=True, slots=True)
class Step:
    """One lookup.

    flow: what took the packet, None on a miss, which drops it; packet: as it came to the table;
    depth: how deep in resubmits and groups; fork: () for the packet that came in, and for a copy
    that conntrack sent back, its parent's fork and its number among the parent's copies.
    """

    table: int
    flow: Flow | None
    packet: Packet
    depth: int
    fork: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A bucket that was run; `step` is the place in `Result.steps` whose flow applied the group."""

    step: int
    group_id: int
    bucket: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet as it leaves.

    port: a number, or one of values.RESERVED_PORTS but IN_PORT, which stands resolved; queue: 0
    unless set; meters: those that it passed; fork: see Step.
    """

    port: int
    packet: Packet
    queue: int
    meters: tuple[int, ...]
    fork: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to. errors: why Open vSwitch would refuse to go on; "" never among them."""

    steps: tuple[Step, ...]
    outputs: tuple[Sent, ...]
    choices: tuple[Choice, ...]
    conntrack: Conntrack
    errors: tuple[str, ...] = ()


def choose_by_hash(group: Group, packet: Packet) -> int:
    """A place below the number of buckets that both directions of a connection share."""
    ends = tuple_of(packet)
    text = repr((sorted((ends, ends.turned)) if ends else packet.get("eth_src"), group.group_id))
    digest = hashlib.blake2b(text.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % max(len(group.buckets), 1)


def _every_meter(_meter_id: int, _packet: Packet) -> bool:
    return True


def _every_port(_port: int) -> bool:
    return True


def run(
    rules: Rules | Index,
    packet: Packet,
    conntrack: Conntrack | None = None,
    *,
    table: int = 0,
    choose: Choose = choose_by_hash,
    is_live: Callable[[int], bool] = _every_port,
    meter_passes: Callable[[int, Packet], bool] = _every_meter,
    tracker: Track = track,
) -> Result:
    """Run one packet from `table` on.

    choose: a select group's bucket by its place; where that bucket is dead, the next live one.
    is_live: whether a port that a bucket watches is up; a bucket that watches none lives always.
    tracker: what a ct action does, the model unless a test puts another in its place.
    """
    index = rules if isinstance(rules, Index) else Index(rules)
    walk = _Walk(
        index,
        conntrack or Conntrack(),
        choose=choose,
        is_live=is_live,
        meter_passes=meter_passes,
        tracker=tracker,
    )
    walk.go_on(_Traveller(packet), table)
    return Result(
        tuple(walk.steps),
        tuple(walk.outputs),
        tuple(walk.choices),
        walk.conntrack,
        tuple(walk.errors),
    )


class _ErrorInPipelineError(Exception):
    """Open vSwitch gives the packet up: nothing that this pass did takes effect."""


class _MeteredError(Exception):
    """A meter dropped the packet: what was done before stays done."""


@dataclass(slots=True)
class _Traveller:
    """One packet under way. `copies` counts those that conntrack sent back."""

    packet: Packet
    queue: int = 0
    meters: tuple[int, ...] = ()
    fork: tuple[int, ...] = ()
    depth: int = 0
    copies: int = 0


class _Walk:
    """The run under way: collects what happens. Private to one call of `run`."""

    def __init__(
        self,
        index: Index,
        conntrack: Conntrack,
        *,
        choose: Choose,
        is_live: Callable[[int], bool],
        meter_passes: Callable[[int, Packet], bool],
        tracker: Track,
    ) -> None:
        self.steps: list[Step] = []
        self.outputs: list[Sent] = []
        self.choices: list[Choice] = []
        self.errors: list[str] = []
        self.conntrack = conntrack
        self._index = index
        self._choose = choose
        self._is_live = is_live
        self._meter_passes = meter_passes
        self._track = tracker
        self._resubmits = 0

    def go_on(self, traveller: _Traveller, table: int) -> None:
        """One pass: from a table to the end, as the datapath sees the packet once."""
        before = len(self.outputs), self.conntrack, self._resubmits
        self._resubmits = 0
        try:
            self._look_up(traveller, table)
        except _MeteredError:
            pass
        except _ErrorInPipelineError as error:
            self.errors.append(str(error))
            del self.outputs[before[0] :]
            self.conntrack = before[1]
        self._resubmits = before[2]

    def _look_up(self, traveller: _Traveller, table: int) -> None:
        """Look up in a table, and in those that goto_table leads to from there."""
        going: int | None = table
        while going is not None:
            table, going = going, None
            flow = self._index.find(table, traveller.packet)
            self.steps.append(Step(table, flow, traveller.packet, traveller.depth, traveller.fork))
            step = len(self.steps) - 1
            for action in flow.actions if flow is not None else ():
                if isinstance(action, Goto):
                    self._count_lookup()
                    going = action.table
                else:
                    self._do(action, traveller, table, step)

    def _do(self, action: Action, traveller: _Traveller, table: int, step: int) -> None:
        match action:
            case SetField() | Move():
                traveller.packet = traveller.packet.after(action)
            case SetQueue(queue_id):
                traveller.queue = queue_id
            case ApplyMeter(meter_id):
                self._meter(meter_id, traveller)
            case Output(port):
                self._send(port, traveller)
            case OutputField(source):
                self._send(_port(traveller.packet.read(source)), traveller)
            case Resubmit(other):
                self._resubmit(traveller, other, is_later=other > table)
            case ToGroup(group_id):
                self._to_group(group_id, traveller, table, step)
            case Ct():
                self._to_conntrack(action, traveller)
            case CtClear():
                if traveller.packet["ct_state"]:  # else Open vSwitch does nothing
                    traveller.packet = untracked(traveller.packet)
            case Goto():
                raise AssertionError("goto_table leads on in _look_up")
            case _:
                assert_never(action)

    def _count_lookup(self) -> None:
        self._resubmits += 1
        if self._resubmits > MAX_RESUBMITS:
            raise _ErrorInPipelineError(f"more than {MAX_RESUBMITS} further lookups")

    def _resubmit(self, traveller: _Traveller, table: int, *, is_later: bool) -> None:
        self._count_lookup()
        deeper = 0 if is_later else 1
        self._deepen(traveller, deeper)
        self._look_up(traveller, table)
        traveller.depth -= deeper

    def _deepen(self, traveller: _Traveller, by: int) -> None:
        traveller.depth += by
        if traveller.depth > MAX_DEPTH:
            raise _ErrorInPipelineError(f"resubmits and groups nest deeper than {MAX_DEPTH}")

    def _meter(self, meter_id: int, traveller: _Traveller) -> None:
        if not self._meter_passes(meter_id, traveller.packet):
            raise _MeteredError
        traveller.meters = (*traveller.meters, meter_id)

    def _send(self, port: int | None, traveller: _Traveller) -> None:
        came_by = traveller.packet["in_port"]
        if port is None or port == came_by:
            return
        leaves_by = _port(came_by) if port == IN_PORT else port
        if leaves_by is None or (port == NORMAL and _port(came_by) is None):
            return
        self.outputs.append(
            Sent(leaves_by, traveller.packet, traveller.queue, traveller.meters, traveller.fork)
        )

    def _to_conntrack(self, action: Ct, traveller: _Traveller) -> None:
        """The copy runs at once, as in the userspace datapath; then the original goes on.

        NAT shows in the copy alone. (Of the original Open vSwitch goes on to match the old headers
        and sends the new ones; `ofproto/trace` does not show that either.)
        """
        self.conntrack, tracked = self._track(self.conntrack, traveller.packet, action)
        if action.table is not None:
            fork = (*traveller.fork, traveller.copies)
            traveller.copies += 1
            if len(fork) > MAX_RECIRCULATIONS:
                self.errors.append(f"more than {MAX_RECIRCULATIONS} passes through conntrack")
            else:
                copy = _Traveller(tracked, traveller.queue, traveller.meters, fork)
                self.go_on(copy, action.table)
        traveller.packet = untracked(traveller.packet)

    def _to_group(self, group_id: int, traveller: _Traveller, table: int, step: int) -> None:
        group = self._index.groups.get(group_id)
        if group is None:
            raise _ErrorInPipelineError(f"no group {group_id}")
        for place in self._buckets(group, traveller.packet):
            self.choices.append(Choice(step, group_id, place))
            bucket = replace(traveller)
            self._deepen(bucket, 1)
            for action in action_set(group.buckets[place]):
                self._do(action, bucket, table, step)
            traveller.copies = bucket.copies

    def _buckets(self, group: Group, packet: Packet) -> list[int]:
        """Places of the buckets to run."""
        places = list(range(len(group.buckets)))
        if group.kind == "all":
            return places
        if group.kind == "indirect":
            return places[:1]
        live = [place for place in places if self._lives(group.buckets[place])]
        if group.kind == "ff" or not live:
            return live[:1]
        live = [place for place in live if group.buckets[place].weight] or live
        chosen = self._choose(group, packet)
        return [next((place for place in live if place >= chosen), live[0])]

    def _lives(self, bucket: Bucket) -> bool:
        return bucket.watch_port is None or self._is_live(bucket.watch_port)


def action_set(bucket: Bucket) -> tuple[Action, ...]:
    """What Open vSwitch really does of a bucket's actions, in its order.

    Writes come first; then one action only: a group before an output, an output before a resubmit,
    a resubmit before ct_clear, that before ct. A bucket with `ct` and `output` never commits.
    Nothing at all happens without one of them; output to a register does not count.
    """
    for kind in _FINAL:
        last = [action for action in bucket.actions if isinstance(action, kind)][-1:]
        if last:
            writes = [action for action in bucket.actions if isinstance(action, _WRITES)]
            return (*writes, *last)
    return ()


def _port(value: int) -> int | None:
    """The port that a register's value names; reserved ports have 16 bits there."""
    port = value + (MAX_PORT - 0xFF00) if 0xFF00 <= value <= 0xFFFF else value
    return port if 0 < value <= 0xFFFF and (port < MAX_PORT or port in RESERVED_PORTS) else None
