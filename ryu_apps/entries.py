"""Entries of flow and group replies as raw bytes: the framework parses one only when asked to.

Its parser takes some 200 microseconds a flow, and a switch may report tens of thousands. An entry
has the fixed fields, and the others' bytes, as attributes; `match`, `instructions` and `buckets`
are the framework's own, for other apps and for what `ryu_apps.flow_reader` does not read.

Must not know: what the bytes mean to prewire.
"""

from __future__ import annotations

import struct
from typing import Any, Final, Self

from ryu_apps import lengths
from ryu_apps.framework import parser

_FLOW: Final = struct.Struct("!HBxIIHHHH4xQQQ")  # ofp_flow_stats up to its match
_GROUP: Final = struct.Struct("!HBxI")  # ofp_group_desc up to its buckets
_COUNTS: Final = struct.Struct("!H2xII4xQQII")  # ofp_group_stats up to its buckets
_BUCKET_COUNTS: Final = 16  # bytes of an ofp_bucket_counter
_MATCH: Final = struct.Struct("!HH")  # ofp_match up to its fields; its length leaves out padding


class _Entry:
    """One entry: `raw` is all of it, `length` its size in bytes."""

    __slots__ = ("_parsed", "length", "raw")
    _full: Any  # the framework's class

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.length = len(raw)
        self._parsed: Any = None

    @property
    def parsed(self) -> Any:
        """The framework's own object."""
        if self._parsed is None:
            self._parsed = self._full.parser(self.raw, 0)
        return self._parsed

    def to_jsondict(self) -> Any:
        """As the framework writes it."""
        return self.parsed.to_jsondict()

    def __str__(self) -> str:
        try:
            return str(self.parsed)
        except Exception:  # the framework's parser raises one thing or another
            return f"{type(self).__name__}({self.raw.hex()})"

    __repr__ = __str__


class FlowEntry(_Entry):
    """A flow as flow statistics report it; times in seconds."""

    __slots__ = (
        "byte_count",
        "cookie",
        "duration_nsec",
        "duration_sec",
        "flags",
        "hard_timeout",
        "idle_timeout",
        "instructions_bytes",
        "match_bytes",
        "packet_count",
        "priority",
        "table_id",
    )
    table_id: int
    priority: int
    cookie: int
    flags: int
    idle_timeout: int
    hard_timeout: int
    packet_count: int
    byte_count: int
    duration_sec: int
    duration_nsec: int
    match_bytes: bytes  # without padding
    instructions_bytes: bytes
    _full = parser.OFPFlowStats

    @classmethod
    def parser(cls, buf: bytes, offset: int) -> Self:
        """What the framework calls for each entry. ValueError for a length that cannot be."""
        entry = cls(_cut(buf, offset, _FLOW.size + 2 * _MATCH.size))
        (
            _,
            entry.table_id,
            entry.duration_sec,
            entry.duration_nsec,
            entry.priority,
            entry.idle_timeout,
            entry.hard_timeout,
            entry.flags,
            entry.cookie,
            entry.packet_count,
            entry.byte_count,
        ) = _FLOW.unpack_from(entry.raw)
        _, length = _MATCH.unpack_from(entry.raw, _FLOW.size)
        end = _FLOW.size + length
        entry.match_bytes = entry.raw[_FLOW.size : end]
        entry.instructions_bytes = entry.raw[end + -length % 8 :]
        return entry

    @property
    def match(self) -> Any:
        """The framework's match."""
        return self.parsed.match

    @property
    def instructions(self) -> Any:
        """The framework's instructions."""
        return self.parsed.instructions


class GroupEntry(_Entry):
    """A group as a group description reports it."""

    __slots__ = ("buckets_bytes", "group_id", "type")
    type: int
    group_id: int
    buckets_bytes: bytes
    _full = parser.OFPGroupDescStats

    @classmethod
    def parser(cls, buf: bytes, offset: int) -> Self:
        """What the framework calls for each entry. ValueError for a length that cannot be."""
        entry = cls(_cut(buf, offset, _GROUP.size))
        _, entry.type, entry.group_id = _GROUP.unpack_from(entry.raw)
        entry.buckets_bytes = entry.raw[_GROUP.size :]
        return entry

    @property
    def buckets(self) -> Any:
        """The framework's buckets."""
        return self.parsed.buckets


class GroupCountsEntry(_Entry):
    """What a group counted."""

    __slots__ = ("byte_count", "group_id", "packet_count", "ref_count")
    group_id: int
    ref_count: int
    packet_count: int
    byte_count: int
    _full = parser.OFPGroupStats

    @classmethod
    def parser(cls, buf: bytes, offset: int) -> Self:
        """What the framework calls for each entry. ValueError for a length that cannot be."""
        entry = cls(_cut(buf, offset, _COUNTS.size))
        if (entry.length - _COUNTS.size) % _BUCKET_COUNTS:
            raise ValueError(f"counters of buckets in {entry.length - _COUNTS.size} bytes")
        counts = _COUNTS.unpack_from(entry.raw)
        _, entry.group_id, entry.ref_count, entry.packet_count, entry.byte_count = counts[:5]
        return entry

    @property
    def bucket_stats(self) -> Any:
        """The framework's counters of buckets."""
        return self.parsed.bucket_stats


def _cut(buf: bytes, offset: int, least: int) -> bytes:
    length = int.from_bytes(buf[offset : offset + 2], "big")
    if not least <= length <= len(buf) - offset:
        raise ValueError(f"an entry of {length} bytes where {len(buf) - offset} are left")
    return bytes(buf[offset : offset + length])


lengths.install()
parser.OFPFlowStatsReply.cls_stats_body_cls = FlowEntry
parser.OFPGroupDescStatsReply.cls_stats_body_cls = GroupEntry
parser.OFPGroupStatsReply.cls_stats_body_cls = GroupCountsEntry
