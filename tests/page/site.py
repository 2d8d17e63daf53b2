"""The page on real processes: a database with the made-up fabric, the REST server, a predictor's
gRPC server with forecasts, counters, and what changes every second.

`python -m tests.page.site` serves it until it is interrupted, for looking at it.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from nib.database import Nib
from nib.draft import Draft
from nib.errors import NibUnavailable
from nib.intent import Container
from nib.plans import Predictor
from nib.qos import Policy
from nib.server import EmbeddedServer
from predictor.outward.views import ForecastView, SeriesView
from prewire import processes
from prewire.processes import Child
from prewire.settings import Settings, load
from tests.commands import environment
from tests.page import changing, counters, demand, fabric
from tests.places import free_ports, short_directory
from tests.predictor import outward_site
from tests.waiting import until

_QUANTILES: Final = (0.5, 0.9, 0.99)
_SPREAD: Final = (1.0, 1.22, 1.48)
_PAST: Final = 90
_AHEAD: Final = 30
_WAIT_S: Final = 60.0


@dataclass(slots=True)
class Site:
    """What a test needs of it; `api` may be stopped and started."""

    settings: Settings
    nib: Nib
    count: int
    directory: Path
    api: Child
    counters: counters.Counters

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"{self.settings.api_url}/"

    def stop_api(self) -> None:
        """End the REST server, as in an outage."""
        processes.stop([self.api])

    def start_api(self) -> None:
        """Start the REST server, and wait until it answers."""
        self.api = started(self.settings, self.directory)

    def write(self, *records: Any) -> None:
        """Write rows."""
        outward_site.put(self.nib, *records)


@contextmanager
def serving(count: int = 200, *, changes: bool = True, **settings: Any) -> Iterator[Site]:
    """Everything, with so many services; settings: of the REST server beyond the usual."""
    with ExitStack() as stack:
        directory = stack.enter_context(short_directory())
        server = stack.enter_context(EmbeddedServer(directory, processes.tied()))
        nib = stack.enter_context(Nib(server.remote, "site"))
        _fill(nib, count)
        with nib.view() as view:
            found = list(view.all(Container)), sorted(view.all(Policy), key=lambda p: p.name)
        counting = counters.Counters(count, *found)
        url = stack.enter_context(counters.served(counting))
        stack.enter_context(_predicting(nib, count))
        ports = free_ports("api_port")
        given = load(state_dir=directory, scrape=url, **ports, **settings)
        site = Site(given, nib, count, directory, started(given, directory), counting)
        stack.callback(site.stop_api)
        if changes:
            stack.enter_context(_changing(nib, count))
        yield site


def _fill(nib: Nib, count: int) -> None:
    now = time.time()

    def change(draft: Draft) -> None:
        for record in (*fabric.network(), *fabric.services(count, now), *fabric.policies(count)):
            draft.put(record)
        containers = list(draft.all(Container))
        for table in fabric.slots(containers):
            draft.put(table)
        for request in changing.requests(count, now):
            draft.put(request)
        policies = sorted(draft.all(Policy), key=lambda policy: policy.name)
        for record in (*changing.plans(count, policies, now), *changing.dependencies(count)):
            draft.put(record)

    def after(draft: Draft) -> None:
        changing.acknowledged(draft, nib_generation(nib))
        for event in changing.past_events(count, now):
            draft.put(event)

    nib.write(change).result(_WAIT_S)
    outward_site.put(nib, *fabric.prediction(count, now, ""))
    nib.write(after).result(_WAIT_S)


def nib_generation(nib: Nib) -> int:
    """The number of the newest change."""
    with nib.view() as view:
        return view.generation


def started(settings: Settings, directory: Path) -> Child:
    """A REST server that answers; it logs to the directory."""
    with (directory / "api.log").open("ab") as log:
        child = processes.start("api", ["api"], environment(settings.environment), log)
    with httpx.Client(base_url=settings.api_url, timeout=60) as client:

        def answers() -> bool:
            try:
                return client.get("/healthz").status_code < 500 or client.get("/").is_success
            except httpx.TransportError:
                return False

        try:
            until(answers, bool, "the REST server answers")
        except BaseException:
            processes.stop([child])
            raise
    return child


@contextmanager
def _changing(nib: Nib, count: int) -> Iterator[None]:
    ended = threading.Event()

    def run() -> None:
        number = 0
        while not ended.wait(1.0):
            number += 1
            change = partial(changing.second, number=number, count=count, at_s=time.time())
            with suppress(NibUnavailable):  # busy; a second later it is tried again
                nib.write(change).result(_WAIT_S)

    thread = threading.Thread(target=run, name="changing")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _predicting(nib: Nib, count: int) -> Iterator[None]:
    """A predictor's gRPC server in a thread of its own, with forecasts for all services."""
    ended, ready = threading.Event(), threading.Event()

    async def run() -> None:
        async with outward_site.predictor(nib, "node1:4022") as site:
            with nib.view() as view:
                policies = [each.name for each in view.all(Policy)]
            address = f"127.0.0.1:{site.server.port}"
            since = int(time.time() * 1000) - 7_200_000
            row = Predictor("node1:4022", address, since_ms=since)
            await asyncio.to_thread(outward_site.put, nib, row)
            while not ended.is_set():
                _learn(site, demand.names(count), policies)
                ready.set()
                await asyncio.to_thread(ended.wait, 5.0)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="predicting")
    thread.start()
    try:
        assert ready.wait(_WAIT_S), "the predictor does not start"
        yield
    finally:
        ended.set()
        thread.join()


def _learn(site: outward_site.Site, services: list[str], policies: list[str]) -> None:
    """Past and forecast of everything, as of now."""
    now = time.time()
    for kind, names, scale, unit in (
        ("service", services, 1.0, "requests"),
        ("policy", policies, demand.BPS_A_REQUEST, "bps"),
    ):
        for name in names:
            at = now // 60 * 60
            values = scale * demand.inflight(name, at - 60.0 * np.arange(_PAST)[::-1])
            past = SeriesView(kind, name, 60.0, int(at * 1000), values, unit)
            site.series[kind, name] = past
        site.feed.forecasts([_forecast(kind, name, scale, unit, now) for name in names])


def _forecast(kind: str, name: str, scale: float, unit: str, now: float) -> ForecastView:
    at = now // 60 * 60
    middle = scale * demand.inflight(name, at + 60.0 * np.arange(1, _AHEAD + 1))
    growing = 1 + 0.012 * np.arange(_AHEAD)[:, None]
    values = middle[:, None] * (1 + (np.array(_SPREAD) - 1) * growing)
    steps = tuple(range(1, _AHEAD + 1))
    return ForecastView(
        *(kind, name, int(at * 1000), 60.0, steps, _QUANTILES, values, "pool"), unit=unit
    )


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with serving() as site:
        print(site.url, flush=True)  # noqa: T201 - what it is started for
        ended.wait()


if __name__ == "__main__":
    main()
