"""Objects of a kind that are made again, also after they could not be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from pydantic import BaseModel

from nib.database import Nib
from nib.mirror import Lookups
from prewire.api.watching.holding import Holding
from prewire.api.watching.kinds import Keyed, Kind


class Thing(BaseModel):
    """An object."""

    size: int = 1


class Things:
    """Units of things in place of a database; `broken` is the unit that cannot be made."""

    def __init__(self, **units: list[str]) -> None:
        self.units = units
        self.broken = ""

    @contextmanager
    def view(self) -> Iterator[Any]:
        yield self

    def make(self, unit: str, view: Lookups, now_ms: int) -> Iterator[Keyed]:
        del view, now_ms
        if unit == self.broken:
            raise ValueError(unit)
        return iter([(f"{unit}/{name}", Thing()) for name in self.units.get(unit, ())])


def test_what_goes_while_another_cannot_be_made_is_told_as_gone_later() -> None:
    things = Things(a=["1", "2"], b=["1"], c=["1"])
    holding = Holding(Kind("things", "/v1/things", {}, lambda _: list(things.units), things.make))
    nib = cast(Nib, things)
    holding.accept(holding.renew(nib, [], 0))
    assert set(holding.objects) == {"a/1", "a/2", "b/1", "c/1"}
    things.units, things.broken = {"a": ["2"], "c": ["1"]}, "c"
    holding.begin_anew(0)
    with pytest.raises(ValueError, match="c"):
        holding.renew(nib, [], 0)
    things.broken = ""
    holding.begin_anew(0)
    found = holding.renew(nib, [], 0)
    assert sorted((each.key, each.new) for each in found) == [("a/1", None), ("b/1", None)]
    holding.accept(found)
    assert holding.renew(nib, [], 0) == []
    assert set(holding.objects) == {"a/2", "c/1"}
