"""Who hears of forecasts, plans and requests: subscribers, an event sink, those who start
containers.

Must not know: how they came about.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

from nib.database import Nib
from nib.errors import NibError
from nib.plans import PrewarmRequest
from predictor.outward.accepting import accepted
from predictor.outward.cloudevents import CloudEvents, SinkSettings
from predictor.outward.drivers.commands import read_commands
from predictor.outward.drivers.contract import Driver
from predictor.outward.drivers.dispatch import Dispatcher
from predictor.outward.drivers.knative import KnativeDriver
from predictor.outward.drivers.kubernetes import KubernetesDriver
from predictor.outward.drivers.process import ProcessDriver
from predictor.outward.feed import Feed
from predictor.outward.log import Key
from predictor.outward.views import ForecastView
from predictor.running.decided import Wish

LOG = logging.getLogger(__name__)


class Telling:
    """Of one predictor."""

    def __init__(
        self,
        nib: Nib,
        name: str,
        *,
        sink: str,
        commands: Path | None,
        owns: Callable[[str], bool],
        clock_ms: Callable[[], int],
    ) -> None:
        self._nib = nib
        self._owns = owns
        self._clock_ms = clock_ms
        self._commands = commands
        self._wished: dict[str, Wish] = {}
        self._forecast: frozenset[Key] = frozenset()
        self._dispatcher: Dispatcher | None = None
        self.feed = Feed(uuid.uuid4().hex, clock_ms)
        source = f"/prewire/predictors/{quote(name)}"
        self._events = CloudEvents(SinkSettings(sink, source), owns) if sink else None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Tell as long as the block lasts."""
        self._dispatcher = Dispatcher(self._drivers(), lambda _outcome: None)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._dispatcher.close)
            stack.callback(self._nib.watch(self.feed.hear).close)
            if self._events is not None:
                await stack.enter_async_context(self._events)
                stack.callback(self._nib.watch(self._events.hear).close)
            yield

    def forecasts(self, views: Iterable[ForecastView]) -> None:
        """New forecasts, for those who watch them: all that there are; what is missing is gone."""
        forecast = {view.key: view for view in views}
        self.feed.forecasts(forecast.values())
        self.feed.forget_forecasts(self._forecast - forecast.keys())
        self._forecast = frozenset(forecast)

    async def want(self, wishes: Iterable[Wish]) -> None:
        """All that drivers are asked for now; what is no longer among it is handed back, or left
        alone where another predictor minds the service now. Requests that are met by what drivers
        carried out are accepted."""
        assert self._dispatcher is not None  # noqa: S101 - open
        wished = {wish.service: wish for wish in wishes}
        for service in self._wished.keys() - wished.keys():
            if self._owns(service):
                self._dispatcher.release(service)
            else:
                self._dispatcher.forget(service)
        for wish in wished.values():
            if wish.containers is not None:
                self._dispatcher.want(wish.service, wish.target, wish.containers)
        self._wished = wished
        for request in self._carried_out():
            await self._accept(request, wished[request.service].target)

    def _drivers(self) -> dict[str, Driver]:
        drivers: dict[str, Driver] = {"knative": KnativeDriver(), "kubernetes": KubernetesDriver()}
        if self._commands is not None:
            drivers["process"] = ProcessDriver(read_commands(self._commands))
        return drivers

    def _carried_out(self) -> list[PrewarmRequest]:
        """Requests that nobody has accepted, and whose containers a driver was asked for."""
        assert self._dispatcher is not None  # noqa: S101 - open
        done = self._dispatcher.carried_out
        with self._nib.view() as view:
            open_ = [r for name in self._wished for r in view.requests_of(name)]
        return [
            r for r in open_ if r.state == "requested" and r.containers <= done.get(r.service, 0)
        ]

    async def _accept(self, request: PrewarmRequest, by: str) -> None:
        now_ms = self._clock_ms()
        change = partial(accepted, request_id=request.id, by=by, now_ms=now_ms)
        try:
            await asyncio.wrap_future(self._nib.write(change))
        except NibError as error:
            LOG.info("%s", error)
