"""Weighted max-min fair shares of links, beside guarantees: progressive filling.

Every claim has its floor first; what the links have left is filled up evenly by weight, until a
claim has all it may use or a link of its path is full (Bertsekas and Gallager, Data Networks,
section 6.5.2). No claim can have more without one that has no more than it, by weight, having less.

Pure: numbers in, numbers out, in any unit. Must not know: policies, paths, meters.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
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
    users: defaultdict[L, list[int]] = defaultdict(list)
    for number, claim in enumerate(claims):
        for link in claim.links:
            users[link].append(number)
    # Of links that the same claims use, the narrowest alone counts: parallel paths are one.
    narrowest: dict[tuple[int, ...], float] = {}
    for link, numbers in users.items():
        same = tuple(numbers)
        narrowest[same] = min(capacities[link], narrowest.get(same, float("inf")))
    return _Filling(claims, list(narrowest.items())).run()


class _Filling(Generic[L]):
    """The level rises; claims stop at it one by one. A claim's share is floor + weight x level."""

    def __init__(
        self, claims: Sequence[Claim[L]], links: Sequence[tuple[tuple[int, ...], float]]
    ) -> None:
        """links: the numbers of the claims on each, and its capacity."""
        self._claims = claims
        self._on = [numbers for numbers, _ in links]
        self._paths: list[list[int]] = [[] for _ in claims]
        for link, numbers in enumerate(self._on):
            for number in numbers:
                self._paths[number].append(link)
        self._shares = self._floors([capacity for _, capacity in links])
        # After floors, and what stopped claims have above them.
        self._left = [
            capacity - sum(self._shares[number] for number in numbers)
            for numbers, capacity in links
        ]
        self._weights = [sum(claims[number].weight for number in on) for on in self._on]
        self._rising = [True] * len(claims)

    def _floors(self, capacities: Sequence[float]) -> list[float]:
        """What claims begin with; of links that cannot carry their floors, a part of these."""
        parts = [1.0] * len(capacities)
        for link, numbers in enumerate(self._on):
            wanted = sum(self._claims[number].floor for number in numbers)
            if wanted > capacities[link]:
                parts[link] = capacities[link] / wanted
        return [
            claim.floor * min((parts[link] for link in path), default=1.0) if claim.floor else 0.0
            for claim, path in zip(self._claims, self._paths, strict=True)
        ]

    def run(self) -> list[float]:
        """The shares, when nothing rises any more."""
        caps = sorted((self._own_level(number), number) for number in range(len(self._claims)))
        links = [(self._level(link), link) for link in range(len(self._on))]
        heapq.heapify(links)
        for level, number in caps:
            while links and links[0][0] <= level:
                self._fill_next(links)
            if self._rising[number]:
                self._stop(number, level)
        return self._shares

    def _fill_next(self, links: list[tuple[float, int]]) -> None:
        """The link that is full first: what rises on it stops. Its level only ever grows."""
        level, link = links[0]
        now = self._level(link)
        if now > level:
            heapq.heapreplace(links, (now, link))
            return
        heapq.heappop(links)
        for number in self._on[link]:
            if self._rising[number]:
                self._stop(number, level)

    def _own_level(self, number: int) -> float:
        claim = self._claims[number]
        return max(0.0, claim.cap - self._shares[number]) / claim.weight

    def _level(self, link: int) -> float:
        """Where this link is full; infinite once nothing rises on it."""
        weight = self._weights[link]
        return max(0.0, self._left[link]) / weight if weight > 1e-12 else float("inf")

    def _stop(self, number: int, level: float) -> None:
        claim = self._claims[number]
        self._rising[number] = False
        more = claim.weight * level
        self._shares[number] += more
        for link in self._paths[number]:
            self._left[link] -= more
            self._weights[link] -= claim.weight
