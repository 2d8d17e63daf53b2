"""Weighted max-min fair shares by linear programs (HiGHS), to compare an allocation with.

Level by level: the least level of all claims that are not settled yet is raised as far as it goes;
whose bound has a price there can have no more in any optimum (complementary slackness), so that is
settled. A claim's level is what it has above its floor, by weight.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from qos.allocation import Claim

L = TypeVar("L", bound=Hashable)

_PRICE = 1e-9


def fair_shares(claims: Sequence[Claim[L]], capacities: Mapping[L, float]) -> list[float]:
    """What each claim gets. The links must be able to carry the floors; caps and links bound all.

    Amounts are best of the order of 1 to 1,000: solvers have absolute tolerances.
    """
    links = _on_links(claims, list(capacities))
    bounds = np.array([*capacities.values()])
    shares: dict[int, float] = {}
    while len(shares) < len(claims):
        shares |= _settled(claims, links, bounds, shares)
    return [shares[number] for number in range(len(claims))]


def _on_links(claims: Sequence[Claim[L]], links: Sequence[L]) -> Any:
    rows = {link: row for row, link in enumerate(links)}
    places = [(rows[link], column) for column, claim in enumerate(claims) for link in claim.links]
    at = tuple(zip(*places, strict=True)) if places else ((), ())
    return sparse.csr_array((np.ones(len(places)), at), shape=(len(links), len(claims)))


def _settled(
    claims: Sequence[Claim[L]], links: Any, bounds: Any, shares: Mapping[int, float]
) -> dict[int, float]:
    """The claims that stop at the next level, and what they have. Variables: shares, the level."""
    rising = [number for number in range(len(claims)) if number not in shares]
    weights = np.array([claims[number].weight for number in rising])
    floors = np.array([claims[number].floor for number in rising])
    count = len(claims)
    above = sparse.hstack(
        [
            sparse.csr_array(
                (-np.ones(len(rising)), (range(len(rising)), rising)), shape=(len(rising), count)
            ),
            weights.reshape(-1, 1),
        ]
    )
    carried = sparse.hstack([links, sparse.csr_array((links.shape[0], 1))])
    limits = [
        (shares[number], shares[number]) if number in shares else (claim.floor, _cap(claim))
        for number, claim in enumerate(claims)
    ]
    found = linprog(
        [*[0.0] * count, -1.0],
        A_ub=sparse.vstack([carried, above], format="csr"),
        b_ub=np.concatenate([bounds, -floors]),
        bounds=[*limits, (0.0, None)],
        method="highs",
    )
    assert found.status == 0, found.message
    prices = found.ineqlin.marginals[len(bounds) :]
    level = -found.fun
    return {
        number: claims[number].floor + claims[number].weight * level
        for number, price in zip(rising, prices, strict=True)
        if price < -_PRICE
    }


def _cap(claim: Claim[L]) -> float | None:
    return None if claim.cap == float("inf") else claim.cap
