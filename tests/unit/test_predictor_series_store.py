"""Rings of samples: which sample is kept where, and what a window shows."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.series.store import Store
from predictor.series.window import Window

NAN = float("nan")
NOW = 1_700_000_000_000


def row(store: Store, name: str = "a", **wanted: int) -> list[float]:
    """What a window shows of one name; unknown as -1."""
    values = store.window((name,), **wanted).values[0]
    return [float(value) for value in np.nan_to_num(values, nan=-1.0)]


def test_samples_stand_in_their_steps_and_gaps_are_unknown() -> None:
    store = Store(1.0, 10)
    for second, value in ((0, 1.0), (1, 2.0), (4, 5.0)):
        store.put("a", NOW + second * 1000 + 300, value)
    assert row(store) == [1, 2, -1, -1, 5]
    assert store.end_ms == NOW + 5000
    assert store.window().end_ms == NOW + 5000


def test_the_last_sample_of_a_step_wins_also_out_of_order() -> None:
    store = Store(1.0, 10)
    for second, value in ((0, 1.0), (3, 4.0), (1, 2.0), (3, 5.0), (1, 3.0)):
        store.put("a", NOW + second * 1000, value)
    assert row(store) == [1, 3, -1, 5]


def test_the_most_of_a_step_is_kept_where_it_is_raised() -> None:
    store = Store(1.0, 10)
    for value in (1.0, 3.0, 2.0):
        store.raise_many(("a", "a"), NOW, np.array([value, 0.0]))
    assert row(store) == [3]


def test_a_sample_older_than_the_ring_is_not_taken() -> None:
    store = Store(1.0, 4)
    store.put("a", NOW, 1.0)
    store.put("a", NOW - 365 * 86_400_000, 9.0)
    store.put("a", NOW - 4000, 9.0)
    assert row(store, steps=4) == [-1, -1, -1, 1]
    store.put("a", NOW - 3000, 2.0)
    assert row(store, steps=4) == [2, -1, -1, 1]


def test_a_jump_ahead_leaves_nothing_of_what_is_older_than_the_ring() -> None:
    store = Store(1.0, 4)
    for second in range(4):
        store.put("a", NOW + second * 1000, 7.0)
    store.put("a", NOW + 86_400_000, 1.0)
    assert row(store, steps=4) == [-1, -1, -1, 1]


def test_a_ring_that_goes_round_shows_its_last_steps() -> None:
    store = Store(1.0, 5)
    for second in range(13):
        store.put("a", NOW + second * 1000, float(second))
    assert row(store, steps=3) == [10, 11, 12]
    assert row(store, steps=99) == [8, 9, 10, 11, 12]


def test_what_is_no_number_of_a_load_changes_nothing() -> None:
    store = Store(1.0, 5)
    store.put("a", NOW, 1.0)
    for value in (NAN, float("inf"), -float("inf"), -1.0, 1e300):
        store.put("a", NOW, value)
    assert row(store) == [1]
    store.put("a", NOW + 1000, NAN)
    assert row(store) == [1]


def test_a_window_may_end_earlier_or_later_than_the_samples() -> None:
    store = Store(60.0, 10)
    for minute in range(4):
        store.put("a", minute * 60_000, float(minute))
    assert row(store, end_ms=120_000) == [0, 1]
    assert row(store, end_ms=120_001) == [0, 1, 2]
    assert row(store, steps=3, end_ms=360_000) == [3, -1, -1]
    assert row(store, steps=2, end_ms=86_400_000) == [-1, -1]


def test_a_window_of_names_has_their_order_and_unknown_names_are_unknown() -> None:
    store = Store(1.0, 5)
    store.put_many(("a", "b", "c"), NOW, np.array([1.0, 2.0, 3.0]))
    window = store.window(("c", "nobody", "a"))
    assert window.names == ("c", "nobody", "a")
    assert np.nan_to_num(window.values[:, 0], nan=-1).tolist() == [3, -1, 1]


def test_an_empty_store_shows_an_empty_window() -> None:
    window = Store(1.0, 5).window()
    assert (window.names, window.values.shape) == ((), (0, 0))


def test_a_forgotten_name_leaves_nothing_to_the_next() -> None:
    store = Store(1.0, 5)
    store.put_many(("a", "b"), NOW, np.array([1.0, 2.0]))
    store.forget(("a", "nobody"))
    assert store.names == ("b",)
    store.put("c", NOW + 1000, 3.0)
    assert row(store, "c") == [-1, 3]
    assert row(store, "b") == [2, -1]


def test_names_that_come_later_find_room_and_keep_those_before() -> None:
    store = Store(1.0, 3)
    for number in range(500):
        store.put(f"s{number}", NOW, float(number))
    assert store.window().values[:, 0].tolist() == list(range(500))


def test_after_the_clock_was_set_back_what_was_just_now_stays_just_now() -> None:
    store = Store(1.0, 5)
    for second in range(7):
        store.put("a", NOW + second * 1000, float(second))
    store.shift(4)
    assert row(store) == [2, 3, 4, 5, 6]
    assert store.end_ms == NOW + 3000
    store.put("a", NOW + 3000, 7.0)
    assert row(store) == [3, 4, 5, 6, 7]


def test_history_is_laid_where_nothing_is_known() -> None:
    store = Store(1.0, 6)
    store.put("a", NOW + 3000, 4.0)
    history = Window(("b", "a"), 1.0, NOW + 5000, np.arange(10, 20, dtype=float).reshape(2, 5))
    store.fill(history)
    assert row(store, "a") == [15, 16, 17, 4, 19]
    assert row(store, "b") == [10, 11, 12, 13, 14]


def test_history_longer_than_the_ring_is_cut_and_older_left_out() -> None:
    store = Store(1.0, 3)
    store.fill(Window(("a",), 1.0, NOW, np.arange(400.0).reshape(1, 400)))
    assert row(store) == [397, 398, 399]
    store.fill(Window(("a",), 1.0, NOW - 10_000, np.ones((1, 5))))
    assert row(store) == [397, 398, 399]


def test_history_of_other_steps_is_refused() -> None:
    with pytest.raises(ValueError, match=r"60\.0 s for a store of 1\.0 s"):
        Store(1.0, 3).fill(Window(("a",), 60.0, NOW, np.ones((1, 2))))
    with pytest.raises(ValueError, match="0 steps"):
        Store(1.0, 0)
