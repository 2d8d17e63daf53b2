"""KEDA's external scaler: a ScaledObject's replicas follow the plan of its service.

The service is named by the trigger's metadata `service`, else by the ScaledObject's name. There is
one metric, prewire-pods: how many containers are planned, against a target of 1.

KEDA scales to zero where a scaler says it is inactive, and, without spec.fallback, also where it
answers with an error. So what is not planned any more is answered by what there is, and an error is
left for what nothing is known of. On a stream only "active" makes KEDA act at once, and each one
begins its cool-down anew: only the change from inactive to active is told.

Must not know: ports, TLS, how plans are made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import grpc

from nib.errors import FieldError
from nib.fields import check_name
from nib.plans import ContainerPlan
from nib.prewarm import Scaling
from predictor.outward.generated import externalscaler_pb2 as pb
from predictor.outward.generated import externalscaler_pb2_grpc as rpc
from predictor.outward.present import standing
from predictor.outward.refusals import Refused, end, refusing
from predictor.outward.sources import Sources, check_known
from predictor.outward.streams import Streams
from predictor.outward.views import SERVICE

METRIC: Final = "prewire-pods"
TARGET: Final = 1
METADATA: Final = "service"


class KedaScaler(rpc.ExternalScalerServicer):
    """All methods of KEDA's interface."""

    def __init__(self, sources: Sources, streams: Streams) -> None:
        self._sources = sources
        self._streams = streams

    @refusing
    async def IsActive(self, request: pb.ScaledObjectRef, _context: Any) -> pb.IsActiveResponse:
        """Whether there is to be any container."""
        return pb.IsActiveResponse(result=self._containers(service_of(request)) > 0)

    async def StreamIsActive(self, request: pb.ScaledObjectRef, context: Any) -> None:
        """True, each time the service becomes active; at first if it is."""
        try:
            service = service_of(request)
            with self._streams.place():
                async for active in self._changes(service):
                    if active:
                        await self._streams.write(context, pb.IsActiveResponse(result=True))
        except Exception as error:
            await end(context, error)

    @refusing
    async def GetMetricSpec(
        self, request: pb.ScaledObjectRef, _context: Any
    ) -> pb.GetMetricSpecResponse:
        """The one metric."""
        self._check_scaled(service_of(request))
        return _spec()

    async def StreamMetricSpec(self, request: pb.ScaledObjectRef, context: Any) -> None:
        """The one metric; it never changes, so nothing follows until the service is gone."""
        try:
            service = service_of(request)
            self._check_scaled(service)
            with self._streams.place():
                await self._streams.write(context, _spec())
                while True:
                    beat = self._streams.pulse.next()
                    self._check_scaled(service)
                    await beat
        except Exception as error:
            await end(context, error)

    @refusing
    async def GetMetrics(
        self, request: pb.GetMetricsRequest, _context: Any
    ) -> pb.GetMetricsResponse:
        """How many containers are planned."""
        if request.metricName not in ("", METRIC):
            raise FieldError("metricName", f"{request.metricName!r} is none", f"ask for {METRIC}")
        containers = self._containers(service_of(request.scaledObjectRef))
        value = pb.MetricValue(
            metricName=METRIC, metricValue=containers, metricValueFloat=float(containers)
        )
        return pb.GetMetricsResponse(metricValues=[value])

    async def _changes(self, service: str) -> AsyncIterator[bool]:
        """Whether it is active, each time that changes; at first that it is."""
        was = False
        while True:
            beat = self._streams.pulse.next()
            active = self._is_active(service, otherwise=was)
            if active != was:
                was = active
                yield active
            await beat

    def _is_active(self, service: str, *, otherwise: bool) -> bool:
        try:
            return self._containers(service) > 0
        except Refused as refused:
            if refused.code is not grpc.StatusCode.UNAVAILABLE:
                raise
            return otherwise

    def _check_scaled(self, service: str) -> None:
        with self._sources.nib.view() as view:
            check_known(view, SERVICE, service)
            if view.get(Scaling, service) is None:
                raise _without_scaling(service)

    def _containers(self, service: str) -> int:
        """How many there are to be; Refused where that cannot be told.

        As planned. A plan that is stale or over asks for no fewer than there are, and never for
        none: that is not known then. Where a service is only observed, as there are.
        """
        with self._sources.nib.view() as view:
            check_known(view, SERVICE, service)
            plan, scaling = view.get(ContainerPlan, service), view.get(Scaling, service)
            if plan is None and scaling is None:
                raise _without_scaling(service)
            present = standing(view, service).present
        if scaling is not None and scaling.mode == "observe":
            plan = None
        if plan is not None and is_good(plan, self._sources.clock_ms()):
            return plan.containers
        kept = max(present, plan.containers if plan is not None else 0)
        if not kept:
            raise Refused(
                grpc.StatusCode.UNAVAILABLE,
                f"service {service} has no plan of fresh metrics",
                "give the ScaledObject a spec.fallback; see that a predictor has metrics",
            )
        return kept


def service_of(request: pb.ScaledObjectRef) -> str:
    """The service that a ScaledObject is about; FieldError where its name is none."""
    named = request.scalerMetadata.get(METADATA, "")
    if named:
        return check_name(f"scalerMetadata.{METADATA}", named)
    return check_name("name", request.name)


def is_good(plan: ContainerPlan, now_ms: int) -> bool:
    """Whether a plan is in force and made of fresh metrics."""
    return not plan.stale and plan.from_ms <= now_ms < plan.until_ms


def _spec() -> pb.GetMetricSpecResponse:
    spec = pb.MetricSpec(metricName=METRIC, targetSize=TARGET, targetSizeFloat=float(TARGET))
    return pb.GetMetricSpecResponse(metricSpecs=[spec])


def _without_scaling(service: str) -> Refused:
    return Refused(
        grpc.StatusCode.FAILED_PRECONDITION,
        f"service {service} has no scaling, so nobody plans for it",
        f"give it one: `prewire scaling set {service}`",
    )
