"""The model of acknowledged writes that `make chaos` compares the database with."""

from __future__ import annotations

import pytest

from tests.chaos.ledger import Ledger

KEY = ("web", "c1")
OTHER = ("web", "c2")


def written(ledger: Ledger, *values: tuple[object, ...] | None) -> None:
    for value in values:
        ledger.begin(KEY, value)
        ledger.acknowledge(KEY)


def test_what_was_acknowledged_must_be_there() -> None:
    ledger = Ledger()
    written(ledger, (1,), (2,))
    expected = ledger.expected()
    assert ledger.lost(expected, {KEY: (2,)}) == []
    [older] = ledger.lost(expected, {KEY: (1,)})
    assert (older.found, older.allowed) == ((1,), ((2,),))
    [absent] = ledger.lost(expected, {})
    assert str(absent) == "web/c1 is None, should be (2,)"
    assert ledger.acknowledged == 2


def test_what_was_deleted_must_be_gone() -> None:
    ledger = Ledger()
    written(ledger, (1,), None)
    assert ledger.lost(ledger.expected(), {}) == []
    assert len(ledger.lost(ledger.expected(), {KEY: (1,)})) == 1


def test_a_refused_write_must_not_be_there() -> None:
    ledger = Ledger()
    written(ledger, (1,))
    ledger.begin(KEY, (2,))
    ledger.refuse(KEY)
    assert ledger.value(KEY) == (1,)
    assert len(ledger.lost(ledger.expected(), {KEY: (2,)})) == 1
    assert ledger.refused == 1


def test_a_write_in_doubt_may_have_been_made_and_is_written_no_more() -> None:
    ledger = Ledger()
    written(ledger, (1,))
    ledger.begin(KEY, (2,))
    ledger.doubt(KEY)
    for value in (1, 2):
        assert ledger.lost(ledger.expected(), {KEY: (value,)}) == []
    assert len(ledger.lost(ledger.expected(), {})) == 1
    assert not ledger.is_sure(KEY)
    with pytest.raises(ValueError, match="in doubt"):
        ledger.begin(KEY, (3,))


def test_what_is_written_meanwhile_does_not_count() -> None:
    ledger = Ledger()
    written(ledger, (1,))
    before = ledger.expected()
    ledger.begin(KEY, (2,))
    assert ledger.lost(before, {KEY: (2,)}) == [], "it is being written"
    assert KEY not in ledger.expected().entries
    ledger.acknowledge(KEY)
    assert ledger.lost(before, {}) == [], "it was written since"
    assert len(ledger.lost(ledger.expected(), {})) == 1


def test_keys_do_not_touch_each_other() -> None:
    ledger = Ledger()
    written(ledger, (1,))
    ledger.begin(OTHER, (7,))
    ledger.doubt(OTHER)
    assert ledger.is_sure(KEY)
    assert ledger.value(KEY) == (1,)
    assert ledger.lost(ledger.expected(), {KEY: (1,)}) == []
