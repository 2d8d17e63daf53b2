"""Watchers and waiters: one that fails or leaves does not touch the others."""

from __future__ import annotations

import logging
from concurrent.futures import Future

import pytest

from nib.errors import NibUnavailable
from nib.intent import Service
from nib.mirror import Mirror, RowChange
from nib.watch import Audience, Batch, Watch, snapshot

WEB = Service("web", "10.0.0.100", 80)


def test_a_failing_callback_is_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    audience, heard = Audience(), list[Batch]()

    def broken(_: Batch) -> None:
        raise RuntimeError("broken watcher")

    audience.add_watch(Watch(broken), None)
    audience.add_watch(Watch(heard.append), None)
    batch = Batch(1, (RowChange(None, WEB),))
    with caplog.at_level(logging.ERROR):
        audience.publish(batch, Mirror())
    assert heard == [batch]
    assert audience.failures == 1
    assert "broken watcher" in caplog.text


def test_a_closed_watch_hears_no_more() -> None:
    audience, heard = Audience(), list[Batch]()
    watch = Watch(heard.append)
    audience.add_watch(watch, Batch(0, ()))
    watch.close()
    audience.publish(Batch(1, ()), Mirror())
    assert heard == [Batch(0, ())]


def test_snapshot_puts_services_first() -> None:
    mirror = Mirror()
    mirror.apply(RowChange(None, WEB))
    assert snapshot(mirror) == Batch(0, (RowChange(None, WEB),))


def test_waiters() -> None:
    audience, mirror = Audience(), Mirror()
    later: Future[None] = Future()
    cancelled: Future[None] = Future()
    broken: Future[None] = Future()
    audience.add_waiter(lambda m: m.count(Service) == 1, later, mirror)
    audience.add_waiter(lambda _: False, cancelled, mirror)
    audience.add_waiter(lambda m: m.need(Service, "x").port == 1, broken, mirror)
    assert broken.exception(0) is not None
    cancelled.cancel()
    assert audience.waiting == 2
    audience.forget_cancelled()
    assert audience.waiting == 1
    mirror.apply(RowChange(None, WEB))
    audience.check(mirror)
    assert later.done()
    assert audience.waiting == 0


def test_dismissed_waiters_fail() -> None:
    audience, waiting = Audience(), Future[None]()
    audience.add_waiter(lambda _: False, waiting, Mirror())
    audience.dismiss(NibUnavailable("unix:x", "closed"))
    with pytest.raises(NibUnavailable, match="closed"):
        waiting.result(0)
