"""What happened, newest last: who changed what, and what switches, links and plans did.

Owns: the record, its time-ordered id, and keeping no more than the last so many.
Must not know: OVSDB, HTTP, why anything is worth telling.
"""

from __future__ import annotations

import heapq
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nib.errors import FieldError
from nib.fields import MAX_INTEGER, check_choice, check_integer, check_text

if TYPE_CHECKING:
    from nib.draft import Draft

MAX_EVENTS: Final = 2000
MAX_REASON: Final = 1000
SEVERITIES: Final = frozenset({"info", "warning"})
EVENT_KINDS: Final = frozenset(
    {
        *("service", "container", "class", "policy", "link-rate"),
        *("scaling", "provisioning", "schedule", "override", "dependency"),
        *("token", "switch", "link", "leader", "health", "plan", "rate", "prewarm"),
    }
)

_PRUNED_AT_ONCE: Final = 100
_DRAW: Final = random.Random()  # noqa: S311 - ids tell apart, they hide nothing
_ID: Final = re.compile(r"[0-9a-f]{20}")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one object.

    id: from `event_id`. action: one word, as in created or disconnected. actor: who did it, as in
    "alice" or "controller node1"; "" where nobody is known. request: the id of the HTTP request
    behind it. generation: intent's, that the change made; 0 where it is none of intent.
    """

    id: str
    at_ms: int
    kind: str
    name: str
    action: str
    severity: str = "info"
    actor: str = ""
    reason: str = ""
    request: str = ""
    generation: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not _ID.fullmatch(self.id):
            raise FieldError("id", f"{self.id!r} is no event's id", "give 20 hex digits")
        check_integer("at_ms", self.at_ms, 0, MAX_INTEGER)
        check_choice("kind", self.kind, EVENT_KINDS)
        check_text("name", self.name)
        check_text("action", self.action, 40)
        check_choice("severity", self.severity, SEVERITIES)
        check_text("actor", self.actor, shortest=0)
        check_text("reason", self.reason, MAX_REASON, shortest=0)
        check_text("request", self.request, shortest=0)
        check_integer("generation", self.generation, 0, MAX_INTEGER)

    @property
    def key(self) -> str:
        """The id."""
        return self.id


def event_id(at_ms: int) -> str:
    """An id that sorts by time: 12 hex digits of the time, 8 at random."""
    return f"{at_ms:012x}{_DRAW.getrandbits(32):08x}"


def record_event(draft: Draft, event: Event) -> None:
    """Add it; with more than MAX_EVENTS, the oldest go, some at a time."""
    draft.put(event)
    surplus = draft.count(Event) - MAX_EVENTS
    if surplus > 0:
        for oldest in heapq.nsmallest(surplus + _PRUNED_AT_ONCE, _ids(draft)):
            draft.delete(Event, oldest)


def _ids(draft: Draft) -> list[str]:
    return [event.id for event in draft.all(Event)]
