"""Matches, actions, flows, groups and meters as frozen values.

Equal values mean equal behaviour: a match is kept sorted and masked, so that what was compiled and
what a switch reports compare with `==`. `origin` says which intent a flow or group came from; it
takes no part in comparison, because a switch cannot report it.

Must not know: bytes on the wire (`ryu_apps.wire`), how a packet is run (`openflow.interpreter`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from openflow.fields import FIELDS, IN_PORT_NUMBER, Subfield, ct_state, whole

# Reserved ports of OpenFlow 1.3 (section A.2.1) that actions may name.
MAX_PORT: Final = 0xFFFF_FF00
IN_PORT: Final = 0xFFFF_FFF8
NORMAL: Final = 0xFFFF_FFFA
FLOOD: Final = 0xFFFF_FFFB
ALL: Final = 0xFFFF_FFFC
CONTROLLER: Final = 0xFFFF_FFFD
LOCAL: Final = 0xFFFF_FFFE
RESERVED_PORTS: Final = {
    IN_PORT: "IN_PORT",
    NORMAL: "NORMAL",
    FLOOD: "FLOOD",
    ALL: "ALL",
    CONTROLLER: "CONTROLLER",
    LOCAL: "LOCAL",
}


class FieldMatch(NamedTuple):
    """`field` of the packet, masked, equals `value`. A full mask is an exact match.

    A tuple, because a switch's matches have hundreds of thousands of them.
    """

    field: str
    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class Match:
    """A conjunction of field matches, sorted by field name; build it with `match`.

    Its hash is kept: matches are the keys of whatever compares a switch's flows.
    """

    entries: tuple[FieldMatch, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(self.entries))

    def __hash__(self) -> int:
        return self._hash

    def __iter__(self) -> Iterator[FieldMatch]:
        return iter(self.entries)

    def get(self, name: str) -> FieldMatch | None:
        return next((entry for entry in self.entries if entry.field == name), None)


def match(**fields: int | str | tuple[int, int]) -> Match:
    """A match on the named fields.

    Values are ints, texts in the field's own form ("10.0.0.1", "02:00:00:00:00:01", and for
    ct_state "+trk+new"), or (value, mask). KeyError for an unknown field, ValueError for a value
    that does not fit its width, and for xxreg0..3.
    """
    return Match(tuple([_entry(name, fields[name]) for name in sorted(fields)]))


@lru_cache(maxsize=1 << 11)  # the fields of one object's flows recur in them, and are shared
def _entry(name: str, given: int | str | tuple[int, int]) -> FieldMatch:
    declared = FIELDS[name]
    if name.startswith("xxreg"):
        raise ValueError(f"{name} is no field to match on: a switch reports its four registers")
    mask = declared.full_mask
    if isinstance(given, tuple):
        value, mask = given
    elif isinstance(given, str):
        if name == "ct_state":
            value, mask = ct_state(given)
        else:
            value = declared.form.read(given)
    else:
        value = given
    if not 0 <= value <= declared.full_mask or not 0 < mask <= declared.full_mask:
        raise ValueError(f"{name}={value:#x}/{mask:#x} does not fit {declared.bits} bits")
    return FieldMatch(name, value & mask, mask)


@dataclass(frozen=True, slots=True)
class Output:
    """Send out of a port: its number, or one of RESERVED_PORTS."""

    port: int


@dataclass(frozen=True, slots=True)
class OutputField:
    """Send out of the port whose number stands in a register."""

    source: Subfield


@dataclass(frozen=True, slots=True)
class SetField:
    """Write a constant into a header or register."""

    target: Subfield
    value: int

    def __post_init__(self) -> None:
        if not 0 <= self.value <= self.target.mask:
            raise ValueError(f"{self.value} does not fit {self.target.field}{self.target.bounds}")


@lru_cache(maxsize=1 << 11)
def set_field(name: str, given: int | str) -> SetField:
    """Write a whole field; the value is an int or a text in the field's own form."""
    value = FIELDS[name].form.read(given) if isinstance(given, str) else given
    return SetField(whole(name), value)


# The packet may leave by the port it came in by: a switch does not send it where it came from.
FROM_NOWHERE: Final = SetField(IN_PORT_NUMBER, 0xFFFF)


@dataclass(frozen=True, slots=True)
class Move:
    """Copy bits from one field to another of the same width."""

    source: Subfield
    target: Subfield

    def __post_init__(self) -> None:
        if self.source.bits != self.target.bits:
            raise ValueError(f"move of {self.source.bits} bits into {self.target.bits}")


@dataclass(frozen=True, slots=True)
class Resubmit:
    """Look the packet up in another table now, then go on with the next action."""

    table: int


@dataclass(frozen=True, slots=True)
class Goto:
    """Go on in a later table; the last action of a flow, never in a bucket."""

    table: int


@dataclass(frozen=True, slots=True)
class ToGroup:
    """Apply a group."""

    group_id: int


@dataclass(frozen=True, slots=True)
class ApplyMeter:
    """Pass the packet through a meter; the first action of a flow, never in a bucket."""

    meter_id: int


@dataclass(frozen=True, slots=True)
class SetQueue:
    """Choose the egress queue for outputs that follow."""

    queue_id: int


NatKind = Literal["", "src", "dst"]


@dataclass(frozen=True, slots=True)
class Nat:
    """NAT inside a Ct action. Addresses as ints, 0 = unspecified; kind "" restores only."""

    kind: NatKind = ""
    address: int = 0
    port: int = 0


@dataclass(frozen=True, slots=True)
class Ct:
    """Send the packet through conntrack.

    zone: 0..65535. table: where a copy of the packet goes on with its ct_state known; None = only
    look up (or commit) and go on. commit: remember the connection; `exec` then writes ct_mark and
    ct_label. Open vSwitch, ovs-actions(7) "ct".
    """

    zone: int
    table: int | None = None
    commit: bool = False
    nat: Nat | None = None
    exec: tuple[SetField | Move, ...] = ()


@dataclass(frozen=True, slots=True)
class CtClear:
    """Forget the packet's conntrack state."""


Action = (
    Output
    | OutputField
    | SetField
    | Move
    | Resubmit
    | Goto
    | ToGroup
    | ApplyMeter
    | SetQueue
    | Ct
    | CtClear
)
FlowKey = tuple[int, int, Match]


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow. No actions: the packet is dropped. idle_timeout in seconds, 0 = never.

    hops: how many switches lie between this one and where the packets go; nearer ones change first.
    """

    table: int
    priority: int
    match: Match
    actions: tuple[Action, ...]
    cookie: int = 0
    idle_timeout: int = 0
    origin: str = field(default="", compare=False)
    hops: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        kinds = [type(action) for action in self.actions]
        if Goto in kinds[:-1]:
            raise ValueError("goto_table must be the last action")
        if ApplyMeter in kinds[1:]:
            raise ValueError("meter must be the first action")

    @property
    def key(self) -> FlowKey:
        """What OpenFlow identifies a flow by within a switch."""
        return self.table, self.priority, self.match


@dataclass(frozen=True, slots=True)
class Bucket:
    """One choice of a group. watch_port: the bucket lives while that port does (fast failover)."""

    actions: tuple[Action, ...]
    weight: int = 1
    watch_port: int | None = None


GroupKind = Literal["select", "all", "indirect", "ff"]


@dataclass(frozen=True, slots=True)
class Group:
    """One group; a bucket's place in the tuple is its id. hops: as a flow's."""

    group_id: int
    kind: GroupKind
    buckets: tuple[Bucket, ...]
    origin: str = field(default="", compare=False)
    hops: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Meter:
    """One meter with a single drop band: the only kind Open vSwitch's userspace datapath takes.

    rate_kbps: kilobits a second, or packets a second where `per_packet`; burst_kb: kilobits, or
    packets likewise. Rates count whole Ethernet frames.
    """

    meter_id: int
    rate_kbps: int
    burst_kb: int
    per_packet: bool = False
    origin: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """What some intent needs in one switch; feature code returns it, nobody sends from it."""

    flows: tuple[Flow, ...] = ()
    groups: tuple[Group, ...] = ()
    meters: tuple[Meter, ...] = ()


def merged(parts: Iterable[Rules]) -> Rules:
    """All flows, groups and meters of the parts, in their order."""
    flows: list[Flow] = []
    groups: list[Group] = []
    meters: list[Meter] = []
    for part in parts:
        flows += part.flows
        groups += part.groups
        meters += part.meters
    return Rules(tuple(flows), tuple(groups), tuple(meters))
