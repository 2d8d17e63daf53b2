"""Which rarely called services ought to have a container though nothing calls them now.

A service stays warm, or is warm again, in a step where a call is likely enough: after the last call
as long as another may follow, and around the times when it tends to be called.

Must not know: containers, the clock, how counts are scraped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from predictor.planning.hazard import Hazard
from predictor.planning.table import Flags
from predictor.series.window import Floats, Window


@dataclass(frozen=True, slots=True)
class KeepAliveChoice:
    """threshold: a service is warm where the odds of a call are at least threshold * rate**rarity.

    The higher, the fewer idle steps. rarity: 0 = every call counts alike; 1 = every service does,
    however rarely it is called. half_life_steps: how long a gap between calls is remembered.
    """

    threshold: float = 0.25
    rarity: float = 0.75
    half_life_steps: float = 7 * 1440

    def __post_init__(self) -> None:
        if not self.threshold > 0 or not 0 <= self.rarity <= 1 or not self.half_life_steps >= 1:
            raise ValueError("threshold > 0, rarity from 0 to 1, half_life_steps from 1")


@dataclass(frozen=True, slots=True, eq=False)
class Warmth:
    """warm[i]: names[i] ought to have a container; chance[i]: of a call in the likeliest step.

    asked[i]: the chance from which on it is warm. held[i]: its last count is unknown, and the
    answer is the one before.
    """

    names: tuple[str, ...]
    warm: Flags
    chance: Floats
    asked: Floats
    held: Flags
    steps_s: float

    def reason(self, i: int) -> str:
        """Why names[i] is warm, or is not."""
        if self.held[i]:
            return "its calls are not known now: as before"
        if not self.chance[i] > 0:
            return "it was never called yet"
        return (
            f"the chance of a call in the next {self.steps_s:g} s is {self.chance[i]:.1%},"
            f" kept warm from {self.asked[i]:.1%}"
        )


class KeepAlive:
    """Learns from each step's calls; says who ought to be warm in the steps that follow."""

    def __init__(self, step_s: float = 60.0, choice: KeepAliveChoice | None = None) -> None:
        """ValueError where step_s is not above 0."""
        if not step_s > 0:
            raise ValueError(f"step_s {step_s} is not above 0")
        self.step_s = step_s
        self.choice = choice or KeepAliveChoice()
        self._hazard = Hazard(step_s, self.choice.half_life_steps)

    def observe(self, names: Sequence[str], calls: Floats) -> None:
        """The calls of each service in the step that just ended; NaN, negative, inf = unknown.

        Once a step, with every service that is known, each once; ValueError where the lengths
        differ.
        """
        calls = np.asarray(calls, dtype=np.float64)
        if calls.shape != (len(names),):
            raise ValueError(f"{len(names)} names for calls of shape {calls.shape}")
        rows = self._hazard.table.rows(names)
        good = np.isfinite(calls) & (calls >= 0)
        self._hazard.observe(rows, np.where(good, calls, np.nan))

    def learn(self, window: Window) -> None:
        """Every step of a history, the oldest first, as if it were observed."""
        for step in range(window.steps):
            self.observe(window.names, window.values[:, step])

    def keep(self, names: Sequence[str]) -> None:
        """Forget all services but these."""
        self._hazard.table.keep(names)

    def warm(self, names: Sequence[str], lead_steps: int = 1) -> Warmth:
        """Who ought to have a container in any of the next so many steps (at least 1)."""
        table = self._hazard.table
        rows = table.rows(names)
        chance = self._hazard.chance(rows, 1)
        for ahead in range(2, lead_steps + 1):
            chance = np.maximum(chance, self._hazard.chance(rows, ahead))
        odds = self.choice.threshold * self._hazard.rate(rows) ** self.choice.rarity
        asked = odds / (1 + odds)
        held = table["unknown"][rows] > 0
        warm = np.where(held, table["held"][rows] > 0, (chance > 0) & (chance >= asked))
        table["held"][rows] = warm
        return Warmth(tuple(names), warm, chance, asked, held, self.step_s * max(1, lead_steps))

    def save(self) -> bytes:
        """All that was learned."""
        return self._hazard.save(self.step_s)

    @classmethod
    def load(
        cls, data: bytes, step_s: float = 60.0, choice: KeepAliveChoice | None = None
    ) -> KeepAlive:
        """As it was saved; ValueError where the bytes are none of ours, or of another step."""
        keep = cls(step_s, choice)
        keep._hazard.load(data, step_s)
        return keep
