"""Slot tables: exact shares, and never more slots moved than the new shares demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from gateway_lb.slots import MAX_CONTAINERS, SLOT_COUNTS, slot_table
from tests.nib_strategies import examples

Weights = dict[int, int]

numbers = st.integers(1, 2**28 - 1)
weights = st.dictionaries(numbers, st.integers(0, 5) | st.integers(0, 10_000), max_size=12)
many = st.integers(1, MAX_CONTAINERS).map(lambda count: dict.fromkeys(range(1, count + 1), 1))
few = st.dictionaries(st.integers(1, 8), st.integers(0, 4), max_size=8)
changes = st.lists(few | weights | many, min_size=1, max_size=5)


def run(history: list[Weights]) -> tuple[int, ...]:
    """The table after a service's containers changed like this."""
    table: tuple[int, ...] = ()
    for given_weights in history:
        table = slot_table(table, given_weights)
    return table


def shares(given_weights: Mapping[int, int], slots: int) -> dict[int, Fraction]:
    total = sum(given_weights.values())
    return {n: Fraction(slots * w, total) for n, w in given_weights.items() if w}


def repeated(table: tuple[int, ...], length: int) -> tuple[int, ...]:
    """The table as a larger group would have it: nothing moves by doubling."""
    return table * (length // len(table)) if table else ()


def moved(before: tuple[int, ...], after: tuple[int, ...]) -> int:
    return sum(a != b for a, b in zip(repeated(before, len(after)), after, strict=True))


@given(changes)
@examples(0.5)
def test_shares_are_exact_within_one_slot(history: list[Weights]) -> None:
    table = run(history)
    wanted = shares(history[-1], len(table)) if any(history[-1].values()) else {}
    held = Counter(table)
    assert held.keys() <= wanted.keys()
    for number, share in wanted.items():
        assert abs(held[number] - share) < 1
    assert len(table) in SLOT_COUNTS if wanted else table == ()


@given(changes, few | weights | many)
@examples(0.5)
def test_no_more_slots_move_than_the_new_shares_demand(
    history: list[Weights], new: Weights
) -> None:
    before = run(history)
    after = slot_table(before, new)
    if not before or not after:
        return
    held, quota = Counter(repeated(before, len(after))), Counter(after)
    assert moved(before, after) == sum((held - quota).values())
    assert moved(before, after) == fewest_moves(held, shares(new, len(after)), len(after))


def fewest_moves(held: Counter[int], wanted: dict[int, Fraction], slots: int) -> int:
    """Of all ways to round the shares up or down, the moves of the best."""
    down = {number: int(share) for number, share in wanted.items()}
    extra = slots - sum(down.values())
    surplus = sum(max(0, count - down.get(number, 0)) for number, count in held.items())
    can_keep_one = sum(
        held[number] > down[number] for number, share in wanted.items() if share != down[number]
    )
    return surplus - min(extra, can_keep_one)


@given(st.lists(many, max_size=3), many, st.data())
@examples(0.5)
def test_when_one_of_many_goes_only_its_slots_move(
    history: list[Weights], equal: Weights, data: st.DataObject
) -> None:
    before = run([*history, equal])
    gone = data.draw(st.sampled_from(sorted(equal)))
    after = slot_table(before, {number: 1 for number in equal if number != gone})
    kept = [(a, b) for a, b in zip(before, after, strict=False) if a != gone]
    assert all(a == b for a, b in kept)


@given(many, many)
@examples(0.5)
def test_a_larger_table_repeats_the_smaller(some: Weights, more: Weights) -> None:
    """`hash mod 2n` is `hash mod n` or that plus n: a connection moves to a new container only."""
    before = slot_table((), some)
    after = slot_table(before, some | more)
    new = more.keys() - some.keys()
    size = len(before)
    assert all(number in new or number == before[slot % size] for slot, number in enumerate(after))


@given(changes)
@examples(0.5)
def test_the_same_input_gives_the_same_table(history: list[Weights]) -> None:
    turned = [dict(reversed(given_weights.items())) for given_weights in history]
    assert run(history) == run(turned)


@given(changes)
@examples(0.5)
def test_nothing_moves_when_nothing_changes(history: list[Weights]) -> None:
    table = run(history)
    assert slot_table(table, history[-1]) == table
    doubled = {number: weight * 2 for number, weight in history[-1].items()}
    assert slot_table(table, doubled) == table


@given(st.lists(many, max_size=3), many, st.data())
@examples(0.5)
def test_who_leaves_and_comes_back_takes_no_more_than_its_share(
    history: list[Weights], equal: Weights, data: st.DataObject
) -> None:
    first = run([*history, equal])
    gone = data.draw(st.sampled_from(sorted(equal)))
    without = slot_table(first, {number: 1 for number in equal if number != gone})
    back = slot_table(without, equal)
    if without:
        assert moved(without, back) == back.count(gone)
    assert abs(back.count(gone) - Fraction(len(back), len(equal))) < 1
