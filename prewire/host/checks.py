"""Checks from one switch's health port: when each is due, and what they do to the database.

One task a target: check, draw the verdict, see that the database says so, sleep. A container's
checks therefore never overlap. Rows are written only where they would say something new.

Must not know: how a check is made, what the namespace is.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from gateway_lb import health, probes
from gateway_lb.health import Target, Verdict
from nib.database import Nib
from nib.draft import Draft
from nib.observed import Health

LOG = logging.getLogger(__name__)

Key = tuple[str, str]

# An interval is shorter by up to this share, so that checks do not march in step.
_JITTER: Final = 0.1
_RETRY_S: Final = 1.0  # a row that could not be written


class Checks:
    """Everything that is checked from one namespace; used in its loop only.

    The verdicts that an agent before this one left are the ones to begin with.
    """

    def __init__(self, nib: Nib, chance: random.Random) -> None:
        self._nib = nib
        self._chance = chance
        self._tasks: dict[Key, tuple[Target, asyncio.Task[None]]] = {}
        self._met: set[Key] = set()
        self._writes: dict[Key, Future[Any]] = {}

    def set(self, wanted: Mapping[Key, Target]) -> None:
        """Check exactly these. What is checked differently from now on is not known any more,
        unless it has moved to another switch and is checked there."""
        for key, (target, task) in list(self._tasks.items()):
            if wanted.get(key) != target:
                task.cancel()
                del self._tasks[key]
                self._write(key, _forgotten(target))
                if key not in wanted:
                    del self._writes[key]
        for key, target in wanted.items():
            if key not in self._tasks:
                self._begin(target)

    async def close(self) -> None:
        """End all checks; what they found stays."""
        tasks = [task for _, task in self._tasks.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, target: Target) -> None:
        verdict = Verdict()
        if target.key not in self._met:
            with self._nib.view() as view:
                verdict = health.adopted(view.get(Health, target.key))
        self._met.add(target.key)
        name = f"check {target.service}/{target.container}"
        task = asyncio.create_task(self._check(target, verdict), name=name)
        task.add_done_callback(_log_failure)
        self._tasks[target.key] = target, task

    async def _check(self, target: Target, verdict: Verdict) -> None:
        loop = asyncio.get_running_loop()
        interval = target.check.interval_ms / 1000
        if verdict.up is not None:
            await asyncio.sleep(interval * self._chance.random())
        complaint = ""
        while True:
            due = loop.time() + interval * (1 - _JITTER * self._chance.random())
            try:
                verdict = health.after(verdict, target.check, await probes.failure(target))
            except Exception as error:  # a defect of ours must not end the checks
                if str(error) != complaint:
                    is_ours = not isinstance(error, probes.NotAsked)
                    LOG.warning("cannot check %s/%s: %s", *target.key, error, exc_info=is_ours)
                complaint = str(error)
            await self._sleep_until(due, target, verdict)

    async def _sleep_until(self, due: float, target: Target, verdict: Verdict) -> None:
        """Sleep, and see meanwhile that the database says what we know."""
        loop = asyncio.get_running_loop()
        while True:
            is_told = self._tell(target, verdict)
            left = due - loop.time()
            if left <= 0:
                return
            await asyncio.sleep(left if is_told else min(left, _RETRY_S))

    def _tell(self, target: Target, verdict: Verdict) -> bool:
        """Whether the database says what the verdict is; if not, it is being told."""
        row = health.row(target, verdict)
        if row is None:
            return True
        with self._nib.view() as view:
            if view.get(Health, target.key) == row:
                return True
        under_way = self._writes.get(target.key)
        if under_way is None or under_way.done():
            self._write(target.key, _found(target, row))
        return False

    def _write(self, key: Key, change: Callable[[Draft], None]) -> None:
        future = self._nib.write(change)
        self._writes[key] = future
        future.add_done_callback(_log_refusal)


def _found(target: Target, row: Health) -> Callable[[Draft], None]:
    """Put the verdict, unless the container was registered otherwise meanwhile."""

    def change(draft: Draft) -> None:
        if health.is_current(target, draft):
            draft.put(row)

    return change


def _forgotten(target: Target) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        if draft.get(Health, target.key) is not None and not health.has_moved(target, draft):
            draft.delete(Health, target.key)

    return change


def _log_refusal(future: Future[Any]) -> None:
    if not future.cancelled() and future.exception() is not None:
        LOG.warning("a verdict is not in the database yet: %s", future.exception())


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        LOG.error("%s failed", task.get_name(), exc_info=task.exception())
