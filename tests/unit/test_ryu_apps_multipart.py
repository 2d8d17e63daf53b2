"""Answers in several parts are read whole, or not at all."""

from __future__ import annotations

from types import SimpleNamespace

from ryu_apps import reports
from ryu_apps.multipart import Multipart


def part(xid: int, *entries: int, more: bool = False) -> SimpleNamespace:
    return SimpleNamespace(xid=xid, body=list(entries), flags=reports.MORE if more else 0)


def test_parts_are_put_together_and_read_once() -> None:
    answers = Multipart()
    whole: list[list[int]] = []
    answers.expect(1, 2)
    answers.part(part(1, 10, 11, more=True), whole.append)
    answers.part(part(2, 20), whole.append)
    assert whole == [[20]]
    answers.part(part(1, 12), whole.append)
    answers.part(part(1, 13), whole.append)
    assert whole == [[20], [10, 11, 12]]


def test_what_is_not_expected_is_dropped() -> None:
    answers = Multipart()
    whole: list[list[int]] = []
    answers.part(part(1, 10), whole.append)
    answers.expect(1)
    answers.part(part(1, 10, more=True), whole.append)
    answers.clear()
    answers.part(part(1, 11), whole.append)
    assert whole == []
