"""From the bytes of OpenFlow extensible fields to our matches, quickly.

Reads a field as `ryu_apps.reports` reads it through the framework's parser. What is not read here
raises one of `ryu_apps.flow_reader.UNREADABLE`.

Must not know: whose match it is.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from operator import attrgetter
from typing import Final

from openflow.fields import FIELDS, Subfield
from openflow.values import FieldMatch, Match
from ryu_apps.framework import ofproto, type_desc

# A switch may report a field by its OpenFlow name or by Open vSwitch's, whichever it was sent by.
OURS: Final = {
    oxm: name
    for name, declared in FIELDS.items()
    for oxm in (name, declared.oxm, f"{declared.oxm}_nxm", declared.oxm.removesuffix("_nxm"))
}

KEPT: Final = 1 << 11  # parts of a kind that are kept once they are read
_ADDRESSES: Final = (type_desc.MacAddr, type_desc.IPv4Addr, type_desc.IPv6Addr)
# By the number that a framework gives an OXM: our name of the field, and its size in bytes.
_FIELDS: Final = {
    number: (OURS[declared.name], declared.type.size)
    for number, declared in {declared.num: declared for declared in ofproto.oxm_types}.items()
    if declared.name in OURS
    and (declared.type in _ADDRESSES or isinstance(declared.type, type_desc.IntDescr))
}

_ORDER: Final = attrgetter("field", "value", "mask")  # FieldMatch's own, without its method
_OXM: Final = struct.Struct("!I")  # class, field, whether masked, length of what follows
HEADER_SIZE: Final = _OXM.size
_MATCH: Final = struct.Struct("!HH")  # type, length without padding
_EXPERIMENTER_CLASS: Final = 0xFFFF


@lru_cache(KEPT)
def match_of(raw: bytes) -> Match:
    """The match of an ofp_match without its padding."""
    kind, length = _MATCH.unpack_from(raw)
    if kind != ofproto.OFPMT_OXM or length != len(raw):
        raise ValueError("not a match of OpenFlow extensible fields")
    entries = []
    at = _MATCH.size
    while at < length:
        end = at + HEADER_SIZE + raw[at + 3]
        entries.append(_field_match(raw[at:end]))
        at = end
    return Match(tuple(sorted(entries, key=_ORDER)))


def field(raw: bytes) -> tuple[str, int, int | None]:
    """Name, value and mask of one field with its header."""
    (header,) = _OXM.unpack_from(raw)
    number, start = header >> 9, HEADER_SIZE
    if number >> 7 == _EXPERIMENTER_CLASS:
        number, start = (*_OXM.unpack_from(raw, start), number), 2 * start
    name, size = _known(number)
    is_masked = header >> 8 & 1
    if len(raw) != start + (size << is_masked):
        raise ValueError(f"{name} is of {size} bytes")
    middle = start + size
    mask = int.from_bytes(raw[middle:], "big") if is_masked else None
    return name, int.from_bytes(raw[start:middle], "big"), mask


def _known(number: object) -> tuple[str, int]:
    if number not in _FIELDS:
        raise ValueError(f"field {number} is not read here")
    return _FIELDS[number]


@lru_cache(KEPT)
def bits_of(header: int, start: int, bits: int) -> Subfield:
    """Bits of the field that a header names."""
    return Subfield(_known(header >> 9)[0], start, bits)


def run_of(header: int, ofs_nbits: int) -> Subfield:
    """The same, from where and how many as Open vSwitch packs the two."""
    return bits_of(header, ofs_nbits >> 6, (ofs_nbits & 0x3F) + 1)


@lru_cache(KEPT)
def _field_match(raw: bytes) -> FieldMatch:
    name, value, mask = field(raw)
    read_mask = FIELDS[name].full_mask if mask is None else mask
    return FieldMatch(name, value & read_mask, read_mask)
