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
weights = st.dictionaries(
    numbers, st.integers(0, 5) | st.integers(0, 10_000) | st.integers(0, 2**200), max_size=12
)
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
    """Of all ways to round the shares up or down, the moves of the best that gives slots left over
    to those first who would have none."""
    down = {number: int(share) for number, share in wanted.items()}
    extra = slots - sum(down.values())
    surplus = sum(max(0, count - down.get(number, 0)) for number, count in held.items())
    fractional = [number for number, share in wanted.items() if share != down[number]]
    none = [number for number in fractional if not down[number]]
    first = min(extra, sum(held[number] > 0 for number in none))
    left = extra - min(extra, len(none))
    can_keep_one = sum(held[number] > down[number] for number in fractional if down[number])
    return surplus - first - min(left, can_keep_one)


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


@given(st.dictionaries(numbers, st.integers(1, 256), min_size=2, max_size=2), changes)
@examples(0.5)
def test_of_two_containers_both_have_slots_at_any_weights(
    both: Weights, history: list[Weights]
) -> None:
    assert slot_table(run(history), both).count(min(both, key=lambda n: both[n])) >= 1


@given(changes, few | weights | many)
@examples(0.5)
def test_who_is_due_a_slot_has_one_as_far_as_they_go(history: list[Weights], new: Weights) -> None:
    table = slot_table(run(history), new)
    wanted = shares(new, len(table)) if table else {}
    left = len(table) - sum(int(share) for share in wanted.values())
    below_one = [number for number, share in wanted.items() if share < 1]
    assert sum(number in table for number in below_one) == min(left, len(below_one))
    if below_one:
        assert len(table) == MAX_CONTAINERS


@given(changes, few | weights | many, st.frozensets(st.integers(0, 255)))
@examples(0.5)
def test_pinned_slots_stay_while_their_holder_has_a_weight(
    history: list[Weights], new: Weights, pinned: frozenset[int]
) -> None:
    before = run(history)
    after = slot_table(before, new, pinned)
    for slot, number in enumerate(after if before else ()):
        holder = before[slot % len(before)]
        if slot % len(before) in pinned and new.get(holder, 0):
            assert number == holder


@given(changes, few | weights | many, st.frozensets(st.integers(0, 255)))
@examples(0.5)
def test_who_is_not_beyond_its_share_by_pins_has_its_share_of_the_rest(
    history: list[Weights], new: Weights, pinned: frozenset[int]
) -> None:
    before = run(history)
    after = slot_table(before, new, pinned)
    if not after:
        return
    fixed = Counter(
        number
        for slot, number in enumerate(repeated(before, len(after)))
        if slot % len(before) in pinned and new.get(number, 0)
    )
    held, exact = Counter(after), shares(new, len(after))
    beyond = {n for n in exact if fixed[n] == held[n] and fixed[n] > exact[n]}
    rest = {n: weight for n, weight in new.items() if weight and n not in beyond}
    left = len(after) - sum(held[n] for n in beyond)
    for number, share in shares(rest, left).items():
        assert abs(held[number] - share) < 1
        assert share <= exact[number]


@given(changes, few | weights | many, st.frozensets(st.integers(0, 255)))
@examples(0.5)
def test_released_pins_leave_an_exact_table(
    history: list[Weights], new: Weights, pinned: frozenset[int]
) -> None:
    table = slot_table(slot_table(run(history), new, pinned), new)
    for number, share in (shares(new, len(table)) if table else {}).items():
        assert abs(table.count(number) - share) < 1
