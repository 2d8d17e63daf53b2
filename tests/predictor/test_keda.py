"""KEDA's external scaler, by a client made of KEDA's interface."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import grpc
import pytest

from nib.database import Nib
from nib.intent import Service
from nib.observed import Health
from nib.plans import ContainerPlan
from nib.prewarm import Scaling
from predictor.outward.generated import externalscaler_pb2 as pb
from predictor.outward.generated import externalscaler_pb2_grpc as rpc
from tests.predictor import outward_site
from tests.predictor.keda_operator import KedaOperator
from tests.predictor.outward_site import SERVICE, Site, container, plan, put, service

ANSWERED: Final = ("IsActive", "GetMetricSpec", "GetMetrics")
STREAMED: Final = ("StreamIsActive", "StreamMetricSpec")
NO_METADATA: Final[Mapping[str, str]] = MappingProxyType({})


@pytest.fixture(scope="module")
def database() -> Iterator[Nib]:
    with outward_site.database() as nib:
        yield nib


@pytest.fixture
def nib(database: Nib) -> Nib:
    outward_site.clear(database)
    put(database, service(), outward_site.scaling())
    return database


def scenario(run: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(run(), 60))


def keda(
    site: Site,
    name: str = SERVICE,
    metadata: Mapping[str, str] = NO_METADATA,
    *,
    fallback: bool = True,
) -> KedaOperator:
    return KedaOperator(site.channel, name, metadata, fallback)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(outward_site.WAIT_S):
        while not holds():
            await asyncio.sleep(0.01)


async def refusal(site: Site, method: str, name: str, service_: str = "") -> grpc.aio.AioRpcError:
    ref = pb.ScaledObjectRef(name=name, scalerMetadata={"service": service_} if service_ else {})
    asked = pb.GetMetricsRequest(scaledObjectRef=ref) if method == "GetMetrics" else ref
    call = getattr(rpc.ExternalScalerStub(site.channel), method)(asked)  # type: ignore[no-untyped-call]
    try:
        await (call.read() if method in STREAMED else call)
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("it was answered")


def test_replicas_follow_the_plan_from_zero_up_and_down_to_zero(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site, keda(site) as operator:
            put(nib, plan(0, site.clock))
            await operator.poll()
            assert (operator.replicas, operator.pushed) == (0, [])
            put(nib, plan(7, site.clock))
            await until(lambda: operator.replicas == 1)  # pushed, not polled
            await operator.poll()
            assert operator.replicas == 7
            put(nib, plan(2, site.clock))
            await operator.poll()
            assert operator.replicas == 2
            put(nib, plan(0, site.clock))
            await operator.poll()
            assert (operator.replicas, operator.errors) == (0, [])

    scenario(run)


def test_only_the_change_from_inactive_to_active_is_pushed(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site, keda(site) as operator:
            put(nib, plan(3, site.clock))
            await until(lambda: operator.pushed)
            for containers in (4, 5, 0, 0, 6, 7):
                put(nib, plan(containers, site.clock))
                await operator.poll()  # an answer is behind the beat of its change
                await asyncio.sleep(0.05)
            await until(lambda: len(operator.pushed) > 1)
            assert operator.pushed == [True, True]

    scenario(run)


def test_a_stream_that_begins_while_active_says_so_once(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            put(nib, plan(3, site.clock))
            async with keda(site) as operator:
                await until(lambda: operator.pushed)
                assert operator.pushed == [True]

    scenario(run)


def test_the_service_is_that_of_the_metadata_else_of_the_name(nib: Nib) -> None:
    async def run() -> None:
        put(nib, service("other", 2), outward_site.scaling("other"))
        async with outward_site.predictor(nib) as site:
            put(nib, plan(3, site.clock), plan(5, site.clock, "other"))
            by_name, by_metadata = keda(site), keda(site, SERVICE, {"service": "other"})
            await by_name.poll()
            await by_metadata.poll()
            assert (by_name.replicas, by_metadata.replicas) == (3, 5)

    scenario(run)


@pytest.mark.parametrize("method", [*ANSWERED, *STREAMED])
def test_an_unknown_service_is_not_found_by_every_method(nib: Nib, method: str) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            error = await refusal(site, method, "nowhere")
            assert error.code() is grpc.StatusCode.NOT_FOUND
            assert "there is no service nowhere" in (error.details() or "")

    scenario(run)


@pytest.mark.parametrize("method", [*ANSWERED, *STREAMED])
def test_a_name_that_is_none_is_refused_by_its_field(nib: Nib, method: str) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            error = await refusal(site, method, "x", "Not A Name")
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert (error.details() or "").startswith("scalerMetadata.service: ")

    scenario(run)


def test_a_service_without_scaling_says_how_to_give_it_one(nib: Nib) -> None:
    async def run() -> None:
        outward_site.delete(nib, Scaling, SERVICE)
        async with outward_site.predictor(nib) as site:
            for method in ANSWERED:
                error = await refusal(site, method, SERVICE)
                assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
                assert "`prewire scaling set shop`" in (error.details() or "")

    scenario(run)


def test_another_metric_is_refused(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            stub = rpc.ExternalScalerStub(site.channel)  # type: ignore[no-untyped-call]
            ref = pb.ScaledObjectRef(name=SERVICE)
            asked = pb.GetMetricsRequest(scaledObjectRef=ref, metricName="s0-cpu")
            with pytest.raises(grpc.aio.AioRpcError, match="ask for prewire-pods"):
                await stub.GetMetrics(asked)

    scenario(run)


@pytest.mark.parametrize("fallback", [True, False])
@pytest.mark.parametrize("state", ["stale", "over", "deleted"])
def test_without_a_good_plan_keda_keeps_the_replicas_there_are(
    nib: Nib, state: str, fallback: bool
) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            operator = keda(site, fallback=fallback)
            put(nib, plan(3, site.clock))
            await operator.poll()
            assert operator.replicas == 3
            put(nib, *(container(number) for number in (1, 2, 3)))
            if state == "stale":
                put(nib, plan(1, site.clock, stale=True))
            elif state == "over":
                put(nib, plan(1, site.clock))
                site.clock.ahead_ms = 120_000
            else:
                outward_site.delete(nib, ContainerPlan, SERVICE)
            await operator.poll()
            assert (operator.replicas, operator.errors) == (3, [])

    scenario(run)


def test_a_stale_plan_still_asks_for_more_than_there_are(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            put(nib, container(1), container(2, state="draining"), Health(SERVICE, "c1", False))
            put(nib, plan(4, site.clock, stale=True))
            operator = keda(site)
            await operator.poll()
            assert operator.replicas == 4

    scenario(run)


def test_a_service_that_is_only_observed_keeps_the_replicas_there_are(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            put(nib, Scaling(SERVICE, "observe"), container(1), container(2))
            put(nib, plan(7, site.clock))
            operator = keda(site)
            await operator.poll()
            assert operator.replicas == 2

    scenario(run)


@pytest.mark.parametrize("stale_plan", [False, True])
def test_where_nothing_is_known_the_error_leaves_it_to_the_fallback(
    nib: Nib, stale_plan: bool
) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            if stale_plan:
                put(nib, plan(0, site.clock, stale=True))
            operator = keda(site)
            operator.replicas = 2
            await operator.poll()
            assert (operator.replicas, operator.errors) == (2, [grpc.StatusCode.UNAVAILABLE])

    scenario(run)


def test_a_stream_ends_when_its_service_is_deleted(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site, keda(site) as operator:
            put(nib, plan(3, site.clock))
            await until(lambda: operator.pushed)
            outward_site.delete(nib, Service, SERVICE)
            await until(lambda: operator.errors)
            assert operator.errors == [grpc.StatusCode.NOT_FOUND]

    scenario(run)


def test_the_spec_is_streamed_at_once_and_is_that_of_the_call(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            stub = rpc.ExternalScalerStub(site.channel)  # type: ignore[no-untyped-call]
            ref = pb.ScaledObjectRef(name=SERVICE)
            async with asyncio.timeout(outward_site.WAIT_S):
                streamed = await stub.StreamMetricSpec(ref).read()
            assert streamed == await stub.GetMetricSpec(ref)
            [spec] = streamed.metricSpecs
            assert (spec.metricName, spec.targetSize, spec.targetSizeFloat) == (
                "prewire-pods",
                1,
                1.0,
            )

    scenario(run)
