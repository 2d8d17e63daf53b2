"""KEDA and the Horizontal Pod Autoscaler in small: what they do with an external-push scaler.

After KEDA's pkg/scalers/external_scaler.go and pkg/scaling/executor/scale_scaledobjects.go: one
"active" on the stream, or by polling, scales from zero to one; the metric divided by its target is
how many replicas there are to be, never below one; inactive by polling scales to zero; an error
keeps the replicas where spec.fallback says so, and scales to zero where there is no fallback.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import grpc

from predictor.outward.generated import externalscaler_pb2 as pb
from predictor.outward.generated import externalscaler_pb2_grpc as rpc


class KedaOperator:
    """Minds one ScaledObject. `replicas` is what the Deployment has; `pushed` what was streamed."""

    def __init__(
        self, channel: Any, name: str, metadata: Mapping[str, str], fallback: bool
    ) -> None:
        self.replicas = 0
        self.pushed: list[bool] = []
        self.errors: list[grpc.StatusCode] = []
        self._fallback = fallback
        self._stub = rpc.ExternalScalerStub(channel)  # type: ignore[no-untyped-call]
        self._ref = pb.ScaledObjectRef(name=name, namespace="default", scalerMetadata=metadata)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> KedaOperator:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def poll(self) -> None:
        """What KEDA does every pollingInterval, and the autoscaler after it."""
        try:
            spec = (await self._stub.GetMetricSpec(self._ref)).metricSpecs[0]
            request = pb.GetMetricsRequest(scaledObjectRef=self._ref, metricName=spec.metricName)
            metric = (await self._stub.GetMetrics(request)).metricValues[0]
            active = (await self._stub.IsActive(self._ref)).result
        except grpc.aio.AioRpcError as error:
            self.errors.append(error.code())
            if not self._fallback:
                self.replicas = 0
            return
        if not active:
            self.replicas = 0
            return
        target = spec.targetSizeFloat or spec.targetSize
        self.replicas = max(1, math.ceil((metric.metricValueFloat or metric.metricValue) / target))

    async def _run(self) -> None:
        call = self._stub.StreamIsActive(self._ref)
        try:
            while (answer := await call.read()) is not grpc.aio.EOF:
                self.pushed.append(answer.result)
                if answer.result and self.replicas == 0:
                    self.replicas = 1
        except grpc.aio.AioRpcError as error:
            self.errors.append(error.code())
