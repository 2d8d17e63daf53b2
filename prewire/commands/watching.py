"""What a stream of REST's events tells of objects: which changed, also after a connection was lost.

After a reset the server tells all objects again; only those that differ are changes, and those that
it does not tell any more are gone.
Pure: frames in, changes out. Must not know: HTTP, how changes are printed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prewire.commands.kinds import Kind


@dataclass(frozen=True, slots=True)
class Change:
    """One object that was put or deleted; of one that is gone, as it was last."""

    event: Literal["put", "delete"]
    key: str
    object: Mapping[str, Any]


class Watched:
    """The objects of a kind, all or those whose key begins with these parts, by REST's key."""

    def __init__(self, kind: Kind, parts: Sequence[str]) -> None:
        self._kind = kind
        self._parts = parts
        self._told: set[str] = set()
        self._is_reset = False
        self.objects: dict[str, Mapping[str, Any]] = {}
        self.is_whole = False  # all that there is was told

    def heard(self, event: str, data: Any) -> list[Change]:
        """What changed by a frame."""
        if event == "put":
            return self._put(data["key"], data["object"])
        if event == "delete":
            return self._delete(data["key"])
        if event == "reset":
            self._is_reset, self._told = True, set()
        elif event == "ready":
            gone = set(self.objects) - self._told if self._is_reset else set()
            self._is_reset, self.is_whole = False, True
            return [change for key in sorted(gone) for change in self._delete(key)]
        return []

    def _put(self, key: str, item: Mapping[str, Any]) -> list[Change]:
        self._told.add(key)
        named = {**_named(self._kind, key), **item}
        if not self._kind.is_meant(named, self._parts) or self.objects.get(key) == named:
            return []
        self.objects[key] = named
        return [Change("put", key, named)]

    def _delete(self, key: str) -> list[Change]:
        item = self.objects.pop(key, None)
        return [] if item is None else [Change("delete", key, item)]


def _named(kind: Kind, key: str) -> dict[str, str]:
    """The fields of a key that an object may lack, as plans lack their kind."""
    return dict(
        zip((name for name, _ in kind.key), key.split("/", len(kind.key) - 1), strict=False)
    )
