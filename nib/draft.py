"""What a change function works on: the replica with its own pending changes on top.

Owns: the rules of a write: no-op puts, numbers, the generation, and taking changes back.
Must not know: OVSDB, connections, threads.

A draft applies its changes to the mirror itself and takes them back before anyone else may look;
so every lookup sees pending changes, and a draft costs its changes only.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from nib.differing import all_but
from nib.fields import MAX_NUMBER
from nib.intent import Container, Service
from nib.mirror import Lookups, Mirror, RowChange
from nib.observed import Connections, Demand
from nib.plans import ContainerPlan, PolicyRate, RatePlan
from nib.prewarm import Provisioning, Scaling
from nib.qos import Policy
from nib.records import (
    ABOUT_CONTAINER,
    INTENT,
    NUMBERED,
    Global,
    Intent,
    Key,
    Record,
)

R = TypeVar("R", bound=Record)

_ALLOTTED: Final = ("generation", "number")  # what is not stated, but given by the draft

# Rows with the key of another, which go with it.
_ABOUT: Final[Mapping[type[Any], tuple[type[Record], ...]]] = {
    Container: tuple(kind for kind in ABOUT_CONTAINER if kind is not Connections),
    Service: (Demand, Scaling, ContainerPlan),
    Policy: (Provisioning, RatePlan, PolicyRate),
}


class Draft(Lookups):
    """Reads like a mirror, and records `put` and `delete`."""

    __slots__ = ("_log", "_mirror", "_next_generation")

    def __init__(self, mirror: Mirror) -> None:
        super().__init__(mirror.draft_store())
        self._mirror = mirror
        self._log: list[RowChange] = []
        self._next_generation = mirror.generation + 1

    def put(self, record: R) -> R:
        """Insert or replace the record of this key, and return it as it will be stored.

        Intent keeps the number it has; new intent with number 0 is allotted one. Its `generation`
        is stamped. A put that changes nothing else is a no-op and returns what is there; one that
        only renews a lease is stored, and is no new generation. Raises NotFound for a container
        or scaling whose service does not exist or a provisioning whose policy does not, TypeError
        for Global.
        """
        if isinstance(record, Global):
            raise TypeError("the Global row is kept by the database room itself")
        if isinstance(record, Container | Scaling):
            self.need(Service, record.service)
        if isinstance(record, Provisioning):
            self.need(Policy, record.policy)
        old = self.get(type(record), record.key)
        if isinstance(record, INTENT):
            return cast(R, self._put_intent(cast("Intent | None", old), cast(Intent, record)))
        if old != record:
            self._apply(RowChange(old, record))
        return record

    def delete(self, kind: type[R], key: Key) -> R:
        """Delete the record and return it, and what is said about it; raises NotFound."""
        old = self.need(kind, key)
        if isinstance(old, Global):
            raise TypeError("the Global row is kept by the database room itself")
        self._forget_what_was_said(type(old), key)
        self._apply(RowChange(old, None))
        if isinstance(old, INTENT):
            self._bump()
        return old

    def found(self) -> None:
        """Make the Global row unless it is there."""
        row = self.get(Global, ())
        if row is None:
            self._apply(RowChange(None, Global(database=secrets.token_hex(4))))
        elif not row.database:  # made by an older version
            self._apply(RowChange(row, replace(row, database=secrets.token_hex(4))))

    def succeed(self, database: str) -> None:
        """Let this database take over the network that another one programmed.

        FieldError where `database` is not eight hex digits.
        """
        row = self.need(Global, ())
        known = row.predecessors | {database}
        self._apply(RowChange(row, replace(row, predecessors=known)))

    @property
    def mark(self) -> int:
        """A point to roll back to."""
        return len(self._log)

    def changes_since(self, mark: int) -> tuple[RowChange, ...]:
        """What was changed since `mark`, one change a row; () where it cancels out."""
        return _net(self._log[mark:])

    def roll_back(self, mark: int) -> None:
        """Take back every change since `mark`."""
        while len(self._log) > mark:
            self._mirror.apply(self._log.pop().inverse)

    def net_changes(self) -> tuple[RowChange, ...]:
        """The changes as a whole, one a row; () when they cancel out.

        The Global row is among them only with a change of intent, or when it is new, or when what
        the database is changes.
        """
        changes = _net(self._log)
        intent = any(change.is_intent for change in changes)
        return tuple(c for c in changes if intent or not _is_count(c))

    def _put_intent(self, old: Intent | None, record: Intent) -> Intent:
        if old is not None:
            if _agree(old, record, *_ALLOTTED):
                return old
            number = _number(old)
            if _is_renewal(old, record):
                record = _allotted(record, number, old.generation)
                self._apply(RowChange(old, record))
                return record
        else:
            self._forget_what_was_said(type(record), record.key)
            number = _number(record)
            if number == 0:
                number = self._allot(record)
        record = _allotted(record, number, self._next_generation)
        self._apply(RowChange(old, record))
        self._bump()
        return record

    def _forget_what_was_said(self, kind: type[Any], key: Key) -> None:
        """Delete the rows about this one; a late report of one that is gone may have left some."""
        for about in _ABOUT.get(kind, ()):
            said = self.get(about, key)
            if said is not None:
                self._apply(RowChange(said, None))
        for row in self._listed_about(kind, key):
            self._apply(RowChange(row, None))

    def _listed_about(self, kind: type[Any], key: Key) -> tuple[Record, ...]:
        """The rows about one of this kind that are several, one a switch."""
        if kind is Container:
            return self.connections_of(*cast("tuple[str, str]", key))
        if kind is Policy:
            name = cast(str, key)
            return (*self.shares_of(name), *self.policy_connections(name))
        return ()

    def _allot(self, record: Intent) -> int:
        if isinstance(record, Policy):
            return self.free_policy_number()
        row = self.need(Global, ())
        number = row.next_number
        while self.service_numbered(number) or self.container_numbered(number):
            number = _successor(number)
        self._apply(RowChange(row, replace(row, next_number=_successor(number))))
        return number

    def _bump(self) -> None:
        row = self.need(Global, ())
        if row.generation != self._next_generation:
            self._apply(RowChange(row, replace(row, generation=self._next_generation)))

    def _apply(self, change: RowChange) -> None:
        self._mirror.apply(change)
        self._log.append(change)


def _net(log: Iterable[RowChange]) -> tuple[RowChange, ...]:
    """The changes as a whole, one a row; () when they cancel out."""
    ends: dict[tuple[type[Record], Key], tuple[Record | None, Record | None]] = {}
    for change in log:
        place = (change.kind, change.record.key)
        first = ends[place][0] if place in ends else change.old
        ends[place] = (first, change.new)
    return tuple(RowChange(*pair) for pair in ends.values() if not _is_same(*pair))


def _number(record: Intent) -> int | None:
    """What stands for it in switches; 0: not allotted yet; None: nothing does."""
    return record.number if isinstance(record, NUMBERED) else None


def _allotted(record: Intent, number: int | None, generation: int) -> Intent:
    if number is None or not isinstance(record, NUMBERED):
        return replace(record, generation=generation)
    return replace(record, number=number, generation=generation)


def _successor(number: int) -> int:
    return 1 if number == MAX_NUMBER else number + 1


def _is_count(change: RowChange) -> bool:
    """Whether a change of the Global row says no more than how often something was changed."""
    old, new = change.old, change.new
    if not (isinstance(old, Global) and isinstance(new, Global)):
        return False
    return (old.database, old.predecessors) == (new.database, new.predecessors)


def _is_same(old: Record | None, new: Record | None) -> bool:
    if isinstance(old, INTENT) and isinstance(new, INTENT):
        return _agree(cast(Intent, old), cast(Intent, new), "generation")
    return old == new


def _is_renewal(old: Intent, new: Intent) -> bool:
    """Whether a container's lease is all that changes: no switch has to know."""
    if not (isinstance(old, Container) and isinstance(new, Container)):
        return False
    return _agree(old, new, *_ALLOTTED, "lease_until_ms")


def _agree(old: Intent, new: Intent, *but: str) -> bool:
    """Whether two versions are the same but for these fields."""
    kind: Any = type(old)
    part = all_but(kind, *but)
    return type(new) is kind and part(old) == part(new)
