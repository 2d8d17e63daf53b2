"""The leader's lock and row, on a real ovsdb-server."""

from __future__ import annotations

import queue
from typing import Final

import pytest

from nib.database import Nib
from nib.errors import Conflict
from nib.intent import Service
from nib.leadership import Standing, beat, claim
from nib.records import Leader
from nib.server import EmbeddedServer
from nib.topology import Switch
from tests.nib.conftest import OpenNib

WAIT_S: Final = 60.0
THERE: Final = Standing(connected=True)
LOCKED: Final = Standing(connected=True, locked=True)
WEB: Final = Service("web", "10.0.0.100", 80)


class Contender:
    """A connection that contends, and what it was told."""

    def __init__(self, nib: Nib) -> None:
        self.nib = nib
        self._told: queue.Queue[Standing] = queue.Queue()
        self.nib.contend(self._told.put)

    def await_standing(self, wanted: Standing) -> None:
        while self._told.get(timeout=WAIT_S) != wanted:
            pass


def holder_and_waiter(open_nib: OpenNib) -> tuple[Contender, Contender]:
    """One that has the lock, and one whose request for it the server has."""
    holder = Contender(open_nib("holder"))
    holder.await_standing(LOCKED)
    waiter = Contender(open_nib("waiter"))
    waiter.await_standing(THERE)
    waiter.nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)  # it is sent after the request
    return holder, waiter


def test_the_lock_passes_on_when_its_holder_ends(open_nib: OpenNib) -> None:
    first, second = holder_and_waiter(open_nib)
    first.nib.close()
    second.await_standing(LOCKED)


def test_who_gives_way_waits_again(open_nib: OpenNib) -> None:
    first, second = holder_and_waiter(open_nib)
    first.nib.give_way()
    second.await_standing(LOCKED)
    first.await_standing(THERE)
    second.nib.close()
    first.await_standing(LOCKED)


def test_who_waits_for_the_lock_writes_all_the_same(open_nib: OpenNib) -> None:
    _, second = holder_and_waiter(open_nib)
    api = Service("api", "10.0.0.101", 80)
    assert second.nib.write(lambda draft: draft.put(api)).result(WAIT_S).generation == 2
    assert second.nib.write(lambda draft: draft.put(Leader(1, "x"))).result(WAIT_S)


def test_a_connection_that_is_made_anew_asks_for_the_lock_again(
    server: EmbeddedServer, open_nib: OpenNib
) -> None:
    only = Contender(open_nib("only"))
    only.await_standing(LOCKED)
    server.stop()
    only.await_standing(Standing())
    server.start()
    only.await_standing(LOCKED)


def test_a_claim_holds_only_upon_the_row_it_saw(open_nib: OpenNib) -> None:
    one, two = open_nib("one"), open_nib("two")
    one.write(lambda draft: draft.put(Switch("0" * 15 + "1", 1, applied=7))).result(WAIT_S)
    assert one.write(claim("one", None, 1)).result(WAIT_S).value == 1
    with pytest.raises(Conflict):
        two.write(claim("two", None, 1)).result(WAIT_S)
    assert two.write(claim("two", 1, 2)).result(WAIT_S).value == 2
    assert one.write(beat("one", 1)).result(WAIT_S).value is None
    assert two.write(beat("two", 2)).result(WAIT_S)
    with two.view() as view:
        assert view.need(Leader, ()) == Leader(2, "two", 1)
        assert view.need(Switch, "0" * 15 + "1").applied == 0, "it is to be found out"
