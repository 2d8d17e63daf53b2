"""When a policy's gate is closed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nib.mirror import Mirror, RowChange
from nib.qos import Policy, PolicyConnections
from qos.gates import is_closed, open_connections

HERE, THERE = f"{1:016x}", f"{2:016x}"
LIMITED = Policy("limited", "shop", "web", max_connections=10, number=1)


def holding(*rows: PolicyConnections) -> Mirror:
    view = Mirror()
    for row in rows:
        view.apply(RowChange(None, row))
    return view


@pytest.mark.parametrize(
    ("counts", "closed"),
    [((), False), ((0,), False), ((9,), False), ((10,), True), ((5, 4), False), ((5, 5), True)],
)
def test_closed_at_the_limit_of_all_switches_together(
    counts: tuple[int, ...], closed: bool
) -> None:
    rows = [
        PolicyConnections("limited", dpid, count)
        for dpid, count in zip((HERE, THERE), counts, strict=False)
    ]
    assert is_closed(LIMITED, holding(*rows)) is closed


def test_other_policies_connections_do_not_count() -> None:
    view = holding(PolicyConnections("limited", HERE, 9), PolicyConnections("other", HERE, 9))
    assert open_connections("limited", view) == 9
    assert not is_closed(LIMITED, view)


def test_never_closed_without_a_limit() -> None:
    view = holding(PolicyConnections("limited", HERE, 1000))
    assert not is_closed(replace(LIMITED, max_connections=None), view)
