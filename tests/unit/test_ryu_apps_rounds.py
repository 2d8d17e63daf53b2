"""Rounds of questions to switches."""

from __future__ import annotations

from ryu_apps.rounds import Rounds


def begun(**owed: dict[int, str]) -> Rounds:
    rounds = Rounds(patience=5)
    for asker, questions in owed.items():
        rounds.begin(asker, questions, 100)
    return rounds


def test_a_round_is_over_with_its_last_answer() -> None:
    rounds = begun(web={1: "s1", 2: "s2"}, api={3: "s1"})
    assert rounds.asker(1) == "web"
    assert not rounds.answered(1)
    assert rounds.is_open("web")
    assert rounds.answered(2)
    assert not rounds.is_open("web")
    assert rounds.is_open("api")
    assert rounds.asker(1) is None


def test_a_switch_that_goes_ends_the_rounds_that_waited_for_it_alone() -> None:
    rounds = begun(web={1: "s1", 2: "s2"}, api={3: "s1"}, dns={4: "s2"})
    assert rounds.left("s1") == ["api"]
    assert rounds.is_open("web")
    assert rounds.left("s2") == ["web", "dns"]
    assert rounds.left("s2") == []
    assert rounds.asker(2) is None


def test_a_switch_that_takes_too_long_is_waited_for_no_more() -> None:
    rounds = begun(web={1: "s1", 2: "s2", 3: "s2"})
    assert not rounds.answered(1)
    assert not rounds.late("web", 105)
    assert rounds.is_open("web")
    assert rounds.late("web", 105.1) == {"s2"}
    assert not rounds.is_open("web")
    assert rounds.asker(2) is None
    assert not rounds.late("web", 105.1)


def test_a_new_round_awaits_no_old_answers() -> None:
    rounds = begun(web={1: "s1"})
    rounds.begin("web", {2: "s1"}, 101)
    assert rounds.asker(1) is None
    assert rounds.asker(2) == "web"


def test_without_switches_there_is_no_round() -> None:
    rounds = begun(web={})
    assert not rounds.is_open("web")
    rounds.end("web")
