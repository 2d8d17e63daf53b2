"""One switch's OpenFlow connection: carries a session's steps out and gathers the answers.

Owns message ids, the encoding of batches, and the pieces of a read-back. A read-back is over when
flows, groups and meters have all arrived. Counters that a batch sets to zero are asked for in it,
just before; `ryu_apps.telemetry` hears the answer.

Must not know: what the rules mean, the database.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Final

from openflow.cookies import without_epoch
from openflow.text import flow_text, group_text, meter_text
from openflow.values import Flow, Group, Meter
from ryu_apps import framework, reports, wire
from ryu_apps.control_wire import role_request
from ryu_apps.diff import Changes, Installed
from ryu_apps.message_ids import LAST_READINGS, message_ids
from ryu_apps.order import Batch

# Messages go to the framework's queue in pieces of this many bytes, not one by one.
_PIECE: Final = 1 << 16

# A meter's counters end with it, and with what it was: they are asked for just before.
_ZEROING: Final = (wire.meter_modify, wire.meter_delete)

Rule = Flow | Group | Meter
Encode = Callable[[Any, int], bytes]


@dataclass(slots=True)
class ReadBackResult:
    """What a switch holds: `installed`, and flows and groups that prewire cannot even express."""

    installed: Installed = field(default_factory=Installed)
    foreign: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Batch:
    """A batch under way. first: its first message's id; sent: what each stood for, in their order
    (None: a barrier); refused: of them, in words."""

    first: int
    sent: list[Rule | None] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def barrier(self) -> int:
        """The last message's id."""
        return self.first + len(self.sent) - 1

    def rule(self, xid: int) -> Rule | None:
        """What a message stood for; None for one that is not of this batch."""
        place = xid - self.first
        return self.sent[place] if 0 <= place < len(self.sent) else None


@dataclass(frozen=True, slots=True)
class AskedRole:
    """A role request under way, since a time (monotonic seconds)."""

    xid: int
    role: int
    epoch: int
    at: float


class Link:
    """Sends to one datapath, and says when an answer completes what was asked.

    epoch: stamped into the flows it writes; asked_role: what was not answered yet.
    """

    def __init__(self, datapath: Any, epoch: int = 0) -> None:
        self.datapath = datapath
        self.epoch = epoch
        self.asked_role: AskedRole | None = None
        self._xids = count(1)
        self._last_readings = message_ids(LAST_READINGS)
        self._read = ReadBackResult()
        self._requests: set[int] = set()
        self._counting: set[int] = set()
        self._flow_counts: tuple[int, Counter[int]] | None = None  # under way, by its request
        self._batch: _Batch | None = None

    @property
    def dpid(self) -> str:
        """The datapath id."""
        return framework.dpid_of(self.datapath)

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands."""
        return framework.is_open(self.datapath)

    def send(self, *messages: bytes) -> None:
        """Queue messages; they are lost, as the switch is, where the connection is gone."""
        self._stream(messages)

    def _stream(self, messages: Iterable[bytes]) -> None:
        """Queue messages as they are made: the switch works while more are."""
        for piece in _pieces(messages):
            framework.send(self.datapath, piece)

    def ask_features(self) -> None:
        """Ask which groups the switch has."""
        self.send(wire.group_features_request(next(self._xids)))

    def ask_role(self, role: int, epoch: int) -> None:
        """Ask for a role; an older request counts no more."""
        self.asked_role = AskedRole(next(self._xids), role, epoch, time.monotonic())
        self.send(role_request(self.asked_role.xid, role, epoch))

    def reset(self) -> None:
        """Expect no answer any more, as if the connection were new."""
        self._requests, self._counting = set(), set()
        self._flow_counts = self._batch = None

    @property
    def under_way(self) -> int | None:
        """Which batch is not acknowledged yet; None: none."""
        return None if self._batch is None else self._batch.barrier

    def read_back(self, *requests: Callable[[int], bytes]) -> None:
        """Ask for all that the switch holds, or for what these requests, given ids, ask for."""
        asked = requests or (wire.flows_request, wire.groups_request, wire.meters_request)
        self._read = ReadBackResult()
        xids = {next(self._xids): request for request in asked}
        self._requests = set(xids)
        self.send(*(request(xid) for xid, request in xids.items()))

    def ask_counters(self, group_ids: Iterable[int]) -> None:
        """Ask for the counters of these groups."""
        xids = {next(self._xids): group for group in group_ids}
        self._counting = set(xids)
        self.send(*(wire.group_stats_request(xid, group) for xid, group in xids.items()))

    @property
    def is_counting(self) -> bool:
        """Whether counters asked for have not all come yet."""
        return bool(self._counting)

    def counters(self, message: Any) -> list[tuple[int, tuple[int, ...]]]:
        """A reply with groups' counters: group id, and packets by bucket, of those asked for."""
        if message.xid not in self._counting:
            return []
        if not message.flags & reports.MORE:
            self._counting.discard(message.xid)
        return [
            (entry.group_id, tuple(bucket.packet_count for bucket in entry.bucket_stats))
            for entry in message.body
        ]

    def ask_flow_counts(self, table: int, cookie: int, mask: int) -> None:
        """Ask what the flows of a table have counted whose cookie matches under mask."""
        xid = next(self._xids)
        self._flow_counts = xid, Counter()
        self.send(wire.flows_request(xid, table=table, cookie=cookie, mask=mask))

    @property
    def is_counting_flows(self) -> bool:
        """Whether counts of flows asked for have not all come yet."""
        return self._flow_counts is not None

    def flow_counts(self, message: Any) -> Mapping[int, int] | None:
        """A reply with flows: bytes by cookie, without its epoch, when this was the last part."""
        if self._flow_counts is None or self._flow_counts[0] != message.xid:
            return None
        _, counts = self._flow_counts
        for entry in message.body:
            counts[without_epoch(entry.cookie)] += entry.byte_count
        if message.flags & reports.MORE:
            return None
        self._flow_counts = None
        return counts

    def program(self, batch: Batch) -> None:
        """Send a batch, a barrier after each of its stages."""
        self._batch = _Batch(next(self._xids))
        self._stream(self._messages(batch, self._batch))

    def _messages(self, batch: Batch, under_way: _Batch) -> Iterator[bytes]:
        """All of a batch, with ids that follow each other."""
        xid = under_way.first
        for stage in batch:
            for encode, rules in self._encoders(stage):
                for rule in rules:
                    under_way.sent.append(rule)
                    yield self._last_reading(rule, encode) + encode(rule, xid)
                    xid = next(self._xids)
            under_way.sent.append(None)
            yield wire.barrier(xid)
            xid = next(self._xids)

    def _last_reading(self, rule: Rule, encode: Encode) -> bytes:
        """Asks for the counters that a message sets to zero, if any."""
        if not isinstance(rule, Meter) or encode not in _ZEROING:
            return b""
        return wire.meter_stats_request(next(self._last_readings), rule.meter_id)

    def reply(self, message: Any, read: Callable[[Any], Rule]) -> ReadBackResult | None:
        """A part of a read-back; returns the whole when this was the last part."""
        if message.xid not in self._requests:
            return None
        for entry in message.body:
            self._keep(entry, read)
        if message.flags & reports.MORE:
            return None
        self._requests.discard(message.xid)
        return None if self._requests else self._read

    def refused(self, message: Any) -> None:
        """An error message: remember what it refused."""
        rule = self._batch.rule(message.xid) if self._batch else None
        if self._batch is not None and rule is not None:
            self._batch.refused.append(_refusal(rule, reports.error_of(message)))

    def barrier(self, xid: int) -> list[str] | None:
        """A barrier reply: what the batch was refused, or None where it is not the batch's."""
        if self._batch is None or self._batch.barrier != xid:
            return None
        refused, self._batch = self._batch.refused, None
        return refused

    def _encoders(self, changes: Changes) -> Iterator[tuple[Encode, Sequence[Rule]]]:
        """What to encode a stage's rules by, in the order that they are sent in."""
        yield wire.meter_add, changes.add_meters
        yield wire.meter_modify, changes.modify_meters
        yield wire.group_add, changes.add_groups
        yield wire.group_modify, changes.modify_groups
        yield partial(wire.flow_put, epoch=self.epoch), changes.put_flows
        yield wire.flow_delete, changes.delete_flows
        yield wire.group_delete, changes.delete_groups
        yield wire.meter_delete, changes.delete_meters

    def _keep(self, entry: Any, read: Callable[[Any], Rule]) -> None:
        try:
            rule = read(entry)
        except reports.NotOurs:
            self._read.foreign.append(str(entry))
            return
        installed = self._read.installed
        match rule:
            case Flow():
                installed.flows[rule.key] = rule
            case Group():
                installed.groups[rule.group_id] = rule
            case Meter():
                installed.meters[rule.meter_id] = rule


def _pieces(messages: Iterable[bytes]) -> Iterator[bytes]:
    piece = bytearray()
    for message in messages:
        piece += message
        if len(piece) >= _PIECE:
            yield bytes(piece)
            piece = bytearray()
    if piece:
        yield bytes(piece)


# What an operator can do about an error, by its code's name without its number.
_REMEDIES: Final = {
    "OFPBAC_BAD_EXPERIMENTER": "the switch must be Open vSwitch 2.6 or later, with conntrack",
    "OFPBAC_BAD_EXP_TYPE": "the switch must be Open vSwitch 2.6 or later, with conntrack",
    "OFPBAC_BAD_TYPE": "the switch must be Open vSwitch 2.6 or later, with conntrack",
    "OFPFMFC_TABLE_FULL": "raise the flow_limit of its Flow_Table, or remove services",
    "OFPGMFC_OUT_OF_GROUPS": "remove services, or groups that others installed",
    "OFPMMFC_OUT_OF_METERS": "remove policies with limits, or meters that others installed",
}


def _refusal(rule: Rule, error: reports.SwitchError) -> str:
    remedy = _REMEDIES.get(error.code.partition("(")[0])
    text = f"refused {_text(rule)}: {error.kind} {error.code}"
    return f"{text}; {remedy}" if remedy else text


def _text(rule: Rule) -> str:
    match rule:
        case Flow():
            return flow_text(rule)
        case Group():
            return group_text(rule)[:200]
        case Meter():
            return meter_text(rule)
