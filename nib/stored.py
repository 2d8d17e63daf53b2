"""What a change of intent that puts a row comes back with.

Must not know: which rows there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from nib.records import Intent

R = TypeVar("R", bound=Intent)


@dataclass(frozen=True, slots=True)
class Stored(Generic[R]):
    """What a put stored, and whether it was not there before."""

    record: R
    created: bool
