"""At most once in so many seconds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ryu_apps.spacing import Spacing


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 2)), max_size=40))
def test_what_was_allowed_has_to_wait(asked: list[tuple[str, float]]) -> None:
    spacing = Spacing(1.0)
    now, last = 0.0, dict.fromkeys("abc", float("-inf"))
    for key, passed in asked:
        now += passed
        assert spacing.allows(key, now) == (now - last[key] >= 1.0)
        if now - last[key] >= 1.0:
            last[key] = now


def test_there_is_room_for_so_many() -> None:
    spacing = Spacing(1.0, most=2)
    assert [spacing.allows(key, 0.0) for key in "abc"] == [True, True, False]
    assert spacing.allows("c", 1.0)
