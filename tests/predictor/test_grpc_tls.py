"""gRPC with the certificates of prewire."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from nib.database import Nib
from nib.tls import TlsFiles
from predictor.outward.client import Away, channel
from predictor.outward.generated import predictor_pb2 as pb
from predictor.outward.generated import predictor_pb2_grpc as rpc
from tests.certified import Certified, certified
from tests.predictor import outward_site


@pytest.fixture(scope="module")
def files() -> Iterator[Certified]:
    with certified() as made:
        yield made


@pytest.fixture(scope="module")
def nib() -> Iterator[Nib]:
    with outward_site.database() as nib:
        yield nib


async def ask(address: str, tls: TlsFiles | None) -> Any:
    async with await channel(address, tls) as connected:
        stub = rpc.PredictorStub(connected)  # type: ignore[no-untyped-call]
        return await stub.ListPredictors(pb.ListPredictorsRequest(), timeout=60)


def test_a_client_with_our_certificate_is_answered(files: Certified, nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib, tls=files.prewire) as site:
            address = f"127.0.0.1:{site.server.port}"
            assert await ask(address, files.prewire) == pb.ListPredictorsResponse()

    asyncio.run(run())


def test_a_client_without_a_certificate_is_not(files: Certified, nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib, tls=files.prewire) as site:
            address = f"127.0.0.1:{site.server.port}"
            with pytest.raises(grpc.aio.AioRpcError) as plain:
                await ask(address, None)
            assert plain.value.code() is grpc.StatusCode.UNAVAILABLE
            trusting = grpc.ssl_channel_credentials(files.prewire.ca.read_bytes())
            name = (("grpc.ssl_target_name_override", "control1"),)
            async with grpc.aio.secure_channel(address, trusting, options=name) as connected:
                stub = rpc.PredictorStub(connected)  # type: ignore[no-untyped-call]
                with pytest.raises(grpc.aio.AioRpcError) as anonymous:
                    await stub.ListPredictors(pb.ListPredictorsRequest(), timeout=60)
            assert anonymous.value.code() is grpc.StatusCode.UNAVAILABLE

    asyncio.run(run())


def test_a_server_of_strangers_is_away_and_the_text_says_why(files: Certified, nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib, tls=files.stranger) as site:
            with pytest.raises(Away, match="its certificate is refused"):
                await ask(f"127.0.0.1:{site.server.port}", files.prewire)

    asyncio.run(run())


def test_nobody_there_is_away(files: Certified) -> None:
    with pytest.raises(Away, match="does not answer"):
        asyncio.run(ask("127.0.0.1:1", files.prewire))
