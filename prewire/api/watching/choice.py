"""What one watcher asked for.

Owns: reading it from a request, and whether an event is part of it.
Must not know: how events are made, connections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nib.errors import FieldError
from prewire.api.watching import frames
from prewire.api.watching.catalogue import KINDS
from prewire.api.watching.frames import EventId
from prewire.api.watching.history import Event, Traits
from prewire.api.watching.kinds import Kind

MAX_SECONDS: Final = 86_400
_OWN: Final = frozenset({"watch", "kinds", "key", "timeout", "last_event_id", "snapshot"})


@dataclass(frozen=True, slots=True)
class Choice:
    """Objects of some kinds; of a single kind, only those with a key or with these fields.

    timeout_s: when the stream ends by itself, None = never. snapshot: whether what is there is told
    first. after: the event that was heard last, as the client says.
    """

    kinds: tuple[Kind, ...]
    fields: Mapping[int, str]
    key: str | None = None
    timeout_s: float | None = None
    snapshot: bool = True
    after: str = ""

    @property
    def names(self) -> frozenset[str]:
        """The kinds' names."""
        return frozenset(kind.name for kind in self.kinds)

    @property
    def is_whole(self) -> bool:
        """Whether every object of these kinds is part of it."""
        return self.key is None and not self.fields

    def has(self, key: str, traits: Traits) -> bool:
        """Whether an object of these kinds is part of it."""
        if traits is None or self.key not in (None, key):
            return False
        return all(traits[place] == value for place, value in self.fields.items())

    def frame(self, event: Event, at: EventId) -> bytes:
        """What it is told of an event of these kinds; nothing, where it is no part of it."""
        if self.has(event.key, event.after):
            return event.frame
        if self.has(event.key, event.before):
            return frames.delete(event.kind, event.key, at)
        return b""


def choice_of(
    query: Mapping[str, str], after: str, kind: Kind | None = None, **fixed: str
) -> Choice:
    """What a query asks for, of the kind that the path names, or of its `kinds`.

    after: of the header Last-Event-ID. fixed: fields that the path names. FieldError for anything
    that cannot be watched.
    """
    kinds = (kind,) if kind is not None else _kinds(query.get("kinds", ""))
    allowed = kinds[0].filters if len(kinds) == 1 else ()
    for name in query:
        if name not in _OWN and name not in allowed:
            remedy = f"leave it out; there {'are' if allowed else 'is'} " + (
                ", ".join(allowed) if allowed else "nothing to choose by"
            )
            raise FieldError(name, "a watch cannot be asked for it", remedy)
    asked = {**{name: query[name] for name in allowed if name in query}, **fixed}
    return Choice(
        kinds,
        {allowed.index(name): value for name, value in asked.items()},
        query.get("key"),
        _seconds(query.get("timeout")),
        _is_true("snapshot", query.get("snapshot", "true")),
        after or query.get("last_event_id", ""),
    )


def is_watch(query: Mapping[str, str]) -> bool:
    """Whether a list is to be watched: `?watch`. FieldError for a word that is neither."""
    return "watch" in query and _is_true("watch", query["watch"])


def _kinds(text: str) -> tuple[Kind, ...]:
    names = dict.fromkeys(name for name in text.split(",") if name)
    for name in names:
        if name not in KINDS:
            raise FieldError("kinds", f"there is no kind {name!r}", _KINDS_REMEDY)
    if not names:
        raise FieldError("kinds", "none is given", _KINDS_REMEDY)
    return tuple(KINDS[name] for name in names)


_KINDS_REMEDY: Final = f"give some of {', '.join(KINDS)}, separated by commas"


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_SECONDS:
        remedy = f"give seconds, at most {MAX_SECONDS}, or leave it out"
        raise FieldError("timeout", f"{text!r} is no time that a watch can last", remedy)
    return seconds


def _is_true(name: str, text: str) -> bool:
    match text.lower():
        case "" | "1" | "true":
            return True
        case "0" | "false":
            return False
    raise FieldError(name, f"{text!r} is neither true nor false", "give true or false")
