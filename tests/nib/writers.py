"""Threads that write one service after the other, and remember what became of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from itertools import count, pairwise
from typing import Final

from nib.database import Nib
from nib.draft import Draft
from nib.errors import NibError
from nib.intent import Service
from tests.waiting import until

_ANSWER_S: Final = 60.0


class Writers:
    """Write while the block lasts. `acknowledged` has the names whose write succeeded."""

    def __init__(self, nibs: Sequence[Nib], threads: int) -> None:
        self.acknowledged: set[str] = set()
        self.failures: list[NibError] = []
        self._times: list[float] = []
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._write, args=(nibs[number % len(nibs)], number))
            for number in range(threads)
        ]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Return when so many more writes were acknowledged."""
        before = len(self._times)
        until(lambda: len(self._times) - before, lambda done: done >= more, f"{more} more writes")

    def longest_gap(self, since: float) -> float:
        """The longest time in which no write was acknowledged after `since`, in seconds."""
        times = [since, *(each for each in self._times if each > since)]
        return max(after - before for before, after in pairwise(times))

    def _write(self, nib: Nib, thread: int) -> None:
        for number in count():
            if self._ending.is_set():
                return
            vip = f"10.{thread}.{number // 250}.{number % 250 + 1}"
            service = Service(f"w{thread}-{number}", vip, 80)
            try:
                nib.write(partial(_put, service)).result(_ANSWER_S)
            except NibError as error:
                with self._lock:
                    self.failures.append(error)
                continue
            with self._lock:
                self.acknowledged.add(service.name)
                self._times.append(time.monotonic())


def _put(service: Service, draft: Draft) -> Service:
    return draft.put(service)
