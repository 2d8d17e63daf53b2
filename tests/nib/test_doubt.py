"""The connection is lost while a transaction is under way: was it made? It is found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nib.database import Nib
from nib.draft import Draft
from nib.errors import Conflict, NotFound
from nib.intent import Container, Service
from nib.observed import Demand
from nib.records import Global, Leader
from nib.server import EmbeddedServer
from tests.nib.wire import Wire
from tests.waiting import until

WAIT_S = 60.0
WEB = Service("web", "10.0.0.100", 80)
API = Service("api", "10.0.0.101", 80)
C1 = Container("web", "c1", "10.1.0.1", 80, "0a:00:00:00:00:01", iface_id="pod")

Lose = Callable[[Wire], None]
EITHER = pytest.mark.parametrize("lose", [Wire.lose_requests, Wire.lose_answers])


@pytest.fixture
def wire(server: EmbeddedServer, state_dir: Path) -> Iterator[Wire]:
    with Wire(state_dir / "wire.sock", server.socket) as wire:
        yield wire


@pytest.fixture
def nib(wire: Wire) -> Iterator[Nib]:
    """A client on the wire; `open_nib` makes others, whose connections stay."""
    with Nib(wire.remote, "cut") as nib:
        yield nib


@EITHER
def test_a_put_is_made_once(nib: Nib, wire: Wire, lose: Lose) -> None:
    nib.write(lambda draft: draft.put(API)).result(WAIT_S)
    lose(wire)
    done = nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    assert wire.cuts == 1
    assert done.generation == 2
    assert done.value == replace(WEB, number=2, generation=2)
    with nib.view() as mirror:
        assert mirror.need(Service, "web") == done.value
        counted = mirror.need(Global, ())
        assert (counted.generation, counted.next_number) == (2, 3)


@EITHER
def test_a_delete_is_told_as_done(nib: Nib, wire: Wire, lose: Lose) -> None:
    """Run again after it was made, it would say that there is nothing to delete."""
    nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    lose(wire)
    done = nib.write(lambda draft: draft.delete(Service, "web")).result(WAIT_S)
    assert (wire.cuts, done.value.name, done.generation) == (1, "web", 2)
    with nib.view() as mirror:
        assert mirror.count(Service) == 0
        assert mirror.generation == 2


@EITHER
def test_a_count_is_counted_once(nib: Nib, wire: Wire, lose: Lose) -> None:
    """A change that is another one each time it runs."""

    def count(draft: Draft) -> int:
        known = draft.get(Demand, "web") or Demand("web", 1, 1)
        return draft.put(replace(known, packets=known.packets + 1)).packets

    nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    assert nib.write(count).result(WAIT_S).value == 2
    lose(wire)
    assert nib.write(count).result(WAIT_S).value == 3
    assert wire.cuts == 1
    with nib.view() as mirror:
        assert mirror.need(Demand, "web").packets == 3


@EITHER
def test_a_claim_is_not_refused_by_itself(nib: Nib, wire: Wire, lose: Lose) -> None:
    """A compare-and-set finds its own value."""

    def claim(draft: Draft) -> int:
        if draft.get(Leader, ()) is not None:
            raise Conflict("leader", "another leads", "wait")
        return draft.put(Leader(1, "me")).epoch

    lose(wire)
    assert nib.write(claim).result(WAIT_S).value == 1
    assert wire.cuts == 1
    with pytest.raises(Conflict):
        nib.write(claim).result(WAIT_S)


@EITHER
def test_a_group_is_told_as_it_was_made(nib: Nib, wire: Wire, lose: Lose) -> None:
    """Changes that shared the transaction, one of which undoes another and one of which failed."""
    nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)

    def change(draft: Draft) -> None:
        """The group's first: it takes effect before the others are queued."""

    changes: list[Callable[[Draft], object]] = [
        change,
        lambda draft: draft.put(C1),
        lambda draft: draft.delete(Container, C1.key),
        lambda draft: draft.put(API),
        lambda draft: draft.delete(Service, "none"),
    ]
    before = nib.transactions
    lose(wire)
    futures = [nib.write(each) for each in changes]
    for future in futures[:4]:
        future.result(WAIT_S)
    with pytest.raises(NotFound):
        futures[4].result(WAIT_S)
    assert wire.cuts == 1
    assert nib.transactions > before
    with nib.view() as mirror:
        assert mirror.count(Container) == 0
        assert {service.name for service in mirror.all(Service)} == {"web", "api"}


@EITHER
def test_what_another_changed_meanwhile_is_changed_again(
    nib: Nib, wire: Wire, open_nib: Callable[..., Nib], lose: Lose
) -> None:
    """Whether it had arrived cannot be seen then. Made now it is right: nobody was told before."""
    other = open_nib("other")
    nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    lose(wire)
    with wire.held():
        moving = nib.write(lambda draft: draft.put(replace(WEB, port=81)))
        until(lambda: wire.cuts, bool, "the wire is cut")
        meanwhile = other.write(lambda draft: draft.put(replace(WEB, vip="10.0.0.7")))
        meanwhile.result(WAIT_S)
    done = moving.result(WAIT_S)
    assert (done.value.vip, done.value.port) == (WEB.vip, 81)
    assert done.generation == meanwhile.result().generation + 1
    with nib.view() as mirror:
        assert mirror.need(Service, "web") == done.value


def test_writes_that_wait_for_the_connection_keep_their_order(nib: Nib, wire: Wire) -> None:
    wire.lose_answers()
    first = nib.write(lambda draft: draft.put(WEB))
    rest = [nib.write(lambda draft, n=n: draft.put(replace(WEB, port=n))) for n in range(81, 90)]  # type: ignore[misc]
    generations = [future.result(WAIT_S).generation for future in (first, *rest)]
    assert wire.cuts == 1
    assert generations == sorted(generations)
    with nib.view() as mirror:
        assert mirror.need(Service, "web").port == 89
