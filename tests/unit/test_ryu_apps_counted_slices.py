"""Slices of the flows that count something: each flow is in one of them, and they are small."""

from __future__ import annotations

from collections import Counter

import pytest

from openflow.cookies import Cookie, Kind
from ryu_apps.counted_slices import COUNTED, Slice, counted_slices

COOKIES = [Cookie(kind, number, epoch=3).value for kind in COUNTED for number in range(1, 4000)]


def slices_of(flows: int) -> list[Slice]:
    return counted_slices(dict.fromkeys(COUNTED, flows))


@pytest.mark.parametrize("flows", [0, 1, 2048, 2049, 100_000])
def test_every_counted_flow_is_in_one_slice(flows: int) -> None:
    found = Counter(
        cookie
        for each in slices_of(flows)
        for cookie in COOKIES
        if cookie & each.mask == each.cookie
    )
    assert found == Counter(COOKIES)


def test_slices_are_as_many_as_keep_them_small() -> None:
    per_kind = [len(slices_of(flows)) // 2 for flows in (0, 2048, 2049, 60_000)]
    assert per_kind == [1, 1, 2, 32]


def test_other_flows_are_in_none() -> None:
    others = [Cookie(kind, 1).value for kind in Kind if kind not in COUNTED]
    for each in slices_of(3000):
        assert not [cookie for cookie in (*others, 0, 1) if cookie & each.mask == each.cookie]
