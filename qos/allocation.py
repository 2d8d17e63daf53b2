"""Weighted max-min fair shares of links, beside guarantees: progressive filling.

Every claim has its floor first; what the links have left is filled up evenly by weight, until a
claim has all it may use or a link of its path is full (Bertsekas and Gallager, Data Networks,
section 6.5.2). No claim can have more without one that has no more than it, by weight, having less.

Pure: numbers in, numbers out, in any unit. Must not know: policies, paths, meters.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

L = TypeVar("L", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Claim(Generic[L]):
    """What wants a share of every link in `links` at once.

    floor: what it has before anybody shares; cap: the most it can use, at least the floor, may be
    infinite only where it has links; weight: above 0.
    """

    links: frozenset[L]
    floor: float = 0.0
    cap: float = float("inf")
    weight: float = 1.0


def allocate(claims: Sequence[Claim[L]], capacities: Mapping[L, float]) -> list[float]:
    """What each claim gets, in their order.

    Where the floors on a link are more than it can carry, all on it are cut by the same part.
    """
    floors = _floors(claims, capacities)
    filling = _Filling(claims, capacities, floors)
    return filling.run()


def _floors(claims: Sequence[Claim[L]], capacities: Mapping[L, float]) -> list[float]:
    wanted = dict.fromkeys(capacities, 0.0)
    for claim in claims:
        for link in claim.links:
            wanted[link] += claim.floor
    part = {link: min(1.0, capacities[link] / sum_) for link, sum_ in wanted.items() if sum_}
    return [
        claim.floor * min((part.get(link, 1.0) for link in claim.links), default=1.0)
        for claim in claims
    ]


class _Filling(Generic[L]):
    """The level rises; claims stop at it one by one. A claim's share is floor + weight x level."""

    def __init__(
        self, claims: Sequence[Claim[L]], capacities: Mapping[L, float], floors: list[float]
    ) -> None:
        self._claims = claims
        self._shares = floors
        self._left = dict(capacities)  # after floors, and what stopped claims have above them
        self._weights = dict.fromkeys(capacities, 0.0)  # of claims that still rise
        self._on: dict[L, list[int]] = {link: [] for link in capacities}
        self._rising = [True] * len(claims)
        for number, claim in enumerate(claims):
            for link in claim.links:
                self._left[link] -= floors[number]
                self._weights[link] += claim.weight
                self._on[link].append(number)

    def run(self) -> list[float]:
        caps = sorted((self._own_level(number), number) for number in range(len(self._claims)))
        links = [(self._level(link), place, link) for place, link in enumerate(self._left)]
        heapq.heapify(links)
        for level, number in caps:
            while links and links[0][0] <= level:
                self._fill_next(links)
            if self._rising[number]:
                self._stop(number, level)
        return self._shares

    def _fill_next(self, links: list[tuple[float, int, L]]) -> None:
        """The link that is full first: what rises on it stops. Its level only ever grows."""
        level, place, link = links[0]
        now = self._level(link)
        if now > level:
            heapq.heapreplace(links, (now, place, link))
            return
        heapq.heappop(links)
        for number in self._on[link]:
            if self._rising[number]:
                self._stop(number, level)

    def _own_level(self, number: int) -> float:
        claim = self._claims[number]
        return max(0.0, claim.cap - self._shares[number]) / claim.weight

    def _level(self, link: L) -> float:
        """Where this link is full; infinite once nothing rises on it."""
        weight = self._weights[link]
        return max(0.0, self._left[link]) / weight if weight > 1e-12 else float("inf")

    def _stop(self, number: int, level: float) -> None:
        claim = self._claims[number]
        self._rising[number] = False
        more = claim.weight * level
        self._shares[number] += more
        for link in claim.links:
            self._left[link] -= more
            self._weights[link] -= claim.weight
