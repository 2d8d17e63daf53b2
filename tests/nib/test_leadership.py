"""The leader's lock and row, on a real ovsdb-server."""

from __future__ import annotations

import queue
from typing import Final

import pytest

from nib.database import Nib
from nib.errors import Conflict
from nib.leadership import Standing, beat, claim
from nib.records import Leader, Service, Switch
from nib.server import EmbeddedServer

WAIT_S: Final = 20.0
THERE: Final = Standing(connected=True)
LOCKED: Final = Standing(connected=True, locked=True)


class Contender:
    """A connection that contends, and what it was told."""

    def __init__(self, server: EmbeddedServer, name: str) -> None:
        self.nib = Nib(server.remote, name)
        self.nib.start()
        self._told: queue.Queue[Standing] = queue.Queue()
        self.nib.contend(self._told.put)

    def await_standing(self, wanted: Standing) -> None:
        while self._told.get(timeout=WAIT_S) != wanted:
            pass


def test_the_lock_passes_on_when_its_holder_ends(server: EmbeddedServer) -> None:
    first, second = Contender(server, "first"), Contender(server, "second")
    try:
        first.await_standing(LOCKED)
        second.await_standing(THERE)
        first.nib.close()
        second.await_standing(LOCKED)
    finally:
        first.nib.close()
        second.nib.close()


def test_who_gives_way_waits_again(server: EmbeddedServer) -> None:
    first, second = Contender(server, "first"), Contender(server, "second")
    try:
        first.await_standing(LOCKED)
        first.nib.give_way()
        second.await_standing(LOCKED)
        first.await_standing(THERE)
        second.nib.close()
        first.await_standing(LOCKED)
    finally:
        first.nib.close()
        second.nib.close()


def test_who_waits_for_the_lock_writes_all_the_same(server: EmbeddedServer) -> None:
    first, second = Contender(server, "first"), Contender(server, "second")
    try:
        first.await_standing(LOCKED)
        second.await_standing(THERE)
        web = Service("web", "10.0.0.100", 80)
        assert second.nib.write(lambda draft: draft.put(web)).result(WAIT_S).generation == 1
        assert second.nib.write(lambda draft: draft.put(Leader(1, "x"))).result(WAIT_S)
    finally:
        first.nib.close()
        second.nib.close()


def test_a_connection_that_is_made_anew_asks_for_the_lock_again(server: EmbeddedServer) -> None:
    only = Contender(server, "only")
    try:
        only.await_standing(LOCKED)
        server.stop()
        only.await_standing(Standing())
        server.start()
        only.await_standing(LOCKED)
    finally:
        only.nib.close()


def test_a_claim_holds_only_upon_the_row_it_saw(server: EmbeddedServer) -> None:
    with Nib(server.remote, "one") as one, Nib(server.remote, "two") as two:
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
