"""The predictor at work: reads metrics, ticks, keeps its leases, serves gRPC.

Owns: the threads and the pace. The engine and its history belong to one worker thread, learning to
another; the event loop scrapes, serves and beats.
Must not know: how plans are made.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from nib.database import Nib
from nib.draft import Draft
from nib.errors import NibError
from nib.mirror import Lookups
from nib.plans import Dependency, Predictor, Shard, shard_of
from nib.tls import TlsFiles
from nib.watch import Batch
from predictor.outward.server import ServerSettings, serving
from predictor.outward.sources import Sources
from predictor.running.decided import write
from predictor.running.engine import Admit, Engine
from predictor.running.learning import Learning
from predictor.running.leases import BEAT_SECONDS
from predictor.running.measures import PredictorMeasures
from predictor.running.membership import Membership
from predictor.running.minded import Minded
from predictor.running.telling import Telling
from predictor.series.history import History
from predictor.series.prometheus import Prometheus, PrometheusError
from predictor.series.scraper import Scraped, Scraper
from predictor.series.window import Window

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_SAVE_SECONDS: Final = 10.0
_LEARN_SECONDS: Final = 5.0
_HISTORY_SECONDS: Final = 30.0  # for Prometheus to tell what it knows, before the first plan
_WRITE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Given:
    """What a predictor is told.

    listen: HOST:PORT of its gRPC server; address, metrics: as others reach them. prometheus, sink:
    URLs, "" = none. commands: the file that says how containers of this machine are started.
    pool: where refits run, None = on this machine.
    """

    name: str
    listen: str
    address: str
    metrics: str
    tls: TlsFiles | None
    scrape_urls: tuple[str, ...]
    prometheus: str
    history: Path
    history_days: int
    tick_s: float
    counters_s: float
    refit_s: float
    pool: Any
    sink: str
    commands: Path | None
    admit: Admit


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def holder_of(view: Lookups, name: str) -> str:
    """The predictor that minds the service or policy of this name; "" = nobody."""
    shard = view.get(Shard, str(shard_of(name)))
    return "" if shard is None else shard.holder


async def run(nib: Nib, given: Given, measures: PredictorMeasures, ending: asyncio.Event) -> None:
    """Work until `ending` is set. FieldError where `listen` cannot be listened on."""
    async with AsyncExitStack() as stack:
        service = _Service(nib, given, measures)
        stack.callback(service.close)
        await service.begin(stack)
        labours = [asyncio.create_task(each) for each in service.labours(ending)]
        stack.push_async_callback(_ended, labours)
        await ending.wait()
        await _ended(labours)  # else a beat could follow the leaving
        await service.leave()


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _Service:
    """One predictor, its parts and the pace of each."""

    def __init__(self, nib: Nib, given: Given, measures: PredictorMeasures) -> None:
        self._nib = nib
        self._given = given
        self._measures = measures
        self._worker = ThreadPoolExecutor(1, "engine")
        self._learner = ThreadPoolExecutor(1, "learning")
        self._membership = Membership(
            Predictor(given.name, given.address, given.metrics, since_ms=now_ms())
        )
        self._scraper = Scraper(given.scrape_urls)
        self._telling = Telling(
            nib,
            given.name,
            sink=given.sink,
            commands=given.commands,
            owns=self._membership.owns,
            clock_ms=now_ms,
        )
        with nib.view() as view:
            rows, known = Minded.of(view, self._membership.owns), view.all(Dependency)
        self._learning = Learning(known, measures, given.refit_s, given.pool)
        self._engine = Engine(
            rows,
            self._learning,
            owns=self._membership.owns,
            admit=given.admit,
            measures=measures,
            tick_s=given.tick_s,
            counters_s=given.counters_s,
        )
        self._history: History | None = None
        self._is_recalled = False
        self._failures = 0  # scrapes in a row, as of the last tick

    async def begin(self, stack: AsyncExitStack) -> None:
        """Load what is known, serve, and join the others."""
        given = self._given
        history = partial(History, given.history, keep_days=given.history_days)
        self._history = await self._work(history)
        await self._work(partial(self._history.load, self._engine.loads, now_ms()))
        await self._ask_prometheus()
        watch = self._nib.watch(self._heard)
        stack.callback(watch.close)
        sources = Sources(
            given.name, self._nib, self._telling.feed, self._engine.series, holder_of, now_ms
        )
        server = await stack.enter_async_context(
            serving(ServerSettings(given.listen, given.tls), sources)
        )
        self._measures.follow(lambda: server.counts)
        await stack.enter_async_context(self._telling.open())

    def labours(self, ending: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
        """All that goes on side by side."""
        return [
            self._scraper.run(self._given.tick_s, self._scraped, ending),
            _paced("beat", BEAT_SECONDS, self._beat),
            _paced("tick", self._given.tick_s, self._counted_tick),
            _paced("learning", _LEARN_SECONDS, self._learn),
            _paced("history", _SAVE_SECONDS, self._save),
        ]

    async def leave(self) -> None:
        """Save, and let others have the shards at once."""
        try:
            await self._save()
        finally:
            with suppress(NibError, TimeoutError):
                await self._written(self._membership.leave())
            await self._scraper.close()

    def close(self) -> None:
        """End the threads."""
        self._learning.stop()
        if self._history is not None:
            _submit(self._worker, self._history.close)
        _submit(self._learner, self._learning.close)
        for each in (self._worker, self._learner):
            each.shutdown()

    # ------------------------------------------------------------------- what happens when

    def _heard(self, batch: Batch) -> None:
        """In the nib thread: rows changed."""
        if any(isinstance(change.record, Shard) for change in batch.changes):
            with self._nib.view() as view:
                self._membership.heard(view)

    def _scraped(self, scraped: Scraped) -> None:
        self._measures.scrapes.labels("read").inc()
        heard = partial(self._engine.heard, scraped.page, scraped.at_ms, scraped.source)
        _submit(self._worker, heard)

    async def _counted_tick(self) -> None:
        try:
            await self._tick()
        except Exception:
            self._measures.tick_failures.inc()
            raise

    async def _tick(self) -> None:
        self._count_scrapes()
        self._measures.shards.set(len(self._membership.shards))
        decided = await self._work(partial(self._engine.tick, self._nib.view, now_ms()))
        if decided:
            await self._written(write(decided))
            self._engine.outcomes.planned(decided.plans, decided.rates)
            self._engine.outcomes.requested(decided.requests)
        await self._telling.want(self._engine.wishes)

    def _count_scrapes(self) -> None:
        """Those that failed since the last tick; `failures` counts them in a row."""
        failures, before = self._scraper.failures, self._failures
        self._measures.scrapes.labels("failed").inc(
            failures - before if failures >= before else failures
        )
        self._failures = failures

    async def _learn(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._is_recalled:  # takes a while where there are many services
            self._is_recalled = True
            await loop.run_in_executor(self._learner, self._engine.recall)
        learn = partial(self._engine.learn, time.monotonic())
        if await loop.run_in_executor(self._learner, learn):
            self._telling.forecasts(self._engine.forecasts())

    async def _beat(self) -> None:
        with self._nib.view() as view:
            change = self._membership.beat(view)
        await self._written(change)

    async def _save(self) -> None:
        if self._history is not None:
            await self._work(partial(self._history.save, self._engine.loads, now_ms()))

    async def _ask_prometheus(self) -> None:
        if not self._given.prometheus:
            return
        source = Prometheus(self._given.prometheus)
        try:
            days = self._given.history_days
            await source.learn(
                self._engine.loads, now_ms(), days=days, within_s=_HISTORY_SECONDS, keep=self._keep
            )
        except PrometheusError as error:
            LOG.warning("no history from Prometheus: %s", error)

    def _keep(self, kind: str, window: Window) -> None:
        if self._history is not None:
            _submit(self._worker, partial(self._history.add, kind, window, now_ms()))

    async def _work(self, what: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, what)

    async def _written(self, change: Callable[[Draft], object]) -> None:
        future = asyncio.wrap_future(self._nib.write(change))
        await asyncio.wait_for(future, _WRITE_SECONDS)


def _submit(worker: ThreadPoolExecutor, what: Callable[[], object]) -> None:
    """Have it done there; nobody waits for it, so a failure is logged."""
    worker.submit(what).add_done_callback(_log_failure)


def _log_failure(done: Future[object]) -> None:
    error = done.exception()
    if error is not None:
        LOG.error("work on the side failed", exc_info=error)


async def _paced(name: str, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    """Do it every so often; a failure is logged, and the next time comes."""
    while True:
        began = time.monotonic()
        try:
            await act()
        except (NibError, TimeoutError) as error:
            LOG.warning("%s: %s", name, error or "the database did not answer in time")
        except Exception:
            LOG.exception("%s failed; the next comes in %s s", name, seconds)
        await asyncio.sleep(max(0.05, seconds - (time.monotonic() - began)))
