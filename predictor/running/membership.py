"""A predictor among others: its row, its beat, its shards.

Must not know: what is planned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from nib.draft import Draft
from nib.mirror import Lookups
from nib.plans import Predictor, Shard, shard_of
from predictor.running.leases import Leases


class Membership:
    """One predictor's. `changes` and `owns` may be called from any thread."""

    def __init__(self, me: Predictor, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._me = me
        self._clock_s = clock_s
        self._leases = Leases(me.name)
        self._shards: frozenset[int] = frozenset()
        self._beat = 0  # goes on where others deleted the row: else they could not tell

    @property
    def shards(self) -> frozenset[int]:
        """Those that it has."""
        return self._shards

    def owns(self, name: str) -> bool:
        """Whether it minds the service or policy of this name."""
        return shard_of(name) in self._shards

    def heard(self, view: Lookups) -> None:
        """What the database says of shards."""
        held = (shard for shard in view.all(Shard) if shard.holder == self._me.name)
        self._shards = frozenset(shard.number for shard in held)

    def beat(self, view: Lookups) -> Callable[[Draft], None]:
        """The change that counts the beat on, and takes or hands over shards that are due."""
        predictors = view.all(Predictor)
        shards = {shard.number: shard for shard in view.all(Shard)}
        now_s = self._clock_s()
        due = [(shards.get(s.number), s) for s in self._leases.step(predictors, shards, now_s)]
        dead = self._leases.dead(predictors, now_s)
        return lambda draft: self._write(draft, due, dead)

    def leave(self) -> Callable[[Draft], None]:
        """The change at an orderly end: others need not wait for the beat to be missed."""

        def change(draft: Draft) -> None:
            if draft.get(Predictor, self._me.name) is not None:
                draft.delete(Predictor, self._me.name)
            for shard in draft.all(Shard):
                if shard.holder == self._me.name:
                    draft.delete(Shard, shard.key)

        return change

    def _write(
        self, draft: Draft, due: Iterable[tuple[Shard | None, Shard]], dead: Iterable[str]
    ) -> None:
        known = draft.get(Predictor, self._me.name)
        self._beat = max(self._beat, 0 if known is None else known.beat) + 1
        draft.put(replace(self._me, beat=self._beat))
        for seen, wanted in due:
            if draft.get(Shard, wanted.key) == seen:  # else another was faster
                draft.put(wanted)
        for name in dead:
            if draft.get(Predictor, name) is not None:
                draft.delete(Predictor, name)
