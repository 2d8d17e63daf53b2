"""When each of many things is due next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ryu_apps.alarms import Alarms


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 9)), max_size=20),
    st.integers(0, 9),
)
def test_the_last_time_set_counts(settings: list[tuple[str, int | None]], now: int) -> None:
    alarms: Alarms[str] = Alarms()
    model: dict[str, int | None] = {}
    for key, at in settings:
        alarms.set(key, at)
        model[key] = at
        times = [known for known in model.values() if known is not None]
        assert alarms.earliest() == min(times, default=None)
    due = sorted((at, key) for key, at in model.items() if at is not None and at <= now)
    assert alarms.take(now) == [key for _, key in due]
    assert alarms.take(now) == []


def test_an_alarm_that_is_moved_for_ever_takes_no_memory() -> None:
    alarms: Alarms[str] = Alarms()
    for at in range(10_000):
        alarms.set("lease", at)
    assert len(alarms._heap) < 100
    assert alarms.take(10_000) == ["lease"]
