"""prewire.v1.Predictor: what each call answers.

Must not know: ports, TLS, KEDA.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

import grpc

from nib.errors import FieldError
from nib.fields import check_name, check_text
from nib.plans import Dependency, Predictor, Shard
from predictor.outward import feed, life, messages
from predictor.outward.accepting import accepted
from predictor.outward.generated import predictor_pb2 as pb
from predictor.outward.generated import predictor_pb2_grpc as rpc
from predictor.outward.log import Key
from predictor.outward.refusals import Refused, end, refusing
from predictor.outward.sources import Sources
from predictor.outward.streams import Streams
from predictor.outward.views import POLICY, SERVICE
from predictor.outward.watching import Subscription

R = TypeVar("R")

_MOST_NAMES: Final = 1_000
_MOST_STEPS: Final = 100_000
_MOST_EDGES: Final = 20_000
_USUAL_STEPS: Final = 60
_USUAL_STEP_S: Final = 60.0


class PredictorService(rpc.PredictorServicer):
    """Answers out of what is known here; nothing is computed for a call."""

    def __init__(self, sources: Sources, streams: Streams) -> None:
        self._sources = sources
        self._streams = streams

    # ------------------------------------------------------------------------------------- streams

    async def WatchForecasts(self, request: pb.WatchForecastsRequest, context: Any) -> None:
        """Forecasts of what this predictor minds."""
        await self._tell(
            request,
            context,
            lambda concerns: Subscription(
                stream=feed.FORECASTS,
                feed=self._sources.feed,
                log=self._sources.feed.forecast_log,
                event=messages.forecast_event,
                concerns=lambda key, _: concerns(key),
                initially=lambda _: True,
                shared=False,
                streams=self._streams,
                context=context,
            ),
        )

    async def WatchPlans(self, request: pb.WatchPlansRequest, context: Any) -> None:
        """Plans of containers and rates."""
        await self._tell(
            request,
            context,
            lambda concerns: Subscription(
                stream=feed.PLANS,
                feed=self._sources.feed,
                log=self._sources.feed.plan_log,
                event=messages.plan_event,
                concerns=lambda key, _: concerns(key),
                initially=lambda _: True,
                shared=True,
                streams=self._streams,
                context=context,
            ),
        )

    async def WatchPrewarmRequests(
        self, request: pb.WatchPrewarmRequestsRequest, context: Any
    ) -> None:
        """Requests to start containers. That one is gone is told whatever its service was."""
        await self._tell(
            request,
            context,
            lambda concerns: Subscription(
                stream=feed.REQUESTS,
                feed=self._sources.feed,
                log=self._sources.feed.request_log,
                event=messages.request_event,
                concerns=lambda _, row: row is None or concerns((SERVICE, row.service)),
                initially=lambda row: not request.open_only or life.is_open(row),
                shared=True,
                streams=self._streams,
                context=context,
            ),
        )

    async def _tell(
        self,
        request: Any,
        context: Any,
        subscription: Callable[[Callable[[Key], bool]], Subscription[R]],
    ) -> None:
        try:
            concerns = self._filter(request)
            with self._streams.place():
                await subscription(concerns).tell(request.resume_token)
        except Exception as error:
            await end(context, error)

    def _filter(self, request: Any) -> Callable[[Key], bool]:
        services = _names("services", request.services)
        policies = _names("policies", getattr(request, "policies", ()))
        if not services and not policies:
            return lambda _: True
        self._sources.check_all_known(services, policies)
        wanted = {(SERVICE, name) for name in services} | {(POLICY, name) for name in policies}
        return wanted.__contains__

    # --------------------------------------------------------------------------------------- calls

    @refusing
    async def Acknowledge(
        self, request: pb.AcknowledgeRequest, _context: Any
    ) -> pb.AcknowledgeResponse:
        """A platform starts what a request asks for."""
        check_text("id", request.id, 63)
        check_text("by", request.by)
        now_ms = self._sources.clock_ms()
        written = self._sources.nib.write(
            lambda draft: accepted(draft, request.id, request.by, now_ms)
        )
        done = await asyncio.wrap_future(written)
        return pb.AcknowledgeResponse(request=messages.prewarm_request(done.value))

    @refusing
    async def GetForecast(self, request: pb.GetForecastRequest, _context: Any) -> pb.Forecast:
        """The last forecast of a service or policy."""
        kind, name = self._subject(request)
        view = self._sources.feed.forecast(kind, name)
        if view is None:
            raise self._not_here(kind, name, "forecast")
        return messages.forecast(view)

    @refusing
    async def GetSeries(self, request: pb.GetSeriesRequest, _context: Any) -> pb.Series:
        """The load of a service or policy, as it was."""
        kind, name = self._subject(request)
        step_s = request.step_s or _USUAL_STEP_S
        steps = request.steps or _USUAL_STEPS
        if not 0 < step_s <= 86_400:
            raise FieldError("step_s", f"{step_s:g} is no step", "give 1 or 60 (seconds)")
        if steps > _MOST_STEPS:
            raise FieldError("steps", f"{steps} are too many", f"give at most {_MOST_STEPS}")
        view = self._sources.series(kind, name, step_s, steps)
        if view is None:
            raise self._not_here(kind, name, "series")
        return messages.series(view)

    @refusing
    async def GetDependencies(
        self, request: pb.GetDependenciesRequest, _context: Any
    ) -> pb.GetDependenciesResponse:
        """Which service's rise precedes another's."""
        if request.service:
            check_name("service", request.service)
            self._sources.check_known(SERVICE, request.service)
        with self._sources.nib.view() as view:
            rows = view.all(Dependency)
        of = request.service
        rows = tuple(row for row in rows if not of or of in (row.parent, row.child))
        if len(rows) > _MOST_EDGES:
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"there are {len(rows)} dependencies",
                "name a service",
            )
        return pb.GetDependenciesResponse(dependencies=map(messages.dependency, rows))

    @refusing
    async def ListPredictors(
        self, _request: pb.ListPredictorsRequest, _context: Any
    ) -> pb.ListPredictorsResponse:
        """The predictors that run, and what each minds."""
        with self._sources.nib.view() as view:
            rows, leases = view.all(Predictor), view.all(Shard)
        return pb.ListPredictorsResponse(
            predictors=(
                messages.predictor_info(
                    row, [lease.number for lease in leases if lease.holder == row.name]
                )
                for row in sorted(rows, key=lambda row: row.name)
            )
        )

    def _subject(self, request: pb.GetForecastRequest | pb.GetSeriesRequest) -> Key:
        kind = messages.KIND_NAMES.get(request.kind or pb.KIND_SERVICE)
        if kind is None:
            raise FieldError("kind", f"{request.kind} is none", "give KIND_SERVICE or KIND_POLICY")
        check_name("name", request.name)
        self._sources.check_known(kind, request.name)
        return kind, request.name

    def _not_here(self, kind: str, name: str, what: str) -> Refused:
        with self._sources.nib.view() as view:
            holder = self._sources.holder(view, name)
            row = view.get(Predictor, holder) if holder else None
        if row is not None and holder != self._sources.name:
            return Refused(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"the {what} of {kind} {name} is at predictor {holder}",
                f"ask there: {row.address or 'it tells no address'}",
            )
        remedy = "try again in a minute; a predictor needs its metrics"
        if kind == POLICY and what == "forecast":
            remedy += ", and a policy its provisioning"
        return Refused(
            grpc.StatusCode.UNAVAILABLE, f"there is no {what} of {kind} {name} yet", remedy
        )


def _names(field: str, names: Any) -> list[str]:
    if len(names) > _MOST_NAMES:
        raise FieldError(field, f"{len(names)} names", f"give at most {_MOST_NAMES}, or none = all")
    return [check_name(field, name) for name in names]
