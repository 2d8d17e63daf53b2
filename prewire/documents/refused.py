"""What is wrong with a document, each fault by its place.

Must not know: what a document is of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from nib.errors import Conflict, FieldError, NibError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. field: as in "policies[3].max_bps"."""

    field: str
    message: str
    remedy: str
    is_conflict: bool = False

    @classmethod
    def at(cls, place: str, error: FieldError | Conflict) -> Self:
        """An object's error, by its place."""
        field = f"{place}.{error.field}"
        return cls(field, error.message, error.remedy, isinstance(error, Conflict))


class ApplyRefused(NibError):
    """A document that cannot be applied; nothing of it was."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        first = faults[0]
        super().__init__(f"{first.field}: {first.message}; {first.remedy}")
        self.faults = tuple(faults)
        self.field = first.field
        self.message = first.message
        self.remedy = first.remedy


class ApplyConflicts(ApplyRefused):
    """One that contradicts what is there, or that links cannot carry; it is valid in itself."""


def refused(faults: Sequence[Fault]) -> ApplyRefused:
    """The error for these: a conflict where all of them are."""
    kind = ApplyConflicts if all(fault.is_conflict for fault in faults) else ApplyRefused
    return kind(faults)
