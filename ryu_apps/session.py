"""What one switch should do next: read back, program the next batch, or rest.

A session is a state machine without I/O, clock or framework: it is told what happened and returns
the next step; `ryu_apps.link` carries steps out. One batch is under way at a time, and a batch
that breaks things (a deletion) is never sent before the batch it relies on is acknowledged. Any
error or unknown outcome makes the session read the switch back and start from what is really there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from openflow.values import Rules
from ryu_apps.compile import Unit
from ryu_apps.diff import Changes, Desired, Installed, desired_of, diff
from ryu_apps.order import Batch, order

RETRY_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Phase(Enum):
    """Where a session is; the transitions are in its methods, one event each."""

    READING = "reading back what the switch holds"
    PROGRAMMING = "waiting for a barrier"
    RESTING = "holds what is wanted"
    FAILED = "waiting to try again"


@dataclass(frozen=True, slots=True)
class ReadBack:
    """Ask the switch for its flows, groups and meters; answer with `Session.read`."""


@dataclass(frozen=True, slots=True)
class Program:
    """Send these stages, a barrier after each; after the last, answer `Session.acknowledged`."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Applied:
    """The switch holds everything up to this generation."""

    generation: int


@dataclass(frozen=True, slots=True)
class Retry:
    """Call `Session.retry` after this many seconds."""

    seconds: float


Step = ReadBack | Program | Applied | Retry


class Session:
    """One connection to one switch, from the first read-back to its end."""

    def __init__(self, wanted: Mapping[Unit, Rules], generation: int) -> None:
        """wanted: all that the switch shall hold, as of the given generation of intent."""
        self.phase = Phase.READING
        self.problem = ""
        self.installed = Installed()
        self._wanted = {unit: rules for unit, rules in wanted.items() if rules != Rules()}
        self._generation = generation
        self._programmed: dict[Unit, Rules] | None = None  # None: unknown, diff the whole
        self._dirty: set[Unit] = set()
        self._round_generation = generation
        self._batches: deque[Batch] = deque()
        self._sent: Batch = ()
        self._failures = 0

    @property
    def desired(self) -> Desired:
        """Everything wanted in this switch."""
        return desired_of(self._wanted.values())

    def want(self, parts: Mapping[Unit, Rules], generation: int) -> Step | None:
        """These units' rules are wanted now (empty rules: the unit is gone); the rest stays."""
        for unit, rules in parts.items():
            if rules == Rules():
                self._wanted.pop(unit, None)
            else:
                self._wanted[unit] = rules
        self._dirty |= parts.keys()
        self._generation = generation
        return self._next_round() if self.phase is Phase.RESTING else None

    def read(self, installed: Installed) -> Step:
        """The read-back is complete."""
        self.installed = installed
        self._programmed = None
        self.phase = Phase.RESTING
        return self._next_round()

    def acknowledged(self, errors: Iterable[str]) -> Step:
        """The last barrier of the batch was answered; errors: what the switch refused of it."""
        refused = list(errors)
        if refused:
            return self._failed(refused)
        for stage in self._sent:
            self.installed.confirm(stage)
        return self._next_batch()

    def retry(self) -> Step | None:
        """The time of a Retry is over."""
        if self.phase is not Phase.FAILED:
            return None
        self.phase = Phase.READING
        return ReadBack()

    def _failed(self, refused: list[str]) -> Step:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        self.problem = refused[0] + more
        self.phase = Phase.FAILED
        self._batches.clear()
        self._failures += 1
        return Retry(RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1])

    def _next_round(self) -> Step:
        """Compare, and note at once what will be programmed: a failure ends in a read-back."""
        self._batches.extend(order(self._changes()))
        if self._programmed is None:
            self._programmed = dict(self._wanted)
        for unit in self._dirty:
            if unit in self._wanted:
                self._programmed[unit] = self._wanted[unit]
            else:
                self._programmed.pop(unit, None)
        self._dirty.clear()
        self._round_generation = self._generation
        return self._next_batch()

    def _changes(self) -> Changes:
        if self._programmed is None:
            return diff(self.desired, self.installed)
        wanted = (self._wanted[unit] for unit in self._dirty if unit in self._wanted)
        before = (self._programmed[unit] for unit in self._dirty if unit in self._programmed)
        return diff(desired_of(wanted), self.installed, desired_of(before))

    def _next_batch(self) -> Step:
        if self._batches:
            self._sent = self._batches.popleft()
            self.phase = Phase.PROGRAMMING
            return Program(self._sent)
        self.phase = Phase.RESTING
        self.problem = ""
        self._failures = 0
        if self._dirty or self._generation != self._round_generation:
            return self._next_round()
        return Applied(self._round_generation)
