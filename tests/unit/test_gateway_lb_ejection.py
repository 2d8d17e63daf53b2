"""Who is ejected, for how long, and when it is forgiven; one window at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway_lb.ejection import MAX_TIMES, Counts, Judgement, Watch, judge, max_ejected
from nib.observed import Ejected
from nib.policy import Ejection

POLICY = Ejection(
    failure_percent=50, min_connections=5, window_ms=1000, eject_ms=10_000, max_ejected_percent=50
)
BEGIN = 1_000_000


class Windows:
    """A service of four containers, judged once a window."""

    def __init__(self, policy: Ejection = POLICY, members: int = 4) -> None:
        self.policy = policy
        self.members = members
        self.now_ms = BEGIN
        self.totals = {f"c{number}": [0, 0, 0] for number in range(1, members + 1)}
        self.watched: dict[str, Watch] = {}
        self.held: dict[str, Ejected] = {}
        self.passes()

    def passes(self, **seen: tuple[int, int, int]) -> Judgement:
        """A window in which so many SYNs, answers and resets were seen, by container."""
        self.now_ms += self.policy.window_ms
        for name, more in seen.items():
            self.totals[name] = [a + b for a, b in zip(self.totals[name], more, strict=True)]
        judgement = judge(
            self.policy,
            self.watched,
            {name: Counts(*total) for name, total in self.totals.items()},
            self.held,
            service="web",
            members=self.members,
            now_ms=self.now_ms,
        )
        self.watched = dict(judgement.watched)
        self.held |= {row.container: row for row in judgement.ejected}
        for name in judgement.forgiven:
            del self.held[name]
        return judgement

    def out(self) -> list[str]:
        return sorted(name for name, row in self.held.items() if row.until_ms > self.now_ms)

    def wait(self, ms: int) -> None:
        self.now_ms += ms


def test_refused_connections_eject_at_the_end_of_their_window() -> None:
    windows = Windows()
    judgement = windows.passes(c1=(10, 0, 10), c2=(10, 10, 0))
    row = Ejected("web", "c1", windows.now_ms + 10_000, 1, "10 of 10 connections failed")
    assert judgement.ejected == (row,)


def test_a_reset_that_answers_a_syn_is_one_failure() -> None:
    """4 of 10 fail, which is below 50 %; counted twice they would be 8."""
    windows = Windows()
    assert windows.passes(c1=(10, 6, 4)).ejected == ()
    assert windows.passes(c1=(10, 6, 4)).ejected == ()
    assert windows.passes().ejected == ()


def test_unanswered_syns_have_a_window_to_be_answered() -> None:
    windows = Windows()
    assert windows.passes(c1=(10, 0, 0)).ejected == ()
    assert windows.passes(c1=(0, 10, 0)).ejected == ()
    assert windows.passes().ejected == ()


def test_unanswered_syns_eject_at_the_end_of_the_next_window() -> None:
    windows = Windows()
    windows.passes(c1=(10, 0, 0))
    assert [row.container for row in windows.passes().ejected] == ["c1"]


def test_resets_of_established_connections_are_failures() -> None:
    windows = Windows()
    windows.passes(c1=(10, 10, 5))
    assert windows.out() == ["c1"]


def test_many_resets_are_no_more_than_every_connection() -> None:
    assert Windows().passes(c1=(5, 0, 500)).ejected[0].reason == "5 of 5 connections failed"


@pytest.mark.parametrize(("new", "resets", "out"), [(4, 4, []), (5, 5, ["c1"]), (5, 2, [])])
def test_few_connections_and_few_failures_do_not_eject(
    new: int, resets: int, out: list[str]
) -> None:
    windows = Windows()
    windows.passes(c1=(new, new - resets, resets))
    assert windows.out() == out


def test_a_part_that_is_never_answered_shows_after_some_windows() -> None:
    windows = Windows(replace(POLICY, failure_percent=25))
    passed = 0
    while not windows.out():
        windows.passes(c1=(100, 75, 0))
        passed += 1
    assert passed == 5


def test_answers_read_before_their_syns_are_no_failures_later() -> None:
    windows = Windows()
    windows.passes(c1=(0, 10, 0))
    windows.passes(c1=(10, 0, 0))
    assert windows.passes().ejected == ()


def test_answers_of_long_ago_make_up_for_nothing() -> None:
    windows = Windows()
    windows.passes(c1=(0, 10, 0))
    windows.passes()
    windows.passes(c1=(10, 0, 0))
    assert [row.container for row in windows.passes().ejected] == ["c1"]


def test_a_first_reading_and_counters_that_went_down_begin_anew() -> None:
    first = judge(POLICY, {}, {"c1": Counts(99, 0, 99)}, {}, service="web", members=4, now_ms=BEGIN)
    assert first == Judgement({"c1": Watch(Counts(99, 0, 99))})
    down = judge(
        POLICY,
        {"c1": Watch(Counts(99, 99, 0), begun=50, waiting=50)},
        {"c1": Counts(60, 0, 60)},
        {},
        service="web",
        members=4,
        now_ms=BEGIN,
    )
    assert down == Judgement({"c1": Watch(Counts(60, 0, 60))})


@pytest.mark.parametrize(
    ("members", "percent", "most"),
    [(0, 50, 0), (1, 50, 0), (1, 99, 0), (1, 100, 1), (2, 50, 1), (2, 10, 1), (3, 50, 1),
     (4, 50, 2), (10, 35, 3), (256, 1, 2)],
)  # fmt: skip
def test_the_ceiling(members: int, percent: int, most: int) -> None:
    assert max_ejected(replace(POLICY, max_ejected_percent=percent), members) == most


def test_the_worst_are_ejected_up_to_the_ceiling() -> None:
    windows = Windows()
    windows.passes(c1=(10, 5, 5), c2=(10, 3, 7), c3=(100, 40, 60), c4=(10, 4, 6))
    assert windows.out() == ["c2", "c3"]
    windows.passes(c1=(10, 0, 10))
    assert windows.out() == ["c2", "c3"]


def test_an_ejected_container_is_not_judged_and_comes_back() -> None:
    windows = Windows()
    windows.passes(c1=(10, 0, 10))
    until_ms = windows.held["c1"].until_ms
    windows.passes(c1=(0, 0, 50))
    assert windows.held["c1"].until_ms == until_ms
    windows.wait(until_ms - windows.now_ms)
    assert windows.out() == []


def test_what_failed_before_an_ejection_does_not_count_after_it() -> None:
    windows = Windows()
    windows.passes(c1=(20, 0, 10))
    assert windows.out() == ["c1"]
    windows.wait(10_000)
    windows.passes()
    assert windows.out() == []


def fails_again(windows: Windows) -> int:
    """How long the next ejection of c1 lasts, in milliseconds."""
    windows.wait(windows.held["c1"].until_ms - windows.now_ms if "c1" in windows.held else 0)
    windows.passes()
    windows.passes(c1=(10, 0, 10))
    return windows.held["c1"].until_ms - windows.now_ms


def test_ejections_in_a_row_last_longer_up_to_ten_times() -> None:
    windows = Windows()
    lasted = [fails_again(windows) for _ in range(MAX_TIMES + 2)]
    assert lasted == [10_000 * times for times in (*range(1, MAX_TIMES + 1), 10, 10)]


def test_a_good_window_takes_one_ejection_back() -> None:
    windows = Windows()
    for _ in range(3):
        fails_again(windows)
    windows.wait(30_000)
    windows.passes(c1=(10, 10, 0))
    assert windows.held["c1"].times == 3, "back, and first seen"
    windows.passes(c1=(10, 10, 0))
    assert windows.held["c1"].times == 2
    assert windows.passes(c1=(10, 10, 0)).forgiven == ()
    assert windows.passes(c1=(10, 10, 0)).forgiven == ("c1",)
    assert windows.held == {}


def test_windows_without_proof_take_nothing_back() -> None:
    windows = Windows()
    fails_again(windows)
    windows.wait(10_000)
    for _ in range(5):
        windows.passes(c1=(4, 4, 0))
    assert windows.held["c1"].times == 1
    windows.passes(c1=(10, 5, 0))
    windows.passes(c1=(10, 5, 0))
    assert windows.held["c1"].times == 1, "half of them may still fail"


def test_time_forgives_what_nobody_tries() -> None:
    windows = Windows()
    fails_again(windows)
    windows.wait(10_000 + MAX_TIMES * 10_000 - 1001)
    assert windows.passes().forgiven == ()
    windows.wait(1)
    assert windows.passes().forgiven == ("c1",)


def test_a_container_that_fails_after_long_is_ejected_for_the_first_time() -> None:
    windows = Windows()
    for _ in range(3):
        fails_again(windows)
    windows.wait(30_000 + MAX_TIMES * 10_000)
    windows.passes()
    assert fails_again(windows) == 10_000
    assert windows.held["c1"].times == 1
