"""The gRPC server of a predictor: prewire.v1, KEDA's external scaler, health, reflection.

Owns: its port, its limits, TLS, and which services it has.
Must not know: what calls answer.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from nib.errors import FieldError
from nib.tls import TlsFiles
from predictor.outward.generated import (
    externalscaler_pb2,
    externalscaler_pb2_grpc,
    predictor_pb2,
    predictor_pb2_grpc,
)
from predictor.outward.keda import KedaScaler
from predictor.outward.request_ids import RequestIds
from predictor.outward.services import PredictorService
from predictor.outward.sources import Sources
from predictor.outward.streams import Counts, Pulse, Streams

LOG = logging.getLogger(__name__)

PREDICTOR: Final = predictor_pb2.DESCRIPTOR.services_by_name["Predictor"].full_name
SCALER: Final = externalscaler_pb2.DESCRIPTOR.services_by_name["ExternalScaler"].full_name

_LARGEST_REQUEST: Final = 128 * 1024
_LARGEST_ANSWER: Final = 4 * 1024 * 1024  # what clients take by default
_GRACE_S: Final = 1.0
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _LARGEST_REQUEST),
    ("grpc.max_send_message_length", _LARGEST_ANSWER),
    ("grpc.max_concurrent_streams", 1_000),  # of one connection
    ("grpc.so_reuseport", 0),  # a second server on the port is an error
    # A peer that is away without a word is noticed within 40 s; clients may ask every 10 s.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """address: as in "0.0.0.0:50051"; port 0 = any. tls: None = no TLS; otherwise clients need a
    certificate of cacert.pem too. stall_s: how long a subscriber may take to read one event."""

    address: str
    tls: TlsFiles | None = None
    stall_s: float = 10.0
    max_subscribers: int = 1_000


class Server:
    """A server that runs. port: where it listens; counts: of its streams."""

    def __init__(self, port: int, counts: Counts, health_service: Any) -> None:
        self.port = port
        self.counts = counts
        self._health = health_service

    async def set_serving(self, serving: bool) -> None:
        """What the health service tells of all services."""
        statuses = health_pb2.HealthCheckResponse
        status = statuses.SERVING if serving else statuses.NOT_SERVING
        for name in ("", PREDICTOR, SCALER):
            await self._health.set(name, status)


@asynccontextmanager
async def serving(settings: ServerSettings, sources: Sources) -> AsyncIterator[Server]:
    """Serve as long as the block lasts. FieldError where the address cannot be listened on."""
    pulse = Pulse()
    streams = Streams(pulse, settings.stall_s, settings.max_subscribers)
    end_listening = sources.feed.listen(pulse.beat)
    health_service = health.aio.HealthServicer()
    server = grpc.aio.server(interceptors=(RequestIds(),), options=_OPTIONS)
    add_predictor = predictor_pb2_grpc.add_PredictorServicer_to_server
    add_predictor(PredictorService(sources, streams), server)  # type: ignore[no-untyped-call]
    add_scaler = externalscaler_pb2_grpc.add_ExternalScalerServicer_to_server
    add_scaler(KedaScaler(sources, streams), server)  # type: ignore[no-untyped-call]
    health_pb2_grpc.add_HealthServicer_to_server(health_service, server)
    names = (PREDICTOR, SCALER, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    try:
        running = Server(_bind(server, settings), streams.counts, health_service)
        await server.start()
        await running.set_serving(True)
        LOG.info("gRPC on port %d%s", running.port, " with TLS" if settings.tls else "")
        yield running
    finally:
        end_listening()
        await health_service.enter_graceful_shutdown()
        await server.stop(_GRACE_S)


def _bind(server: Any, settings: ServerSettings) -> int:
    try:
        if settings.tls is None:
            return int(server.add_insecure_port(settings.address))
        return int(server.add_secure_port(settings.address, _credentials(settings.tls)))
    except RuntimeError as error:
        said = f"{settings.address} cannot be listened on: {error}"
        raise FieldError("grpc", said, "give a free HOST:PORT") from None


def _credentials(files: TlsFiles) -> Any:
    files.check()
    return grpc.ssl_server_credentials(
        [(files.key.read_bytes(), files.cert.read_bytes())],
        root_certificates=files.ca.read_bytes(),
        require_client_auth=True,
    )
