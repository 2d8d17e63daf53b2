"""When a controller claims leadership, and when it gives it up: a state machine.

It is told what happened (how it stands with the database, the Leader row, the outcome of a claim, a
switch that knows a later epoch, the time) and returns what to do next. Without I/O and clock: `now`
is in seconds, and never goes back.

It claims where it has the lock and nobody else shows life, or where the leader was not heard for
LEASE_SECONDS, lock or not: a hung leader keeps its lock. A claim is committed only upon the row
that it saw, so that an epoch has one leader. A leader whose database is away goes on: the switches
refuse it as soon as they know of a later epoch.

Must not know: threads, connections, switches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nib.fields import MAX_INTEGER
from nib.leadership import Standing
from nib.records import Leader

BEAT_SECONDS: Final = 0.5
LEASE_SECONDS: Final = 2.0
_STALL_SECONDS: Final = 1.0  # without a tick: we slept, and heard nobody


@dataclass(frozen=True, slots=True)
class Claim:
    """Commit this epoch upon a row of the epoch `seen`; answer with `Candidate.claimed`."""

    seen: int | None
    epoch: int


@dataclass(frozen=True, slots=True)
class Beat:
    """Count the row's beat on."""

    epoch: int


@dataclass(frozen=True, slots=True)
class GiveWay:
    """Let the leader have the lock, and wait for it again."""


Step = Claim | Beat | GiveWay


class Candidate:
    """One controller. epoch: in which it leads; 0 = it does not."""

    def __init__(self, name: str, now: float) -> None:
        self.epoch = 0
        self._name = name
        self._standing = Standing()
        self._row: Leader | None = None
        self._highest = 0  # epoch ever seen
        self._claiming = False
        self._may_at_once = False  # the lock came free, and nobody has shown life since
        self._again = False  # claim anew: we led, and only a switch knows a later epoch
        self._heard = self._ticked = self._beaten = now
        self._gave_way = self._reclaimed = self._returned = now - LEASE_SECONDS
        self._was_connected = False

    @property
    def row(self) -> Leader | None:
        """The Leader row as seen last."""
        return self._row

    def stands(self, standing: Standing, now: float) -> list[Step]:
        """The connection or the lock came or went."""
        before, self._standing = self._standing, standing
        if standing.connected and not before.connected:
            self._heard = now
            self._may_at_once = not self._was_connected
            if self._was_connected:
                self._returned = now
            self._was_connected = True
        elif standing.locked and not before.locked:
            # Soon after a reconnection it tells nothing: everybody asks another server for it anew.
            told_s = now - max(self._gave_way, self._returned)
            self._may_at_once = told_s >= LEASE_SECONDS
        return self._next(now)

    def sees(self, row: Leader | None, now: float) -> list[Step]:
        """The Leader row is this."""
        if row == self._row:
            return []
        self._row = row
        self._heard = now
        self._highest = max(self._highest, row.epoch if row else 0)
        if self.epoch and not self._leads_with(self.epoch):
            self.epoch = 0
        if self._is_anothers():
            self._may_at_once = self._again = False
            return self._make_way(now)
        return self._next(now)

    def claimed(self, epoch: int | None, now: float) -> list[Step]:
        """A claim was committed; None: it was not, or nobody knows."""
        self._claiming = False
        if epoch is None or not self._leads_with(epoch):
            return []  # the next tick looks again
        self.epoch = epoch
        self._beaten = now
        return []

    def outranked(self, epoch: int, now: float) -> list[Step]:
        """A switch refused us, for it knows this epoch.

        Where the database still says that we lead, it has forgotten epochs: go beyond.
        """
        if epoch < self.epoch or epoch >= MAX_INTEGER:
            return []
        self._highest = max(self._highest, epoch)
        if self.epoch:
            self._again = now - self._reclaimed >= LEASE_SECONDS
            self._heard = now
            self.epoch = 0
        return self._next(now)

    def tick(self, now: float) -> list[Step]:
        """Time went by; to be told several times a second."""
        if now - self._ticked > _STALL_SECONDS:
            self._heard = now
        self._ticked = now
        return self._next(now)

    def _next(self, now: float) -> list[Step]:
        if not self._standing.connected or self._claiming:
            return []
        if self.epoch:
            if now - self._beaten < BEAT_SECONDS:
                return []
            self._beaten = now
            return [Beat(self.epoch)]
        return [self._claim(now)] if self._may_claim(now) else []

    def _may_claim(self, now: float) -> bool:
        if self._again or now - self._heard >= LEASE_SECONDS:
            return True
        if not self._standing.locked or now - self._reclaimed < LEASE_SECONDS:
            return False
        return self._may_at_once or not self._is_anothers()

    def _claim(self, now: float) -> Claim:
        if self._again:
            self._reclaimed = now
        self._claiming, self._again, self._may_at_once = True, False, False
        self._heard = now
        return Claim(self._row.epoch if self._row else None, self._highest + 1)

    def _make_way(self, now: float) -> list[Step]:
        """The leader lives, and the lock is better with it: its end is then noticed at once."""
        if not self._standing.locked or now - self._gave_way < LEASE_SECONDS:
            return []
        self._gave_way = now
        return [GiveWay()]

    def _leads_with(self, epoch: int) -> bool:
        row = self._row
        return row is not None and (row.epoch, row.controller) == (epoch, self._name)

    def _is_anothers(self) -> bool:
        return self._row is not None and self._row.controller != self._name
