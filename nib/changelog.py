"""The events of a change that somebody asked for: what was created, changed or deleted, by whom.

Owns: their words, and how many are told one by one.
Must not know: HTTP, how a change is committed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from nib import differing
from nib.access import Token
from nib.draft import Draft
from nib.events import MAX_REASON, Event, event_id, record_event
from nib.intent import Container, Service
from nib.mirror import RowChange
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from nib.qos import LinkRate, Policy, QosClass
from nib.records import INTENT, Intent, Record

WORDS: Final[Mapping[type[Record], str]] = {
    Service: "service",
    Container: "container",
    QosClass: "class",
    Policy: "policy",
    LinkRate: "link-rate",
    Scaling: "scaling",
    Provisioning: "provisioning",
    Schedule: "schedule",
    Override: "override",
    DependencyRule: "dependency",
    Token: "token",
}

_ONE_BY_ONE: Final = 50  # of one kind in one commit; more are told as one


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: the name of a token or other identity, its role, and the id of the request."""

    name: str = ""
    role: str = ""
    request: str = ""


NOBODY: Final = Actor()


def record_changes(draft: Draft, changes: Iterable[RowChange], actor: Actor, at_ms: int) -> None:
    """Add the events of these changes to the draft that made them."""
    for event in events_of(changes, actor, at_ms, draft.generation):
        record_event(draft, event)


def events_of(
    changes: Iterable[RowChange], actor: Actor, at_ms: int, generation: int
) -> Iterator[Event]:
    """The events; those of rows that nobody states are none."""
    told = [change for change in changes if change.kind in WORDS and not _is_renewal(change)]
    counts = Counter(map(_what, told))
    many = [(what, f"{n} of them", "") for what, n in counts.items() if n > _ONE_BY_ONE]
    single = [change for change in told if counts[_what(change)] <= _ONE_BY_ONE]
    named = [(_what(change), name_of(change.record), reason(change)) for change in single]
    for (kind, action), name, why in (*many, *named):
        yield Event(
            id=event_id(at_ms),
            at_ms=at_ms,
            kind=kind,
            name=name,
            action=action,
            actor=actor.name,
            reason=why,
            request=actor.request,
            generation=generation,
        )


def name_of(record: Record) -> str:
    """Its key as one text, as in web/web-1."""
    return record.key if isinstance(record.key, str) else "/".join(record.key)


def reason(change: RowChange) -> str:
    """What was stated, or what is different: as in "port 80 -> 81, max_connections 5"."""
    if change.kind not in INTENT or change.new is None:
        return ""
    new = cast("Intent", change.new)
    if change.old is None:
        parts = [f"{each.field} {each.after}" for each in differing.stated(new)]
    else:
        old = cast("Intent", change.old)
        parts = [
            f"{d.field} {'-' if d.before is None else d.before} -> "
            f"{'-' if d.after is None else d.after}"
            for d in differing.changed(old, new)
        ]
    text = ", ".join(parts)
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"


def _what(change: RowChange) -> tuple[str, str]:
    """The kind of object, and what was done to it."""
    action = "created" if change.old is None else "deleted" if change.new is None else "changed"
    return WORDS[change.kind], action


def _is_renewal(change: RowChange) -> bool:
    """Whether a lease is renewed: the same generation on both sides."""
    old, new = change.old, change.new
    return (
        isinstance(old, Container)
        and isinstance(new, Container)
        and (old.generation == new.generation)
    )
