"""The last events of a server: how far back they go, and how many there are at most."""

from __future__ import annotations

import pytest

from prewire.api.watching.frames import EventId
from prewire.api.watching.history import Event, History


def event(name: str, size: int = 1) -> Event:
    return Event("services", name, None, (), b"x" * size)


def test_what_comes_after_a_number_is_told_in_order() -> None:
    history = History()
    for name in "abcd":
        history.add(event(name), 0.0)
    assert [each.key for each in history.after(2, 10)] == ["c", "d"]
    assert [each.key for each in history.after(0, 3)] == ["a", "b", "c"]
    assert history.after(4, 10) == []


def test_only_the_last_events_are_kept() -> None:
    history = History(most=3)
    for number in range(100):
        history.add(event(str(number)), 0.0)
        kept = min(3, number + 1)
        assert history.first == history.last - kept + 1
    assert [each.key for each in history.after(97, 10)] == ["97", "98", "99"]
    assert not history.reaches(96)
    with pytest.raises(ValueError, match="not between"):
        history.after(96, 1)


def test_large_events_push_out_more() -> None:
    history = History(most=100, most_bytes=10)
    for _ in range(5):
        history.add(event("a", 4), 0.0)
    assert history.first == 4


def test_what_is_of_too_long_ago_goes_with_the_next() -> None:
    """A steady stream of events is kept for a time, whatever there is room for."""
    history = History()
    for at_s in range(1000):
        history.add(event(str(at_s)), float(at_s))
    assert [each.key for each in history.after(history.first - 1, 1)] == ["699"]
    history.add(event("late"), 5000.0)
    assert [each.key for each in history.after(history.first - 1, 9)] == ["late"]


def test_a_number_that_is_not_given_yet_is_not_reached() -> None:
    assert not History().reaches(1)
    assert History().reaches(0)


@pytest.mark.parametrize("text", ["", "1", "0123abcd", "0123abcd-", "0123ABCD-1", "0123abcd-1 "])
def test_what_is_no_id_of_ours_is_none(text: str) -> None:
    assert EventId.parsed(text) is None


def test_an_id_reads_as_it_is_written() -> None:
    assert EventId.parsed(str(EventId("0123abcd", 7))) == EventId("0123abcd", 7)
