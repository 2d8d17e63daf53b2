"""Keeps the framework's parser from reading one part of a switch's message for ever.

It goes from part to part by the lengths that the parts say of themselves. One that says it has
none, or is of a type that is not known, would keep it where it is, and most loops collect what they
read. Here such a message is a ValueError, which the framework logs as for any malformed message.

Must not know: what messages mean.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any, Final

from ryu_apps.framework import ofproto, parser

_HEADER: Final = 8  # bytes of a message before its elements
_ELEMENT: Final = struct.Struct("!HH")  # type, length, with which a part begins

# What finds the class of a part by its type; None where there is none.
_PARTS: Final = ("OFPAction", "OFPInstruction", "OFPMeterBandHeader", "OFPQueueProp", "OFPBucket")


def _advancing(read: Callable[..., Any]) -> Any:
    """The same reader, ValueError where what it read has no length."""

    @functools.wraps(read)
    def checked(_: Any, *given: Any) -> Any:
        found = read(*given)
        if not getattr(found, "length", None) and not getattr(found, "len", None):
            raise ValueError(f"a part of {type(found).__name__} has no length")
        return found

    return classmethod(checked)


def _check_elements(read: Callable[..., Any]) -> Callable[..., Any]:
    """The reader of a hello, whose elements are looked at first."""

    @functools.wraps(read)
    def checked(*given: Any) -> Any:
        *_, size, _, raw = given
        at = _HEADER
        while at < size:
            _, length = _ELEMENT.unpack_from(raw, at)
            if length < _ELEMENT.size:
                raise ValueError(f"an element of {length} bytes")
            at += length
        return read(*given)

    return checked


def _bodies() -> set[Any]:
    """The framework's classes of the entries of multipart replies."""
    replies = parser.OFPMultipartReply._STATS_MSG_TYPES.values()
    found = {each.cls_stats_body_cls for each in replies}
    return {each for each in found if each.__module__ == parser.__name__}


def install() -> None:
    """Have the framework check lengths. Once; entries of our own check theirs."""
    for each in {getattr(parser, name) for name in _PARTS} | {parser.OFPPacketQueue} | _bodies():
        each.parser = _advancing(each.parser)
    readers = parser._MSG_PARSERS
    readers[ofproto.OFPT_HELLO] = _check_elements(readers[ofproto.OFPT_HELLO])
