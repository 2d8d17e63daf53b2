"""Rows that the controller itself decides: applied to its own view at once, saved by another.

They come back from the database late; an old one must not undo what was decided since.

Must not know: what is decided, how rows are saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

from nib.mirror import Mirror, RowChange
from nib.records import Key, Record

R = TypeVar("R", bound=Record)
K = TypeVar("K", bound=Key)


class Decisions(Generic[K, R]):
    """Of one kind of row, in one view."""

    def __init__(self, view: Mirror) -> None:
        self._view = view
        self._unsaved: dict[K, R | None] = {}
        self._decided: dict[K, list[R]] = {}  # and not seen back yet

    def is_known(self, change: RowChange) -> bool:
        """Whether a row is one that was decided here; with one that is not, others have decided."""
        decided = cast("list[Any]", self._decided.get(cast(K, change.record.key), []))
        if change.new in decided:
            del decided[: decided.index(change.new) + 1]
            return True
        decided.clear()
        return False

    def put(self, held: R | None, wanted: R | None) -> None:
        """Have a row in the place of another; None: no row."""
        change = RowChange(held, wanted)
        key = cast(K, change.record.key)
        self._view.apply(change)
        self._unsaved[key] = wanted
        if wanted is None:
            self._decided.pop(key, None)
        else:
            self._decided.setdefault(key, []).append(wanted)

    def take_unsaved(self) -> Mapping[K, R | None]:
        """Rows that the database does not have yet; None: to be deleted."""
        unsaved, self._unsaved = self._unsaved, {}
        return unsaved
