"""Shares of links against linear programs, and what holds of every allocation."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qos.allocation import Claim, allocate
from tests.linear_programs import fair_shares
from tests.nib_strategies import examples

CLOSE = 0.001  # part of an amount that two may differ by and be the same

Problem = tuple[list[Claim[int]], dict[int, float]]


@st.composite
def problems(draw: st.DrawFn, *, most: int = 6, floors_fit: bool = True) -> Problem:
    """Some claims on some links. floors_fit: the links can carry all floors."""
    links = range(draw(st.integers(1, 4)))
    claims = [_claim(draw, links) for _ in range(draw(st.integers(1, most)))]
    room = {link: float(draw(st.sampled_from((0, 1, 10, 10, 40, 100)))) for link in links}
    if floors_fit:
        for link in links:
            room[link] += sum(claim.floor for claim in claims if link in claim.links)
    return claims, room


def _claim(draw: st.DrawFn, links: Sequence[int]) -> Claim[int]:
    used = draw(st.frozensets(st.sampled_from(links), max_size=3))
    floor = float(draw(st.sampled_from((0, 0, 5, 20))))
    more = draw(st.sampled_from((0.0, 3.0, 30.0, *((float("inf"),) if used else ()))))
    return Claim(used, floor, floor + more, float(draw(st.sampled_from((1, 1, 2, 4)))))


@given(problems())
@examples(0.75)
def test_shares_are_those_of_the_linear_programs(problem: Problem) -> None:
    claims, capacities = problem
    wanted = fair_shares(claims, capacities)
    assert allocate(claims, capacities) == pytest.approx(wanted, rel=CLOSE, abs=1e-6)


@given(problems(most=8, floors_fit=False))
@examples(0.8)
def test_no_link_carries_more_than_it_can_and_no_claim_gets_more_than_it_can_use(
    problem: Problem,
) -> None:
    claims, capacities = problem
    shares = allocate(claims, capacities)
    for claim, share in zip(claims, shares, strict=True):
        assert 0 <= share <= claim.cap + 1e-6
    for link, capacity in capacities.items():
        assert _carried(claims, shares, link) <= capacity + 1e-6


@given(problems(most=8))
@examples(0.8)
def test_floors_that_fit_are_kept(problem: Problem) -> None:
    claims, capacities = problem
    for claim, share in zip(claims, allocate(claims, capacities), strict=True):
        assert share >= claim.floor - 1e-6


@given(problems(most=8, floors_fit=False))
@examples(0.8)
def test_who_has_less_than_it_can_use_is_stopped_by_a_full_link_where_nobody_is_above_it(
    problem: Problem,
) -> None:
    """Bertsekas and Gallager's condition: every claim has its cap or a bottleneck."""
    claims, capacities = problem
    shares = allocate(claims, capacities)
    cut = _cut_floors(claims, capacities)
    levels = [
        (share - floor) / claim.weight
        for claim, share, floor in zip(claims, shares, cut, strict=True)
    ]
    for number, claim in enumerate(claims):
        if shares[number] >= claim.cap - 1e-6:
            continue
        assert any(
            _carried(claims, shares, link) >= capacities[link] - 1e-6
            and all(
                levels[other] <= levels[number] + 1e-6
                for other, each in enumerate(claims)
                if link in each.links
            )
            for link in claim.links
        ), (number, shares)


@given(problems(floors_fit=False), st.randoms(use_true_random=False))
@examples(0.5)
def test_the_order_of_claims_does_not_matter(problem: Problem, random: object) -> None:
    claims, capacities = problem
    order = list(range(len(claims)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shares = allocate(claims, capacities)
    shuffled = allocate([claims[number] for number in order], capacities)
    assert shuffled == pytest.approx([shares[number] for number in order])


def _carried(claims: Sequence[Claim[int]], shares: Sequence[float], link: int) -> float:
    return sum(share for claim, share in zip(claims, shares, strict=True) if link in claim.links)


def _cut_floors(claims: Sequence[Claim[int]], capacities: dict[int, float]) -> list[float]:
    """Of links that cannot carry their floors, the same part of all."""
    parts = {}
    for link, capacity in capacities.items():
        wanted = sum(claim.floor for claim in claims if link in claim.links)
        parts[link] = min(1.0, capacity / wanted) if wanted else 1.0
    return [
        claim.floor * min((parts[link] for link in claim.links), default=1.0) for claim in claims
    ]
