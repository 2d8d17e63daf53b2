"""Which slots clients came by lately."""

from __future__ import annotations

import pytest

from ryu_apps.activity import SlotActivity

AFFINITY_MS = 10_000
IDLE = (0,) * 64


def counts(*busy: int, size: int = 64, of: int = 1) -> tuple[int, ...]:
    """Packets by bucket: `of` in each of the busy ones."""
    return tuple(of if slot in busy else 0 for slot in range(size))


def read_once(*readings: tuple[int, ...], at_ms: int = 0) -> SlotActivity:
    activity = SlotActivity()
    for reading in readings:
        activity.read("web", "s1", reading, at_ms)
    return activity


def pinned(activity: SlotActivity, now_ms: int, slots: int = 64) -> set[int]:
    return set(activity.pinned("web", slots, AFFINITY_MS, now_ms))


def test_what_nobody_has_read_may_be_busy() -> None:
    activity = SlotActivity()
    assert pinned(activity, 0) == set(range(64))
    assert activity.release_ms("web", AFFINITY_MS, 0) == AFFINITY_MS
    assert pinned(activity, AFFINITY_MS - 1) == set(range(64))
    assert pinned(activity, AFFINITY_MS) == set()
    assert activity.release_ms("web", AFFINITY_MS, AFFINITY_MS) is None


def test_the_first_reading_is_told_apart() -> None:
    activity = SlotActivity()
    assert [activity.read("web", "s1", IDLE, 0) for _ in range(2)] == [True, False]
    assert pinned(activity, 0) == set()


def test_a_slot_is_held_for_its_time_after_the_last_connection() -> None:
    activity = read_once(IDLE)
    activity.read("web", "s1", counts(5), 1000)
    activity.read("web", "s1", counts(5, 6), 2000)
    activity.read("web", "s1", counts(5, 6), 3000)
    assert pinned(activity, 3000) == {5, 6}
    assert activity.release_ms("web", AFFINITY_MS, 3000) == 11_000
    assert pinned(activity, 11_000) == {6}
    assert pinned(activity, 12_000) == set()


def test_counts_from_before_the_first_reading_may_be_recent() -> None:
    assert pinned(read_once(counts(9, of=1000)), 0) == {9}


@pytest.mark.parametrize("after", [counts(7, of=3), counts(7, of=9)])
def test_a_group_that_was_replaced_counts_from_zero(after: tuple[int, ...]) -> None:
    activity = read_once(counts(7, of=5))
    activity.read("web", "s1", after, 5000)
    assert pinned(activity, AFFINITY_MS) == {7}


def test_a_group_that_was_replaced_and_not_used_since_is_idle() -> None:
    activity = read_once(counts(7, of=5))
    activity.read("web", "s1", IDLE, 5000)
    assert pinned(activity, AFFINITY_MS) == set()


def test_any_switch_holds_a_slot_and_each_counts_for_itself() -> None:
    activity = read_once(IDLE)
    activity.read("web", "s2", counts(3, of=50), 0)
    activity.read("web", "s1", counts(4), 1000)
    assert pinned(activity, 1000) == {3, 4}
    activity.read("web", "s2", counts(3, of=50), 2000)
    assert pinned(activity, AFFINITY_MS) == {4}


def test_a_table_that_doubles_holds_both_halves() -> None:
    activity = read_once(IDLE, counts(5))
    assert pinned(activity, 0, slots=128) == {5, 69}
    activity.read("web", "s1", counts(70, size=128), 1000)
    assert pinned(activity, 1000, slots=128) == {5, 69, 70}


def test_a_switch_that_still_has_the_smaller_table_holds_both_halves() -> None:
    activity = read_once((0,) * 128)
    activity.read("web", "s2", counts(5), 1000)
    assert pinned(activity, 1000, slots=128) == {5, 69}


def test_a_smaller_table_holds_what_the_larger_one_did() -> None:
    """After a time without containers the table begins at its smallest again."""
    assert pinned(read_once(counts(70, size=128)), 0) == {6}


def test_a_group_without_slots_says_nothing_of_slots() -> None:
    activity = read_once(counts(5))
    activity.read("web", "s1", (17,), 1000)
    assert pinned(activity, 1000) == {5}
    assert pinned(activity, 1000, slots=0) == set()


def test_services_do_not_mix_and_are_forgotten() -> None:
    activity = read_once(counts(5))
    activity.read("api", "s1", IDLE, 0)
    assert activity.pinned("api", 64, AFFINITY_MS, 0) == set()
    activity.forget("web")
    assert activity.release_ms("web", AFFINITY_MS, 0) is None


def of_two(activity: SlotActivity, now_ms: int) -> tuple[set[int], int | None]:
    """Pinned slots with two switches connected, and when the next may move."""
    both = ("s1", "s2")
    held = activity.pinned("web", 64, AFFINITY_MS, now_ms, switches=both)
    return set(held), activity.release_ms("web", AFFINITY_MS, now_ms, switches=both)


def test_every_connected_switch_must_be_read_before_a_slot_moves() -> None:
    activity = SlotActivity()
    assert of_two(activity, 0) == (set(range(64)), AFFINITY_MS)
    assert activity.read("web", "s1", IDLE, 100)
    assert of_two(activity, 100) == (set(range(64)), AFFINITY_MS)
    assert activity.read("web", "s2", counts(5), 200), "the first of this one"
    assert of_two(activity, 200) == ({5}, 10_200)


def test_a_switch_that_is_never_read_holds_slots_for_the_time_since_it_was_missed() -> None:
    activity = read_once(IDLE)
    assert of_two(activity, 5000) == (set(range(64)), 5000 + AFFINITY_MS)
    assert of_two(activity, 5000 + AFFINITY_MS) == (set(), None)


def test_clients_of_any_switch_hold_a_slot() -> None:
    activity = read_once(IDLE)
    activity.read("web", "s2", IDLE, 0)
    activity.read("web", "s1", counts(5), 1000)
    activity.read("web", "s2", counts(5, 6), 2000)
    activity.read("web", "s1", counts(5), 3000)
    assert of_two(activity, 3000) == ({5, 6}, 12_000)
    activity.read("web", "s2", IDLE, 4000)  # it was restarted
    assert of_two(activity, 4000)[0] == {5, 6}
