"""Server-sent events as text, and their ids.

Owns: the words of the stream (the HTML standard, section 9.2) and the shape of ids.
Must not know: where events come from, who hears them.

An id says which server numbered the event, and its number: another server's numbers say nothing
here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HEARTBEAT: Final = b":\n\n"
RESET: Final = b"event: reset\ndata: {}\n\n"

_ID: Final = re.compile(r"([0-9a-f]{8})-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class EventId:
    """The place of an event: the server's instance, and the event's number there."""

    instance: str
    number: int

    @classmethod
    def parsed(cls, text: str) -> EventId | None:
        """What a client sent back; None where it is no id of ours."""
        match = _ID.fullmatch(text)
        return cls(match[1], int(match[2])) if match else None

    def __str__(self) -> str:
        return f"{self.instance}-{self.number}"


def put_data(kind: str, key: str, text: str) -> str:
    """The data of an object that is there; `text`: the object as JSON."""
    return f'{{"kind":"{kind}","key":{json.dumps(key)},"object":{text}}}'


def put(data: str, at: EventId | None = None) -> bytes:
    """An object that is there, or is as it is now."""
    return _frame("put", data, at)


def delete(kind: str, key: str, at: EventId) -> bytes:
    """An object that is gone."""
    return _frame("delete", f'{{"kind":"{kind}","key":{json.dumps(key)}}}', at)


def ready(of: Mapping[str, object], at: EventId) -> bytes:
    """Everything up to here is told."""
    return _frame("ready", json.dumps(of, separators=(",", ":")), at)


def bye(reason: str) -> bytes:
    """The server ends the stream."""
    return _frame("bye", json.dumps({"reason": reason}), None)


def _frame(event: str, data: str, at: EventId | None) -> bytes:
    """No data of ours has a line break in it: JSON is written in one line."""
    numbered = "" if at is None else f"id: {at}\n"
    return f"{numbered}event: {event}\ndata: {data}\n\n".encode()
