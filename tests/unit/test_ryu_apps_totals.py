"""Totals of keys that come and go without end."""

from __future__ import annotations

from ryu_apps.totals import Totals


def test_what_is_not_wanted_does_not_pile_up() -> None:
    """And it is looked for seldom: the time of a reading does not grow with what is known."""
    totals: Totals[int] = Totals()
    looks = 0

    def is_wanted(key: int) -> bool:
        nonlocal looks
        looks += 1
        return key < 10

    for key in range(20_000):
        totals.read(key, (1,))
        totals.keep_at_times(is_wanted)
        assert len(totals) <= 1001
    assert looks <= 2 * 20_000
    assert [totals.total(key) for key in range(10)] == [(1,)] * 10


def test_all_that_is_wanted_is_kept() -> None:
    totals: Totals[int] = Totals()
    for key in range(5000):
        totals.read(key, (key,))
        totals.keep_at_times(lambda _key: True)
    assert sum(count for _, (count,) in totals) == sum(range(5000))


def test_a_key_that_was_forgotten_begins_at_zero() -> None:
    totals: Totals[str] = Totals()
    totals.read("a", (7,))
    assert totals.forget("a") == (7,)
    assert totals.total("a") is None
    totals.read("a", (9,))
    assert totals.total("a") == (9,)
