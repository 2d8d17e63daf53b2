"""What one switch holds, what it shall hold, and what it has to do about that.

A session is a state machine without I/O, clock or framework. It says what a round of changes
consists of (`begin`), and is told what came of it; `ryu_apps.lockstep` decides when each part of it
is sent. Any error or unknown outcome ends in reading the switch back and starting from what is
really there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from openflow.values import Rules
from ryu_apps.diff import Changes, Desired, Installed, desired_of, diff
from ryu_apps.order import Batch, Part, phases
from ryu_apps.units import Unit

RETRY_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Phase(Enum):
    """Where a session is; the transitions are in its methods, one event each."""

    READING = "reading back what the switch holds"
    PROGRAMMING = "its changes are under way"
    RESTING = "holds what is wanted"
    FAILED = "waiting to try again"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Ask the switch for its flows, groups and meters; answer with `Lockstep.read`."""


@dataclass(frozen=True, slots=True)
class Program:
    """Send these stages, a barrier after each; at the last answer `Lockstep.acknowledged`."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Applied:
    """The switch holds everything up to this generation."""

    generation: int


@dataclass(frozen=True, slots=True)
class Retry:
    """Call `Lockstep.retry` after this many seconds."""

    seconds: float


Step = ReadBack | Program | Applied | Retry


class Session:
    """One connection to one switch, from the first read-back to its end."""

    def __init__(self, wanted: Mapping[Unit, Rules], generation: int) -> None:
        """wanted: all that the switch shall hold, as of the given generation of intent."""
        self.phase = Phase.READING
        self.problem = ""
        self.installed = Installed()
        self.rounds = 0  # how often it was changed, or read back
        self._wanted = {unit: rules for unit, rules in wanted.items() if rules != Rules()}
        self._generation = generation
        self._programmed: dict[Unit, Rules] | None = None  # None: unknown, diff the whole
        self._dirty: dict[Unit, None] = {}  # a set in the order of coming: same in, same out
        self._round_generation = generation
        self._failures = 0

    @property
    def desired(self) -> Desired:
        """Everything wanted in this switch."""
        return desired_of(self._wanted.values())

    @property
    def is_due(self) -> bool:
        """Whether a round would have something to do or to tell."""
        return self.phase is Phase.RESTING and (
            self._programmed is None
            or bool(self._dirty)
            or self._generation != self._round_generation
        )

    def want(self, parts: Mapping[Unit, Rules], generation: int) -> None:
        """These units' rules are wanted now (empty rules: the unit is gone); the rest stays."""
        for unit, rules in parts.items():
            if rules == Rules():
                self._wanted.pop(unit, None)
            else:
                self._wanted[unit] = rules
        self._dirty |= dict.fromkeys(parts)
        self._generation = generation

    def read(self, installed: Installed) -> None:
        """The switch was read back; the next round compares everything."""
        self.rounds += 1
        self.installed = installed
        self._programmed = None
        self.phase = Phase.RESTING

    def begin(self) -> list[Part]:
        """A round begins: all changes due, in their order.

        They are noted as programmed at once, since a failure ends in a read-back. ValueError where
        two units claim one key.
        """
        found = phases(self._changes()) if self._dirty or self._programmed is None else []
        if self._programmed is None:
            self._programmed = dict(self._wanted)
        for unit in self._dirty:
            if unit in self._wanted:
                self._programmed[unit] = self._wanted[unit]
            else:
                self._programmed.pop(unit, None)
        self._dirty.clear()
        self._round_generation = self._generation
        if found:
            self.rounds += 1
            self.phase = Phase.PROGRAMMING
        return found

    def confirm(self, batch: Batch) -> None:
        """The switch acknowledged a batch."""
        for stage in batch:
            self.installed.confirm(stage)

    def end(self) -> Applied:
        """The round is over, and the switch has acknowledged all of its part."""
        self.phase = Phase.RESTING
        self.problem = ""
        self._failures = 0
        return Applied(self._round_generation)

    def fail(self, refused: Sequence[str]) -> Retry:
        """The switch refused something: how long to wait before it is read back."""
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        self.problem = refused[0] + more
        self.phase = Phase.FAILED
        self._failures += 1
        return Retry(RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1])

    def retry(self) -> bool:
        """The time of a Retry is over: whether to read back now."""
        if self.phase is not Phase.FAILED:
            return False
        self.phase = Phase.READING
        return True

    def _changes(self) -> Changes:
        if self._programmed is None:
            return diff(self.desired, self.installed)
        wanted = (self._wanted[unit] for unit in self._dirty if unit in self._wanted)
        before = (self._programmed[unit] for unit in self._dirty if unit in self._programmed)
        return diff(desired_of(wanted), self.installed, desired_of(before))
