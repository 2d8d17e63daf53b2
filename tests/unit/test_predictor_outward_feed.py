"""What a predictor tells outside: logs of changes, and tokens to go on by."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from nib.errors import FieldError
from nib.mirror import RowChange
from nib.plans import ContainerPlan
from nib.watch import Batch
from predictor.outward import tokens
from predictor.outward.feed import Feed
from predictor.outward.log import Entry, Log
from predictor.outward.tokens import OVERLAP_MS, Token, read_token
from predictor.outward.views import ForecastView, SeriesView

HERE, THERE = "a" * 32, "b" * 32


def key(number: int) -> tuple[str, str]:
    return ("service", f"s{number}")


def names(entries: list[Entry[int]] | None) -> list[str] | None:
    return None if entries is None else [entry.key[1] for entry in entries]


def test_a_log_tells_the_last_change_of_each_thing_in_order() -> None:
    log: Log[int] = Log(0)
    for number in (1, 2, 1, 3):
        log.put(key(number), log.version, 5)
    assert names(log.since(0)) == ["s2", "s1", "s3"]
    assert names(log.since(3)) == ["s3"]
    assert log.since(4) == []
    log.drop(key(2), 6)
    assert names(log.since(4)) == ["s2"]
    assert names(log.snapshot()) == ["s1", "s3"]


def test_what_is_as_it_was_is_no_change() -> None:
    log: Log[int] = Log(0)
    log.put(key(1), 7, 5)
    log.put(key(1), 7, 6)
    log.drop(key(2), 6)
    assert log.version == 1
    log.drop(key(1), 7)
    log.drop(key(1), 8)
    assert log.version == 2


def test_a_version_that_never_was_is_not_resumed() -> None:
    log: Log[int] = Log(0)
    assert log.since(1) is None
    assert log.since(-1) is None


def test_who_missed_what_is_forgotten_begins_anew() -> None:
    log: Log[int] = Log(0, remembered=2)
    for number in range(4):
        log.put(key(number), number, 10 + number)
    for number in range(3):
        log.drop(key(number), 20 + number)
    assert log.since(4) is None  # that s0 is gone is forgotten
    assert names(log.since(5)) == ["s1", "s2"]
    assert log.since_ms(20) is None
    assert names(log.since_ms(21)) == ["s1", "s2"]
    assert len(log._entries) == 3


def test_a_thing_that_came_back_is_there() -> None:
    log: Log[int] = Log(0, remembered=1)
    log.put(key(1), 1, 1)
    log.drop(key(1), 2)
    log.put(key(1), 2, 3)
    for number in (2, 3):
        log.put(key(number), 0, 4)
        log.drop(key(number), 5)
    assert names(log.snapshot()) == ["s1"]
    assert log.get(key(1)) == 2


def test_a_clock_that_is_set_back_changes_no_order() -> None:
    log: Log[int] = Log(100)
    log.put(key(1), 1, 500)
    log.put(key(2), 1, 200)
    assert names(log.since_ms(300)) == ["s1", "s2"]


def test_the_same_predictor_resumes_exactly_another_with_an_overlap() -> None:
    log: Log[int] = Log(0)
    for number in range(4):
        log.put(key(number), 0, 20_000 * (number + 1))
    token = Token("plans", HERE, 3, 70_000)
    assert names(tokens.resume(log, token, HERE, shared=True)) == ["s3"]
    assert names(tokens.resume(log, token, THERE, shared=True)) == ["s2", "s3"]
    assert tokens.resume(log, token, THERE, shared=False) is None
    before = Token("plans", HERE, 3, OVERLAP_MS - 1)
    assert tokens.resume(log, before, THERE, shared=True) is None


def test_a_token_is_read_as_it_is_written() -> None:
    token = Token("plans", HERE, 3, 70_000)
    assert read_token(str(token), "plans") == token
    for text in ("", "1", str(token) + "x", str(token).replace("1.", "2.", 1)):
        with pytest.raises(FieldError, match="resume_token"):
            read_token(text, "plans")
    with pytest.raises(FieldError, match="no token of this stream"):
        read_token(str(token), "requests")


def plan(containers: int) -> ContainerPlan:
    return ContainerPlan("shop", containers, 0, 10, "load")


def test_a_feed_tells_listeners_of_what_it_heard_and_of_nothing_else() -> None:
    beats: list[int] = []
    feed = Feed(HERE, lambda: 1_000)
    end = feed.listen(lambda: beats.append(1))
    assert not feed.begun
    feed.hear(Batch(1, ()))
    assert (feed.begun, len(beats)) == (True, 1)
    feed.hear(Batch(2, ()))
    assert len(beats) == 1
    feed.hear(Batch(3, (RowChange(None, plan(1)),)))
    feed.hear(Batch(4, (RowChange(plan(1), plan(2)),)))
    with feed.plan_log() as log:
        assert log.get(("service", "shop")) == plan(2)
    end()
    feed.hear(Batch(5, (RowChange(plan(2), None),)))
    assert len(beats) == 3
    with feed.plan_log() as log:
        assert (log.snapshot(), log.version) == ([], 3)


def test_a_listener_that_fails_keeps_no_other_from_hearing() -> None:
    heard = threading.Event()
    feed = Feed(HERE, lambda: 1_000)

    def fail() -> None:
        raise ValueError

    feed.listen(fail)
    feed.listen(heard.set)
    feed.hear(Batch(1, ()))
    assert heard.is_set()


def test_a_forecast_has_a_value_for_each_horizon_and_quantile() -> None:
    with pytest.raises(ValueError, match="2 horizons and 1 quantiles"):
        ForecastView("service", "shop", 0, 60.0, (1, 2), (0.5,), np.zeros((1, 2)), "ewma")
    with pytest.raises(ValueError, match="a series of shape"):
        SeriesView("service", "shop", 60.0, 0, np.zeros((1, 2)))
