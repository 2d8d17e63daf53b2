"""What goes on beside the changes, each in a thread of its own, until it is told to stop.

A worker does something again and again at a pace; what it did, and how it failed, is counted.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

_JOIN_SECONDS: Final = 200.0  # a command may take three minutes


@dataclass(frozen=True, slots=True)
class Worker:
    """every_s: from the beginning of a turn to that of the next, at the least."""

    name: str
    every_s: float
    turn: Callable[[], None]
    failures: tuple[type[Exception], ...] = ()  # those that may happen, and are only counted


@dataclass
class Counted:
    """Turns, failures that may happen, and those that may not, by worker and reason."""

    turns: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)


@contextmanager
def working(workers: list[Worker]) -> Iterator[Counted]:
    """All of them work inside the body."""
    counted, over = Counted(), threading.Event()
    threads = [
        threading.Thread(target=_work, args=(each, counted, over), name=each.name, daemon=True)
        for each in workers
    ]
    for thread in threads:
        thread.start()
    try:
        yield counted
    finally:
        over.set()
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        late = [thread.name for thread in threads if thread.is_alive()]
        if late:
            counted.unexpected[f"did not stop: {', '.join(late)}"] += 1


def _work(worker: Worker, counted: Counted, over: threading.Event) -> None:
    while not over.is_set():
        began = time.monotonic()
        try:
            worker.turn()
        except Exception as error:  # a worker goes on; what may not happen is told
            may = isinstance(error, worker.failures)
            where = counted.failures if may else counted.unexpected
            where[f"{worker.name}: {type(error).__name__}: {error}"[:300]] += 1
        else:
            counted.turns[worker.name] += 1
        over.wait(max(0.0, worker.every_s - (time.monotonic() - began)))
