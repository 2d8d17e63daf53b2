"""Watching: what callbacks and predicates get to see."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container, Service
from nib.mirror import RowChange
from nib.records import Global
from nib.watch import Batch

WAIT_S = 60.0
WEB = Service("web", "10.0.0.100", 80)
C1 = Container("web", "c1", "10.1.0.1", 80, "0a:00:00:00:00:01", iface_id="pod")


def rows(batch: Batch) -> tuple[RowChange, ...]:
    """The changes of a batch without the Global row's."""
    return tuple(change for change in batch.changes if change.kind is not Global)


@pytest.fixture
def heard() -> queue.Queue[Batch]:
    return queue.Queue()


def test_a_watch_tells_everything_then_each_change(
    nib: Nib, open_nib: Callable[..., Nib], heard: queue.Queue[Batch]
) -> None:
    web = nib.write(lambda draft: draft.put(WEB)).result(WAIT_S).value
    open_nib("other").watch(heard.put)
    first = heard.get(timeout=WAIT_S)
    assert (first.generation, rows(first)) == (1, (RowChange(None, web),))
    (counted,) = [change.new for change in first.changes if isinstance(change.new, Global)]
    assert (counted.generation, counted.next_number) == (1, 2)

    moved = nib.write(lambda draft: draft.put(replace(WEB, port=81))).result(WAIT_S).value
    second = heard.get(timeout=WAIT_S)
    assert (second.generation, rows(second)) == (2, (RowChange(web, moved),))

    nib.write(lambda draft: draft.delete(Service, "web")).result(WAIT_S)
    assert rows(heard.get(timeout=WAIT_S)) == (RowChange(moved, None),)


def test_services_come_before_their_containers_and_go_after(
    nib: Nib, heard: queue.Queue[Batch]
) -> None:
    nib.watch(heard.put)
    heard.get(timeout=WAIT_S)
    nib.write(lambda draft: (draft.put(WEB), draft.put(C1))).result(WAIT_S)
    assert [c.kind for c in rows(heard.get(timeout=WAIT_S))] == [Service, Container]

    def clear(draft: Draft) -> None:
        draft.delete(Container, C1.key)
        draft.delete(Service, WEB.key)

    nib.write(clear).result(WAIT_S)
    assert [c.kind for c in rows(heard.get(timeout=WAIT_S))] == [Container, Service]


def test_a_watch_from_before_the_start_hears_the_whole_load_first(
    nib: Nib, heard: queue.Queue[Batch]
) -> None:
    web = nib.write(lambda draft: draft.put(WEB)).result(WAIT_S).value
    early = Nib(nib.remote, "early")
    early.watch(heard.put)
    with early:
        assert rows(heard.get(timeout=WAIT_S)) == (RowChange(None, web),)


def test_a_committed_write_is_seen_by_its_own_view(nib: Nib) -> None:
    for port in range(1, 30):
        changed = replace(WEB, port=port)
        nib.write(partial(Draft.put, record=changed)).result(WAIT_S)
        with nib.view() as mirror:
            assert mirror.need(Service, "web").port == port


def test_pending_changes_are_never_seen_from_outside(nib: Nib) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow(draft: Draft) -> None:
        draft.put(WEB)
        entered.set()
        assert release.wait(WAIT_S)
        raise RuntimeError

    write = nib.write(slow)
    assert entered.wait(WAIT_S)
    seen: queue.Queue[int] = queue.Queue()

    def look() -> None:
        with nib.view() as mirror:
            seen.put(mirror.count(Service))

    looker = threading.Thread(target=look)
    looker.start()
    release.set()
    assert seen.get(timeout=WAIT_S) == 0
    looker.join(WAIT_S)
    assert isinstance(write.exception(WAIT_S), RuntimeError)


def test_a_failing_callback_does_not_end_the_thread(nib: Nib, heard: queue.Queue[Batch]) -> None:
    def broken(_: Batch) -> None:
        raise RuntimeError("broken watcher")

    nib.watch(broken)
    nib.watch(heard.put)
    heard.get(timeout=WAIT_S)
    nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    assert rows(heard.get(timeout=WAIT_S))
    assert nib.callback_failures == 2


def test_when_resolves_as_soon_as_it_holds(nib: Nib, open_nib: Callable[..., Nib]) -> None:
    nib.when(lambda _: True).result(WAIT_S)
    there = nib.when(lambda mirror: mirror.get(Service, "web") is not None)
    gone = nib.when(lambda mirror: mirror.need(Service, "web").port == 0)
    assert gone.exception(WAIT_S) is not None
    assert not there.done()
    open_nib("other").write(lambda draft: draft.put(WEB)).result(WAIT_S)
    there.result(WAIT_S)


def test_a_cancelled_when_is_forgotten(nib: Nib) -> None:
    waiting = nib.when(lambda _: False)
    nib.when(lambda _: True).result(WAIT_S)
    assert nib.waiting == 1
    assert waiting.cancel()
    nib.when(lambda _: True).result(WAIT_S)
    assert nib.waiting == 0


def test_a_watcher_may_write_and_wait_for_more(nib: Nib) -> None:
    """Callbacks run in the nib thread; writing from there must not wait for itself."""

    def answer(batch: Batch) -> None:
        if any(change.kind is Service for change in batch.changes):
            nib.write(lambda draft: draft.put(C1))

    watch = nib.watch(answer)
    nib.write(lambda draft: draft.put(WEB)).result(WAIT_S)
    nib.when(lambda mirror: mirror.count(Container) == 1).result(WAIT_S)
    watch.close()
