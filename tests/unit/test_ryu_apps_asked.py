"""When a switch is asked again for its counters."""

from __future__ import annotations

from ryu_apps.multipart import PATIENCE_SECONDS, REST, Asked


def test_a_switch_that_answers_at_once_is_asked_at_every_poll() -> None:
    asked = Asked(100.0)
    asked.end(100.01)
    assert not asked.is_due(104.0, 5.0)
    assert asked.is_due(104.99, 5.0)


def test_while_an_answer_waits_the_switch_is_not_asked() -> None:
    asked = Asked(100.0)
    assert not asked.is_due(100.0 + PATIENCE_SECONDS - 1, 5.0)
    assert asked.is_due(100.0 + PATIENCE_SECONDS, 5.0)


def test_a_long_answer_leaves_most_of_the_time_for_other_work() -> None:
    asked = Asked(100.0)
    asked.end(104.0)
    assert not asked.is_due(100.0 + 4.0 * REST - 0.1, 5.0)
    assert asked.is_due(100.0 + 4.0 * REST, 5.0)
