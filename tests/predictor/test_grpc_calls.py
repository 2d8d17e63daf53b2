"""The calls of prewire.v1 that answer once, and their refusals; health, reflection, limits."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from nib.database import Nib
from nib.errors import FieldError
from nib.plans import Dependency, Predictor, Shard
from nib.server import EmbeddedServer
from predictor.outward.generated import predictor_pb2 as pb
from predictor.outward.server import PREDICTOR, SCALER, ServerSettings, serving
from predictor.outward.views import ForecastView, SeriesView
from tests.places import short_directory
from tests.predictor import outward_site
from tests.predictor.outward_site import SERVICE, Site, put, request, service


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


async def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    raise AssertionError("it was answered")


async def acknowledge(site: Site, request_id: str, by: str) -> Any:
    return await site.stub.Acknowledge(pb.AcknowledgeRequest(id=request_id, by=by))


def test_the_first_platform_has_a_request_and_may_say_so_again(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            put(nib, request(1, site.clock))
            first = await acknowledge(site, "r1", "platform-a")
            assert (await acknowledge(site, "r1", "platform-a")) == first
            code, text = await refusal(acknowledge(site, "r1", "platform-b"))
            assert code is grpc.StatusCode.ALREADY_EXISTS
            assert "accepted by platform-a" in text

    scenario(run)


@pytest.mark.parametrize("state", ["ready", "expired"])
def test_a_request_that_has_ended_cannot_be_acknowledged(nib: Nib, state: str) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            put(nib, request(1, site.clock, state=state, ended_ms=1))
            code, text = await refusal(acknowledge(site, "r1", "platform-a"))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert f"is {state}" in text

    scenario(run)


@pytest.mark.parametrize(
    ("request_id", "by", "code", "said"),
    [
        ("none", "platform-a", grpc.StatusCode.NOT_FOUND, "there is no prewarm request none"),
        ("", "platform-a", grpc.StatusCode.INVALID_ARGUMENT, "id: has 0 characters"),
        ("r1", "", grpc.StatusCode.INVALID_ARGUMENT, "by: has 0 characters"),
        ("r1", "a\nb", grpc.StatusCode.INVALID_ARGUMENT, "by: holds a control character"),
    ],
)
def test_an_acknowledgement_names_a_request_and_a_platform(
    nib: Nib, request_id: str, by: str, code: grpc.StatusCode, said: str
) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            put(nib, request(1, site.clock))
            got, text = await refusal(acknowledge(site, request_id, by))
            assert got is code
            assert text.startswith(said)

    scenario(run)


@pytest.mark.parametrize(
    ("call", "asked", "code", "said"),
    [
        (
            "GetForecast",
            pb.GetForecastRequest(name="none"),
            "NOT_FOUND",
            "there is no service none",
        ),
        (
            "GetForecast",
            pb.GetForecastRequest(kind=pb.KIND_POLICY, name=SERVICE),
            "NOT_FOUND",
            "there is no policy shop",
        ),
        ("GetForecast", pb.GetForecastRequest(), "INVALID_ARGUMENT", "name: '' is not a name"),
        ("GetForecast", pb.GetForecastRequest(kind=9, name="x"), "INVALID_ARGUMENT", "kind: 9"),  # type: ignore[arg-type]
        ("GetForecast", pb.GetForecastRequest(name=SERVICE), "UNAVAILABLE", "there is no forecast"),
        ("GetSeries", pb.GetSeriesRequest(name=SERVICE), "UNAVAILABLE", "there is no series"),
        (
            "GetSeries",
            pb.GetSeriesRequest(name=SERVICE, step_s=-1),
            "INVALID_ARGUMENT",
            "step_s: -1 is no step",
        ),
        (
            "GetSeries",
            pb.GetSeriesRequest(name=SERVICE, step_s=math.nan),
            "INVALID_ARGUMENT",
            "step_s: nan is no step",
        ),
        (
            "GetSeries",
            pb.GetSeriesRequest(name=SERVICE, steps=10**6),
            "INVALID_ARGUMENT",
            "steps: 1000000 are too many",
        ),
        ("GetDependencies", pb.GetDependenciesRequest(service="none"), "NOT_FOUND", "there is no"),
        (
            "GetDependencies",
            pb.GetDependenciesRequest(service="No"),
            "INVALID_ARGUMENT",
            "service:",
        ),
    ],
)
def test_a_call_that_asks_for_nothing_there_is_says_what_to_ask(
    nib: Nib, call: str, asked: Any, code: str, said: str
) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            got, text = await refusal(getattr(site.stub, call)(asked))
            assert (got.name, text[: len(said)]) == (code, said)

    scenario(run)


def test_a_watch_of_an_unknown_service_is_not_found(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            call = site.stub.WatchPlans(pb.WatchPlansRequest(services=[SERVICE, "shpo"]))
            code, text = await refusal(call.read())
            assert code is grpc.StatusCode.NOT_FOUND
            assert "no service shpo" in text

    scenario(run)


def test_a_forecast_and_a_series_are_answered_as_they_are(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            values = np.array([[1.0, 2.0], [3.0, 4.0]])
            view = ForecastView("service", SERVICE, 7, 60.0, (1, 2), (0.5, 0.9), values, "gbm")
            site.feed.forecasts([view])
            told = await site.stub.GetForecast(pb.GetForecastRequest(name=SERVICE))
            assert (told.model, told.made_ms, list(told.values)) == ("gbm", 7, [1, 2, 3, 4])
            load = np.array([1.0, math.nan, 3.0])
            site.series["service", SERVICE] = SeriesView("service", SERVICE, 60.0, 9, load)
            asked = pb.GetSeriesRequest(name=SERVICE, steps=2)
            series = await site.stub.GetSeries(asked)
            assert math.isnan(series.values[0])
            assert (series.values[1], series.end_ms, series.step_s) == (3.0, 9, 60.0)

    scenario(run)


def test_a_predictor_without_the_shard_tells_who_has_it(nib: Nib) -> None:
    async def run() -> None:
        put(nib, Predictor("p2", "10.0.0.2:50051"), Shard(0, "p2"))
        async with outward_site.predictor(nib) as site:
            code, text = await refusal(site.stub.GetForecast(pb.GetForecastRequest(name=SERVICE)))
            assert code is grpc.StatusCode.FAILED_PRECONDITION
            assert "predictor p2; ask there: 10.0.0.2:50051" in text

    scenario(run)


def test_dependencies_are_those_of_a_service_or_all(nib: Nib) -> None:
    async def run() -> None:
        put(nib, Dependency("shop", "db", 2_000, "learned", 120, 1_500))
        put(nib, Dependency("a", "b", 1_000, "pinned"))
        async with outward_site.predictor(nib) as site:
            everything = await site.stub.GetDependencies(pb.GetDependenciesRequest())
            assert len(everything.dependencies) == 2
            of = await site.stub.GetDependencies(pb.GetDependenciesRequest(service=SERVICE))
            [edge] = of.dependencies
            assert (edge.child, edge.lag_ms, edge.gain, edge.slope) == ("db", 2_000, 0.12, 1.5)

    scenario(run)


def test_predictors_are_listed_with_their_shards(nib: Nib) -> None:
    async def run() -> None:
        put(nib, Predictor("p2", "h2:1"), Predictor("p1", "h1:1"), Shard(0, "p2"), Shard(3, "p2"))
        async with outward_site.predictor(nib) as site:
            answer = await site.stub.ListPredictors(pb.ListPredictorsRequest())
            told = [(each.name, each.address, list(each.shards)) for each in answer.predictors]
            assert told == [("p1", "h1:1", []), ("p2", "h2:1", [0, 3])]

    scenario(run)


def test_health_tells_of_each_service_and_its_change_is_pushed(nib: Nib) -> None:
    async def run() -> None:
        serving_status = health_pb2.HealthCheckResponse.SERVING
        async with outward_site.predictor(nib) as site:
            stub = health_pb2_grpc.HealthStub(site.channel)
            for name in ("", PREDICTOR, SCALER):
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
                assert answer.status == serving_status
            watch = stub.Watch(health_pb2.HealthCheckRequest(service=PREDICTOR))
            assert (await watch.read()).status == serving_status
            await site.server.set_serving(False)
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING

    scenario(run)


def test_reflection_tells_clients_the_whole_interface(nib: Nib) -> None:
    def ask(address: str) -> tuple[list[str], list[str]]:
        with grpc.insecure_channel(address) as channel:
            told = ProtoReflectionDescriptorDatabase(channel)
            methods = DescriptorPool(told).FindServiceByName(PREDICTOR).methods_by_name
            return sorted(told.get_services()), sorted(methods)

    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            services, methods = await asyncio.to_thread(ask, f"127.0.0.1:{site.server.port}")
            assert {PREDICTOR, SCALER, "grpc.health.v1.Health"} <= set(services)
            assert {"WatchPlans", "Acknowledge", "ListPredictors"} <= set(methods)

    scenario(run)


def test_an_acknowledgement_while_the_database_is_away_says_so() -> None:
    async def run(server: EmbeddedServer, nib: Nib) -> None:
        async with outward_site.predictor(nib) as site:
            put(nib, service(), request(1, site.clock))
            server.stop()
            code, text = await refusal(acknowledge(site, "r1", "platform-a"))
            assert code is grpc.StatusCode.UNAVAILABLE
            assert "try again" in text

    with (
        short_directory() as directory,
        EmbeddedServer(directory) as server,
        Nib(server.remote, "test", write_timeout_s=0.5) as nib,
    ):
        asyncio.run(run(server, nib))


def test_a_request_larger_than_any_needs_to_be_is_refused(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            huge = pb.AcknowledgeRequest(id="r1", by="x" * 200_000)
            code, _ = await refusal(site.stub.Acknowledge(huge))
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            many = pb.WatchPlansRequest(services=["shop"] * 1_001)
            code, text = await refusal(site.stub.WatchPlans(many).read())
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert text.startswith("services: 1001 names")

    scenario(run)


def test_a_port_that_is_taken_is_an_error_that_says_so(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            address = f"127.0.0.1:{site.server.port}"
            sources = outward_site.sources_of(nib, site.feed, site.clock)
            with pytest.raises(FieldError, match=f"{address} cannot be listened on"):
                async with serving(ServerSettings(address), sources):
                    pass

    scenario(run)
