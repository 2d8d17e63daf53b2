"""Which databases may program a switch, by the marker among its flows."""

from __future__ import annotations

import pytest

from nib.mirror import RowChange
from nib.records import Global
from openflow.cookies import Cookie, Kind
from openflow.values import Flow, match
from ryu_apps.guards import holds_ours, is_replacement, objection, programmed_from

OURS = Global(database="0000000a")
PLAIN = Flow(0, 1, match(), (), cookie=Cookie(Kind.BASE, 0, 3).value)
ALIEN = Flow(0, 2, match(), (), cookie=0x1234_0000_000B)
SERVICE = Flow(0, 3, match(), (), cookie=Cookie(Kind.SERVICE, 11, 3).value)


def marker(database: int) -> Flow:
    return Flow(0, 0, match(), (), cookie=Cookie(Kind.BASE, database, 3).value)


def test_only_the_marker_says_where_a_switch_was_programmed_from() -> None:
    assert programmed_from([PLAIN, ALIEN, SERVICE]) == frozenset()
    assert programmed_from([PLAIN, ALIEN, SERVICE, marker(11)]) == {11}


@pytest.mark.parametrize(
    "flows", [[], [PLAIN, ALIEN], [marker(10)]], ids=["empty", "no marker", "ours"]
)
def test_no_objection(flows: list[Flow]) -> None:
    assert objection(flows, OURS) == ""


def test_the_objection_names_both_and_the_remedy_until_it_is_adopted() -> None:
    said = objection([marker(11)], OURS)
    assert said == (
        "programmed from database 0000000b; this is database 0000000a: "
        "`prewire adopt 0000000b` lets it take over"
    )
    adopted = Global(database="0000000a", predecessors=frozenset({"0000000b"}))
    assert objection([marker(11)], adopted) == ""


def test_a_database_that_has_no_number_yet_objects_to_nothing() -> None:
    assert objection([marker(11)], Global()) == ""


@pytest.mark.parametrize(
    ("old", "new", "replaced"),
    [
        (None, OURS, False),
        (OURS, Global(generation=2, database="0000000a"), False),
        (Global(), OURS, False),
        (OURS, Global(database="0000000b"), True),
        (OURS, None, True),
    ],
)
def test_a_database_that_is_another_one_now(
    old: Global | None, new: Global | None, replaced: bool
) -> None:
    assert is_replacement(RowChange(old, new)) is replaced


def test_rules_of_ours() -> None:
    assert not holds_ours([ALIEN])
    assert holds_ours([ALIEN, PLAIN])
