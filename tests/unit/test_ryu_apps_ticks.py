"""Work that is done once for all that becomes due within an interval."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from ryu_apps.mailbox import Mailbox
from ryu_apps.ticks import Ticks, now_ms

WAIT_S = 10


class Worker:
    """Ticks on a mailbox of their own. struck: when the work was done."""

    def __init__(self, mailbox: Mailbox, interval_ms: int) -> None:
        self.struck: list[int] = []
        self._mailbox = mailbox
        self._told = threading.Condition()
        self.ticks = Ticks(mailbox, self._work, interval_ms)

    def do(self, work: Callable[[], object]) -> None:
        """Run something in the mailbox's thread, to its end."""
        done = threading.Event()
        self._mailbox.post(work)
        self._mailbox.post(done.set)
        assert done.wait(WAIT_S)

    def await_strikes(self, count: int) -> None:
        with self._told:
            assert self._told.wait_for(lambda: len(self.struck) >= count, WAIT_S)

    def _work(self) -> None:
        with self._told:
            self.struck.append(now_ms())
            self._told.notify_all()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox("test")
    box.start()
    yield box
    box.close()
    assert box.failures == 0


def test_requests_within_an_interval_share_a_tick(mailbox: Mailbox) -> None:
    worker = Worker(mailbox, 100)
    asked_ms = now_ms()

    def ask_often() -> None:
        for _ in range(1000):
            worker.ticks.ask(now_ms())

    worker.do(ask_often)
    worker.await_strikes(1)
    assert worker.struck[0] >= asked_ms + 100
    worker.do(ask_often)
    worker.await_strikes(2)
    assert len(worker.struck) == 2
    assert worker.struck[1] >= worker.struck[0] + 100


def test_an_earlier_request_is_not_kept_waiting_by_a_later_one(mailbox: Mailbox) -> None:
    worker = Worker(mailbox, 10)
    struck: list[int] = []
    is_noted = threading.Event()

    def note() -> None:
        struck.append(len(worker.struck))
        is_noted.set()

    def ask() -> None:
        worker.ticks.ask(now_ms() + 900)
        worker.ticks.ask(now_ms())
        mailbox.after(0.5, note)

    worker.do(ask)
    assert is_noted.wait(WAIT_S)
    assert struck == [1]


def test_time_to_come_is_waited_for_but_looked_at_every_second(mailbox: Mailbox) -> None:
    """So a clock that is set anew puts nothing off for long."""
    worker = Worker(mailbox, 10)
    asked_ms = now_ms()
    worker.do(lambda: worker.ticks.ask(asked_ms + 300))
    worker.await_strikes(1)
    assert worker.struck[0] >= asked_ms + 300
    asked_ms = now_ms()
    worker.do(lambda: worker.ticks.ask(asked_ms + 3_600_000))
    worker.await_strikes(2)
    assert worker.struck[1] >= asked_ms + 1000


def test_what_is_never_due_asks_for_nothing(mailbox: Mailbox) -> None:
    worker = Worker(mailbox, 10)
    asked_ms = now_ms()
    worker.do(lambda: worker.ticks.ask(None))
    worker.do(lambda: worker.ticks.ask(asked_ms + 300))
    worker.await_strikes(1)
    assert worker.struck[0] >= asked_ms + 300
