"""Who leads the controllers: the lock in the database, and the changes of the Leader row.

Owns: watching over the lock that one replica contends for, and the two changes a leader makes for
itself. Must not know: when to claim, or what leading means (`ryu_apps.election` does).

The lock only says whose turn it is: it belongs to one server, and a hung holder keeps it. What
decides is the row: a claim is committed only where the row still has the epoch that was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from nib.draft import Draft
from nib.errors import Conflict
from nib.records import Leader
from nib.replica import Replica
from nib.topology import Switch

LOCK: Final = "prewire_leader"


@dataclass(frozen=True, slots=True)
class Standing:
    """connected: to the database (in a cluster: to its leader) and complete; locked: it has the
    lock there."""

    connected: bool = False
    locked: bool = False


class Contest:
    """Tells how a replica stands whenever that changes. All of it runs in the nib thread."""

    def __init__(self, replica: Replica, callback: Callable[[Standing], object]) -> None:
        self._replica = replica
        self._callback = callback
        self._told: Standing | None = None
        replica.ask_lock(LOCK)
        self.look()

    def look(self) -> None:
        """Tell the standing if it is another than before."""
        connected = self._replica.loaded
        standing = Standing(connected, connected and bool(self._replica.has_lock))
        if standing != self._told:
            self._told = standing
            self._callback(standing)

    def give_way(self) -> None:
        """Let another that waits have the lock, and wait for it again."""
        self._replica.drop_lock(LOCK)
        self.look()
        self._replica.ask_lock(LOCK)


def claim(controller: str, seen: int | None, epoch: int) -> Callable[[Draft], int]:
    """Begin an epoch, if the row still has the epoch `seen` (None: there is no row).

    What switches applied is not known to the new leader yet. Raises Conflict where another was
    faster.
    """

    def change(draft: Draft) -> int:
        known = draft.get(Leader, ())
        if (known.epoch if known else None) != seen:
            raise Conflict("leader", "another controller leads", "wait until it ends")
        draft.found()
        draft.put(Leader(epoch, controller))
        for switch in draft.all(Switch):
            draft.put(replace(switch, applied=0))
        return epoch

    return change


def beat(controller: str, epoch: int) -> Callable[[Draft], object]:
    """Count the leader's beat on, if it still leads."""

    def change(draft: Draft) -> object:
        known = draft.get(Leader, ())
        if known is None or (known.epoch, known.controller) != (epoch, controller):
            return None
        return draft.put(replace(known, beat=known.beat + 1))

    return change
