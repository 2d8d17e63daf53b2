"""Slot tables one could check by hand; tests/property has all of them."""

from __future__ import annotations

import pytest

from gateway_lb.slots import MAX_CONTAINERS, slot_table


def test_no_container_no_slots() -> None:
    assert slot_table((), {}) == ()
    assert slot_table((), {1: 0}) == ()
    assert slot_table((1,) * 64, {}) == ()


def test_slots_are_dealt_in_turn() -> None:
    assert slot_table((), {7: 1, 3: 1, 5: 2})[:6] == (3, 5, 7, 3, 5, 7)


def test_shares_follow_weights() -> None:
    table = slot_table((), {1: 1, 2: 2, 3: 1})
    assert [table.count(number) for number in (1, 2, 3)] == [16, 32, 16]


@pytest.mark.parametrize(
    ("containers", "slots"),
    [(1, 64), (16, 64), (17, 128), (32, 128), (33, 256), (64, 256), (65, 256), (256, 256)],
)
def test_a_table_grows_with_its_containers(containers: int, slots: int) -> None:
    table = slot_table((), dict.fromkeys(range(1, containers + 1), 1))
    assert len(table) == slots
    assert len(set(table)) == containers
    assert containers <= MAX_CONTAINERS


def test_a_table_does_not_shrink() -> None:
    large = slot_table((), dict.fromkeys(range(1, 33), 1))
    assert len(slot_table(large, {1: 1, 2: 1})) == len(large) == 128


def test_one_that_leaves_gives_its_slots_away() -> None:
    before = slot_table((), {1: 1, 2: 1, 3: 1})
    after = slot_table(before, {1: 1, 3: 1})
    assert all(b == a for b, a in zip(before, after, strict=True) if b != 2)
    assert after.count(1) == after.count(3) == 32


def test_one_that_comes_takes_no_more_than_its_share() -> None:
    before = slot_table((), {1: 1, 2: 1})
    after = slot_table(before, {1: 1, 2: 1, 3: 1})
    assert {a for b, a in zip(before, after, strict=True) if a != b} == {3}
    assert sorted(after.count(number) for number in (1, 2, 3)) == [21, 21, 22]


def test_who_holds_more_than_the_even_share_keeps_it() -> None:
    """64 slots over three: the odd one stays where it is, wherever that is."""
    before = (3,) * 22 + (1,) * 21 + (2,) * 21
    assert slot_table(before, {1: 1, 2: 1, 3: 1}) == before


@pytest.mark.parametrize(
    ("weights", "held"),
    [
        ({1: 1, 2: 63}, [1, 63]),
        ({1: 1, 2: 64}, [2, 126]),
        ({1: 1, 2: 127}, [1, 127]),
        ({1: 1, 2: 256}, [1, 255]),
        ({1: 1, 2: 1, 3: 256}, [1, 1, 254]),
        ({1: 1, 2: 1_000_000}, [1, 255]),
    ],
)
def test_a_table_grows_until_the_smallest_share_is_a_slot(
    weights: dict[int, int], held: list[int]
) -> None:
    table = slot_table((), weights)
    assert [table.count(number) for number in weights] == held


def test_one_that_has_no_slot_gets_one_before_another_keeps_its_extra_one() -> None:
    table = slot_table(slot_table((), {1: 1, 2: 1}), {1: 10**9, 2: 10**9, 3: 1})
    assert [table.count(number) for number in (1, 2, 3)] == [128, 127, 1]


def test_shares_below_a_slot_stay_exact_together() -> None:
    """1 % of the whole for twenty containers is two or three slots, not twenty."""
    canary = dict.fromkeys(range(1, 21), 1)
    table = slot_table((), canary | {100: 1980})
    assert (len(table), table.count(100)) == (256, 253)
    assert slot_table(table, canary | {100: 1980}) == table


def test_weights_may_be_large() -> None:
    huge = 3**500
    table = slot_table((), {1: huge, 2: 2 * huge, 3: 3 * huge + 1})
    assert [table.count(number) for number in (1, 2, 3)] == [11, 21, 32]


def test_a_pinned_slot_stays_beyond_its_holders_share() -> None:
    before = slot_table((), {1: 1, 2: 1})
    pinned = frozenset(slot for slot, number in enumerate(before) if number == 1)
    table = slot_table(before, {1: 1, 2: 1, 3: 2}, pinned)
    assert [table.count(number) for number in (1, 2, 3)] == [32, 11, 21]
    assert {slot for slot, number in enumerate(table) if number == 1} == pinned
    released = slot_table(table, {1: 1, 2: 1, 3: 2})
    assert [released.count(number) for number in (1, 2, 3)] == [16, 16, 32]


def test_a_pinned_slot_is_given_up_with_its_holder() -> None:
    before = slot_table((), {1: 1, 2: 1})
    assert set(slot_table(before, {1: 0, 2: 1}, frozenset(range(64)))) == {2}


def test_pins_of_a_smaller_table_hold_in_the_larger_one() -> None:
    before = slot_table((), {1: 1})
    after = slot_table(before, {1: 1, 2: 127}, frozenset({5}))
    assert (len(after), after[5], after[69], after.count(1)) == (128, 1, 1, 2)
