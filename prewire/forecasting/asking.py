"""Asking the predictor that minds a service or policy, by gRPC.

Must not know: HTTP, what is done with the answer.
"""

from __future__ import annotations

from typing import Any, Final

import grpc

from nib.errors import FieldError, NibError, NotFound
from nib.mirror import Lookups
from nib.plans import Predictor, Shard, shard_of
from nib.tls import TlsFiles
from predictor.outward import client
from predictor.outward.generated import predictor_pb2 as pb
from predictor.outward.generated import predictor_pb2_grpc as rpc
from predictor.outward.messages import KINDS
from predictor.outward.request_ids import metadata

WITHIN_S: Final = 5.0
_STUB: Final[Any] = rpc.PredictorStub  # generated, without types
_UNREACHED: Final = "failed to connect"  # gRPC's words
_START: Final = "start one with `prewire predictor`, or wait until one takes over"


class PredictorAway(NibError):
    """No predictor tells of a service or policy now."""

    field: Final = "predictor"

    def __init__(self, message: str, remedy: str = _START) -> None:
        super().__init__(f"{message}; {remedy}")
        self.message = message
        self.remedy = remedy


def address_of(kind: str, name: str, view: Lookups) -> str:
    """Of the gRPC server of the predictor that minds a service or policy.

    PredictorAway where nobody does, or it has no such server.
    """
    shard = view.get(Shard, str(shard_of(name)))
    holder = view.get(Predictor, shard.holder) if shard is not None else None
    if holder is None:
        raise PredictorAway(f"no predictor minds {kind} {name}")
    if not holder.address:
        raise PredictorAway(
            f"predictor {holder.name} minds {kind} {name}, but has no gRPC server",
            "let it have one: see the settings of `prewire predictor`",
        )
    return holder.address


class Asked:
    """The predictor at an address, given so long to answer. Its answers are messages of prewire.v1.

    NotFound, FieldError, and PredictorAway where it does not answer or knows nothing yet.
    """

    def __init__(self, address: str, tls: TlsFiles | None, within_s: float = WITHIN_S) -> None:
        self._address = address
        self._tls = tls
        self._within_s = within_s

    async def forecast(self, kind: str, name: str) -> pb.Forecast:
        """The last forecast."""
        request = pb.GetForecastRequest(kind=KINDS[kind], name=name)
        answer: pb.Forecast = await self._call("GetForecast", request, f"forecast of {kind}", name)
        return answer

    async def series(self, kind: str, name: str, step_s: float, steps: int) -> pb.Series:
        """The load as it was, the youngest so many steps."""
        request = pb.GetSeriesRequest(kind=KINDS[kind], name=name, step_s=step_s, steps=steps)
        answer: pb.Series = await self._call("GetSeries", request, f"series of {kind}", name)
        return answer

    async def _call(self, method: str, request: Any, what: str, name: str) -> Any:
        try:
            async with await client.channel(self._address, self._tls) as channel:
                call = getattr(_STUB(channel), method)
                return await call(request, timeout=self._within_s, metadata=metadata())
        except client.Away as error:
            text = f"the predictor at {self._address} does not answer: {error.why}"
            raise PredictorAway(text) from None
        except grpc.aio.AioRpcError as error:
            raise _said(error, self._address, what, name) from None


def _said(error: Any, address: str, what: str, name: str) -> NibError:
    """What a call's status means here."""
    message, _, remedy = (error.details() or "").partition("; ")
    code = error.code()
    if code is grpc.StatusCode.NOT_FOUND:
        return NotFound(what, name)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return FieldError("name", message, remedy or "correct it")
    if remedy and not message.startswith(_UNREACHED):
        return PredictorAway(message, remedy)  # a predictor's own words
    silent = code is grpc.StatusCode.DEADLINE_EXCEEDED or message.startswith(_UNREACHED)
    why = "" if silent else f": {message or code.name}"
    return PredictorAway(f"the predictor at {address} does not answer{why}")
