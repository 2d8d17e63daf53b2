"""What two objects have that one only may have, found once all are put.

Lookups by such a value give one object, whoever else has it too. So after many changes at once all
are gone through.

Must not know: which objects were changed, why.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from gateway_lb.contradictions import front_taken
from nib.intent import Service
from nib.mirror import Lookups
from nib.qos import Policy
from qos.contradictions import ends_taken

R = TypeVar("R", Service, Policy)
V = TypeVar("V", bound=Hashable)


class Rivals:
    """The objects of a view that have something in common."""

    def __init__(self, view: Lookups) -> None:
        self._fronts = _names_by(view.all(Service), lambda service: service.fronts)
        self._ends = _names_by(view.all(Policy), lambda policy: (policy.ends,))

    def check(self, record: object) -> None:
        """Conflict where another object has what this one has."""
        if isinstance(record, Service):
            for front in record.fronts:
                for other in _others(self._fronts[front], record.name):
                    raise front_taken(record, front, other)
        if isinstance(record, Policy):
            for other in _others(self._ends[record.ends], record.name):
                raise ends_taken(record, other)


def _names_by(records: Iterable[R], values: Callable[[R], Iterable[V]]) -> dict[V, list[str]]:
    found: dict[V, list[str]] = {}
    for record in records:
        for value in values(record):
            found.setdefault(value, []).append(record.name)
    return found


def _others(names: Iterable[str], own: str) -> Iterable[str]:
    return (name for name in names if name != own)
