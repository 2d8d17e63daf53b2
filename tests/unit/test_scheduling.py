"""How tests are divided among workers: what is named is there, and whole worlds stay together."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.scheduling import LONGEST, turn_of, unit_of

ROOT: Final = Path(__file__).parents[2]


@pytest.mark.parametrize("unit", LONGEST)
def test_what_begins_first_is_there(unit: str) -> None:
    assert (ROOT / unit.partition(" ")[0]).exists()


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/switch/test_tls.py::test_up", "tests/switch/test_tls.py"),
        ("tests/acceptance/test_reach.py::test_a[shared-os-ken]", "tests/acceptance os-ken"),
        ("tests/acceptance/test_caps.py::test_b[ryu]", "tests/acceptance ryu"),
        ("tests/fabric/test_reach.py::test_c", "tests/fabric"),
        ("tests/guides/test_typed.py::test_d[tour]", "tests/guides/test_typed.py::test_d[tour]"),
    ],
)
def test_what_shares_a_world_is_one_unit(nodeid: str, unit: str) -> None:
    assert unit_of(nodeid) == unit


def test_what_takes_longest_begins_first() -> None:
    units = ["tests/switch/test_wire.py", *reversed(LONGEST)]
    assert sorted(units, key=turn_of) == [*LONGEST, "tests/switch/test_wire.py"]
