"""Which predictor minds which services: shards, shared out among the predictors that live.

Every service and policy is in a shard (`nib.plans.shard_of`). A predictor lives as long as its beat
is counted on; each judges that by its own clock, from when it saw the beat change, so no clocks
need agree. A shard belongs to the live predictor with the highest hash of both names (rendezvous
hashing), so that few move when predictors come and go. Its holder hands it over; one whose holder
is dead is taken. Hence one party only makes each change.

Must not know: what a predictor does with its shards, how rows are written. Pure: the time is an
argument, in seconds of any steady clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from nib.plans import SHARDS, Predictor, Shard

BEAT_SECONDS: Final = 1.0
DEAD_SECONDS: Final = 3.5  # without a beat


class Leases:
    """As one predictor sees them."""

    def __init__(self, me: str) -> None:
        self._me = me
        self._heard: dict[str, tuple[int, float]] = {}  # beat, and when it was seen to change

    def step(
        self, predictors: Iterable[Predictor], shards: Mapping[int, Shard], now_s: float
    ) -> tuple[Shard, ...]:
        """The rows to write now: shards taken and handed over."""
        living = self._living(predictors, now_s)
        changed = []
        for number in range(SHARDS):
            held = shards.get(number)
            wanted = owner_of(number, living)
            if held is not None and held.holder == wanted:
                continue
            is_mine_to_change = (
                wanted == self._me
                if held is None or held.holder not in living
                else held.holder == self._me
            )
            if is_mine_to_change:
                changed.append(Shard(number, wanted, 1 if held is None else held.epoch + 1))
        return tuple(changed)

    def dead(self, predictors: Iterable[Predictor], now_s: float) -> tuple[str, ...]:
        """Predictors whose rows nobody counts on any more."""
        known = list(predictors)
        living = self._living(known, now_s)
        return tuple(each.name for each in known if each.name not in living)

    def _living(self, predictors: Iterable[Predictor], now_s: float) -> frozenset[str]:
        heard = {}
        for each in predictors:
            beat, since = self._heard.get(each.name, (each.beat, now_s))
            heard[each.name] = (beat, since) if beat == each.beat else (each.beat, now_s)
        self._heard = heard
        live = (name for name, (_, since) in heard.items() if now_s - since < DEAD_SECONDS)
        return frozenset(live) | {self._me}


def owner_of(number: int, living: Collection[str]) -> str:
    """Who of them a shard belongs to."""
    return max(living, key=lambda name: (_weight(number, name), name))


def _weight(number: int, name: str) -> bytes:
    return hashlib.blake2b(f"{number} {name}".encode(), digest_size=8).digest()
