"""HAProxy's agent-check words."""

from __future__ import annotations

import pytest

from gateway_lb.agent_check import Said, said
from nib.errors import FieldError
from nib.observed import Report

REPORT = Report("web", "c1")


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("50%", Said(percent=50)),
        ("0%", Said(percent=0)),
        ("maxconn:30", Said(max_inflight=30)),
        ("ready", Said(word="")),
        ("up", Said(word="")),
        ("drain", Said(word="drain")),
        ("maint", Said(word="drain")),
        ("down", Said(word="down")),
        ("fail", Said(word="down")),
        ("failed", Said(word="down")),
        ("stopped", Said(word="down")),
        ("down # disk full, 99%", Said(word="down")),
        ("up,ready 75%\tmaxconn:8", Said(75, 8, "")),
        ("  READY , 75%  ", Said(percent=75, word="")),
        ("50%\r\ndown", Said(percent=50)),
        ("50% 60%", Said(percent=60)),
        ("", Said()),
    ],
)
def test_words(words: str, meaning: Said) -> None:
    assert said(words) == meaning


@pytest.mark.parametrize("words", ["up drain", "drain,ready", "maint up"])
def test_the_gravest_word_for_the_state_counts(words: str) -> None:
    assert said(words).word == "drain"
    assert said(f"{words} down").word == said(f"down {words}").word == "down"


@pytest.mark.parametrize(
    "words",
    ["fly", "50", "101%", "-1%", "5.5%", "%", "maxconn:", "maxconn: 3", "maxconn:1000001",
     "maxconn:-1", "ready!", "up # why", "# why", "50% fly", "\u0665%", "x" * 300],
)  # fmt: skip
def test_words_that_are_none(words: str) -> None:
    with pytest.raises(FieldError) as caught:
        said(words)
    assert caught.value.field == "words"
    assert caught.value.remedy


def test_what_is_not_said_stays() -> None:
    busy = said("drain 50% maxconn:7").of(REPORT)
    assert busy == Report("web", "c1", 50, 7, "drain")
    assert said("60%").of(busy) == Report("web", "c1", 60, 7, "drain")
    assert said("").of(busy) == busy


@pytest.mark.parametrize("words", ["ready", "up"])
@pytest.mark.parametrize("before", ["drain", "down"])
def test_ready_and_up_end_drain_and_down(words: str, before: str) -> None:
    assert said(words).of(said(before).of(REPORT)) == REPORT


def test_no_limit_is_said_with_zero() -> None:
    assert said("maxconn:0").of(said("maxconn:7").of(REPORT)) == REPORT


def test_two_reports_in_order_are_as_one() -> None:
    first, second = said("drain 50%"), said("ready maxconn:3")
    assert first.then(second).of(REPORT) == second.of(first.of(REPORT))
