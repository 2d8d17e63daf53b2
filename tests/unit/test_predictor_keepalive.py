"""Keep-alive of rarely called services."""

from __future__ import annotations

import numpy as np
import pytest

from predictor.planning.keepalive import KeepAlive, KeepAliveChoice
from predictor.planning.table import Table
from predictor.series.window import Floats, Window

PERIOD = 20


def periodic(steps: int, period: int = PERIOD) -> Floats:
    """One call each period, the first in step period - 1."""
    return np.asarray((np.arange(steps) + 1) % period == 0, np.float64)


def learned(calls: Floats, choice: KeepAliveChoice | None = None) -> KeepAlive:
    keep = KeepAlive(60.0, choice)
    names = tuple(f"s{i}" for i in range(len(calls)))
    keep.learn(Window(names, 60.0, 0, calls))
    return keep


def test_a_periodic_service_is_warm_when_its_call_is_due_and_not_half_way() -> None:
    half_way = learned(periodic(PERIOD * 12 + PERIOD // 2)[None, :]).warm(("s0",))
    due = learned(periodic(PERIOD * 13 - 1)[None, :]).warm(("s0",))
    assert not half_way.warm[0]
    assert due.warm[0]
    assert due.chance[0] > 0.5


def test_a_lead_of_several_steps_looks_as_far_ahead() -> None:
    keep = learned(periodic(PERIOD * 13 - 4)[None, :])
    assert not keep.warm(("s0",), 1).warm[0]
    assert keep.warm(("s0",), 4).warm[0]


def test_at_steps_of_a_second_the_surge_of_every_minute_is_expected() -> None:
    """Called for 15 s of every minute, the first time in second 45."""
    keep, names = KeepAlive(1.0), ("s0",)
    keep.learn(Window(names, 1.0, 0, ((np.arange(625) % 60) >= 45)[None, :].astype(np.float64)))
    assert not keep.warm(names, 5).warm[0]
    for _ in range(15):
        keep.observe(names, np.zeros(1))
    warmth = keep.warm(names, 6)
    assert warmth.warm[0]
    assert "the next 6 s" in warmth.reason(0)


def test_a_service_that_was_never_called_is_not_warm() -> None:
    keep = learned(np.stack([np.ones(50), np.zeros(50)]))
    warmth = keep.warm(("s0", "s1", "new"))
    assert warmth.warm.tolist() == [True, False, False]
    assert warmth.reason(1) == warmth.reason(2) == "it was never called yet"
    assert "chance of a call in the next 60 s" in warmth.reason(0)


def test_a_new_service_is_judged_by_those_called_about_as_often() -> None:
    """A hundred are called twice, 5 steps apart; one was called for the first time 4 steps ago."""
    calls = np.zeros((101, 450))
    for service in range(1, 101):
        calls[service, [4 * service, 4 * service + 5]] = 1
    calls[0, 450 - 5] = 1
    chance = learned(calls).warm(("s0",)).chance[0]
    assert chance > 20 * learned(calls[:1]).warm(("s0",)).chance[0]


def test_unknown_calls_hold_the_last_answer() -> None:
    keep = learned(periodic(PERIOD * 13 - 1)[None, :])
    assert keep.warm(("s0",)).warm[0]
    for bad in (np.nan, -1.0, np.inf):
        keep.observe(("s0",), np.array([bad]))
        warmth = keep.warm(("s0",))
        assert warmth.warm[0]
        assert warmth.held[0]
        assert "not known" in warmth.reason(0)
    keep.observe(("s0",), np.array([0.0]))
    assert not keep.warm(("s0",)).held[0]


def test_a_higher_threshold_keeps_fewer_warm() -> None:
    calls = (np.random.default_rng(1).random((80, 200)) < 0.03).astype(np.float64)
    names = tuple(f"s{i}" for i in range(80))
    warm = [
        learned(calls, KeepAliveChoice(threshold=each)).warm(names).warm
        for each in (0.1, 0.55, 9.0)
    ]
    assert warm[0].sum() > warm[1].sum() > warm[2].sum()
    assert not (warm[2] & ~warm[1]).any()
    assert not (warm[1] & ~warm[0]).any()


def test_the_same_calls_more_often_for_services_that_are_called_less() -> None:
    """rarity: where calls of a rare service count as much as all those of a busy one."""
    calls = (np.random.default_rng(1).random((80, 200)) < 0.01).astype(np.float64)
    names = tuple(f"s{i}" for i in range(80))
    alike = learned(calls, KeepAliveChoice(threshold=0.1, rarity=0.0)).warm(names)
    rare = learned(calls, KeepAliveChoice(threshold=0.1, rarity=1.0)).warm(names)
    assert rare.warm.sum() > alike.warm.sum()


def test_what_is_saved_goes_on_as_if_never_stopped() -> None:
    calls = (np.random.default_rng(2).random((40, 160)) < 0.05).astype(np.float64)
    names = tuple(f"s{i}" for i in range(40))
    keep = learned(calls)
    again = KeepAlive.load(keep.save())
    for each in (keep, again):
        each.observe(names, calls[:, 0])
    np.testing.assert_allclose(keep.warm(names).chance, again.warm(names).chance, rtol=1e-5)


def test_foreign_bytes_and_other_steps_are_refused() -> None:
    saved = learned(np.ones((1, 3))).save()
    with pytest.raises(ValueError, match="no saved state"):
        KeepAlive.load(b"nothing")
    with pytest.raises(ValueError, match=r"not of .*1\.0"):
        KeepAlive.load(saved, 1.0)


def test_names_that_are_not_kept_begin_anew() -> None:
    keep = learned(np.ones((2, 30)))
    keep.keep(("s1", "never heard of"))
    assert keep.warm(("s0", "s1")).warm.tolist() == [False, True]


def test_calls_that_do_not_match_the_names_are_refused() -> None:
    with pytest.raises(ValueError, match="2 names"):
        KeepAlive().observe(("a", "b"), np.ones(3))
    with pytest.raises(ValueError, match="step_s"):
        KeepAlive(0.0)
    with pytest.raises(ValueError, match="threshold"):
        KeepAliveChoice(threshold=0.0)


def test_a_table_grows_and_keeps_what_rows_held() -> None:
    table = Table({"x": ((), 7.0), "many": ((3,), 1.0)})
    first = table.rows(("a", "b"))
    table["x"][first] = [1.0, 2.0]
    rows = table.rows(tuple(f"n{i}" for i in range(100)))
    assert len(table) == 102
    assert table["x"][table.rows(("b", "a"))].tolist() == [2.0, 1.0]
    assert (table["x"][rows] == 7.0).all()
    assert table["many"][rows].shape == (100, 3)
