"""The table of faults survived, and when one was not."""

from __future__ import annotations

from typing import Any

from tests.chaos.table import BOUND_S, Survived, Verdict


def survived(fault: str = "link cut", recovery_s: float | None = 0.5, **more: Any) -> Survived:
    return Survived(fault, 12.0, recovery_s, opened=10, held=24, **more)


def test_a_fault_survived_violates_nothing() -> None:
    assert survived().violations == []
    assert survived(recovery_s=BOUND_S, refused=3, failed=2, died=6).violations == []
    assert "all kept" in survived().as_line()


def test_each_violation_is_told() -> None:
    for fault, sentence in (
        (survived(recovery_s=BOUND_S + 0.1), "programming took 5.1 s to recover"),
        (survived(recovery_s=None), "no write reached all switches"),
        (survived(lost=2), "2 of 24 held connections were lost"),
        (survived(writes_lost=1), "1 acknowledged writes were lost"),
        (survived(wrong=("api ended with 1",)), "api ended with 1"),
    ):
        assert fault.violations == [f"at 12 s, link cut: {sentence}"]
        assert fault.as_line().endswith("VIOLATED")


def test_the_table_has_a_row_for_each_kind_and_one_for_all() -> None:
    verdict = Verdict(7, [survived(), survived(recovery_s=1.5, refused=4), survived("a kill")])
    rows = {row[0]: row[1:] for row in verdict.rows()}
    assert list(rows) == ["a kill", "link cut"]
    assert rows["link cut"] == ("2", "1.00", "1.50", "20", "4", "0", "48", "0", "0", "0")
    text = verdict.as_text()
    assert "\nall " in text
    assert text.endswith("seed 7: 3 of 3 faults survived")
    assert verdict.violations == []


def test_what_never_recovered_stands_out() -> None:
    [row] = Verdict(7, [survived(), survived(recovery_s=None)]).rows()
    assert row[2:4] == ("0.50", "never")
    [row] = Verdict(7, [survived(recovery_s=None)]).rows()
    assert row[2:4] == ("-", "never")


def test_what_is_found_at_the_end_counts() -> None:
    verdict = Verdict(7, [survived()], ["leaf1: 2 missing, 0 alien rules"])
    assert verdict.violations == ["at the end, leaf1: 2 missing, 0 alien rules"]
    assert "VIOLATED: at the end, leaf1" in verdict.as_text()
    written = verdict.as_json()
    assert written["violations"] == verdict.violations
    assert written["faults"][0]["recovery_s"] == 0.5
