"""The streams of prewire.v1: snapshots, changes, going on by token, and who does not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from nib.database import Nib
from nib.plans import ContainerPlan, PrewarmRequest, RatePlan
from nib.qos import Policy
from predictor.outward.generated import predictor_pb2 as pb
from predictor.outward.generated import predictor_pb2_grpc as rpc
from predictor.outward.views import ForecastView
from tests.predictor import outward_site
from tests.predictor.outward_site import SERVICE, WAIT_S, Clock, Site, plan, put, request, service

CHANGE = pb.POSITION_CHANGE
READY = pb.POSITION_READY
RESET = pb.POSITION_RESET
RESUMED = pb.POSITION_RESUMED
SNAPSHOT = pb.POSITION_SNAPSHOT


@pytest.fixture(scope="module")
def database() -> Iterator[Nib]:
    with outward_site.database() as nib:
        yield nib


@pytest.fixture
def nib(database: Nib) -> Nib:
    outward_site.clear(database)
    put(database, service(), outward_site.scaling())
    return database


async def read(call: Any, count: int) -> list[Any]:
    """So many events, waited for."""
    async with asyncio.timeout(WAIT_S):
        return [await call.read() for _ in range(count)]


async def failure(call: Any) -> grpc.aio.AioRpcError:
    """How a stream ends that ends with an error; what it told before is skipped."""
    async with asyncio.timeout(WAIT_S):
        try:
            while await call.read() is not grpc.aio.EOF:
                pass
        except grpc.aio.AioRpcError as error:
            return error
    raise AssertionError(f"it ended with {await call.code()}")


def positions(events: list[Any]) -> list[int]:
    return [event.position for event in events]


def scenario(run: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_stream_begins_with_what_there_is_and_then_pushes_each_change(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            put(nib, plan(2, site.clock))
            call = site.stub.WatchPlans(pb.WatchPlansRequest())
            first, ready = await read(call, 2)
            assert (first.position, first.containers.containers) == (SNAPSHOT, 2)
            assert first.containers.reason == "p99 of 3 s"
            assert (ready.position, bool(ready.resume_token)) == (READY, True)
            put(nib, plan(5, site.clock))
            [change] = await read(call, 1)
            assert (change.position, change.containers.containers) == (CHANGE, 5)
            outward_site.delete(nib, ContainerPlan, SERVICE)
            [gone] = await read(call, 1)
            assert (gone.gone.kind, gone.gone.name) == (pb.KIND_SERVICE, SERVICE)

    scenario(run)


def test_rate_plans_are_told_with_absent_rates_absent(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            now = site.clock()
            put(nib, Policy(name="web-db", source=SERVICE, max_bps=10_000_000))
            put(nib, RatePlan("web-db", now, now + 1000, "forecast", max_bps=5_000_000))
            call = site.stub.WatchPlans(pb.WatchPlansRequest(policies=["web-db"]))
            [event, _] = await read(call, 2)
            assert event.rates.max_bps == 5_000_000
            assert not event.rates.HasField("guaranteed_bps")

    scenario(run)


def test_a_filter_tells_of_its_services_alone(nib: Nib) -> None:
    async def run() -> None:
        put(nib, service("other", 2), outward_site.scaling("other"))
        async with outward_site.predictor(nib) as site:
            put(nib, plan(1, site.clock), plan(9, site.clock, "other"))
            call = site.stub.WatchPlans(pb.WatchPlansRequest(services=["other"]))
            [event, ready] = await read(call, 2)
            assert (event.containers.service, ready.position) == ("other", READY)
            put(nib, plan(2, site.clock), plan(8, site.clock, "other"))
            [change] = await read(call, 1)
            assert change.containers.containers == 8

    scenario(run)


def test_a_resumed_stream_tells_what_was_missed_and_nothing_else(nib: Nib) -> None:
    async def run() -> None:
        put(nib, service("other", 2), outward_site.scaling("other"))
        async with outward_site.predictor(nib) as site:
            put(nib, plan(1, site.clock), plan(9, site.clock, "other"))
            call = site.stub.WatchPlans(pb.WatchPlansRequest())
            token = (await read(call, 3))[-1].resume_token
            call.cancel()
            put(nib, plan(4, site.clock))
            again = site.stub.WatchPlans(pb.WatchPlansRequest(resume_token=token))
            events = await read(again, 3)
            assert positions(events) == [RESUMED, CHANGE, READY]
            assert events[1].containers.containers == 4
            # The token of a change goes on after it, that of READY after all of it.
            for last in (events[1].resume_token, events[2].resume_token):
                more = site.stub.WatchPlans(pb.WatchPlansRequest(resume_token=last))
                assert positions(await read(more, 2)) == [RESUMED, READY]
                more.cancel()

    scenario(run)


def test_another_predictor_resumes_by_the_same_token(nib: Nib) -> None:
    async def run() -> None:
        async with (
            outward_site.predictor(nib) as one,
            outward_site.predictor(nib, "p2", began_ms_ago=60_000) as two,
        ):
            call = one.stub.WatchPlans(pb.WatchPlansRequest())
            token = (await read(call, 1))[-1].resume_token
            call.cancel()
            put(nib, plan(4, one.clock))
            again = two.stub.WatchPlans(pb.WatchPlansRequest(resume_token=token))
            events = await read(again, 3)
            assert positions(events) == [RESUMED, CHANGE, READY]
            assert events[1].containers.containers == 4

    scenario(run)


def test_a_predictor_that_began_after_the_token_tells_everything_anew(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as one:
            put(nib, plan(4, one.clock))
            call = one.stub.WatchPlans(pb.WatchPlansRequest())
            token = (await read(call, 2))[-1].resume_token
        async with outward_site.predictor(nib) as after:
            again = after.stub.WatchPlans(pb.WatchPlansRequest(resume_token=token))
            assert positions(await read(again, 3)) == [RESET, SNAPSHOT, READY]

    scenario(run)


@pytest.mark.parametrize("token", ["nonsense", "1.requests.abcdef01.3.4", "1.plans.x.1.1", "é"])
def test_a_token_of_no_such_stream_is_refused_by_its_field(nib: Nib, token: str) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            call = site.stub.WatchPlans(pb.WatchPlansRequest(resume_token=token))
            error = await failure(call)
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert error.details().startswith("resume_token: ")
            assert "leave it out" in error.details()

    scenario(run)


def test_the_life_of_a_request_is_pushed_from_acknowledgement_to_its_end(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            call = site.stub.WatchPrewarmRequests(pb.WatchPrewarmRequestsRequest())
            await read(call, 1)
            row = request(1, site.clock)
            put(nib, row)
            [made] = await read(call, 1)
            assert made.request.state == pb.PrewarmRequest.STATE_REQUESTED
            assert (made.request.containers, made.request.missing) == (3, 2)
            told = await site.stub.Acknowledge(pb.AcknowledgeRequest(id="r1", by="platform-a"))
            assert told.request.state == pb.PrewarmRequest.STATE_ACCEPTED
            [accepted] = await read(call, 1)
            assert accepted.request == told.request
            assert accepted.request.accepted_by == "platform-a"
            outward_site.delete(nib, PrewarmRequest, "r1")
            [gone] = await read(call, 1)
            assert gone.gone.name == "r1"

    scenario(run)


def test_open_only_leaves_out_requests_that_had_ended(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            put(nib, request(1, site.clock, state="expired", ended_ms=5), request(2, site.clock))
            asked = pb.WatchPrewarmRequestsRequest(open_only=True)
            [event, ready] = await read(site.stub.WatchPrewarmRequests(asked), 2)
            assert (event.request.id, ready.position) == ("r2", READY)

    scenario(run)


def test_forecasts_are_pushed_as_they_are_made_and_forgotten(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            call = site.stub.WatchForecasts(pb.WatchForecastsRequest(services=[SERVICE]))
            assert positions(await read(call, 1)) == [READY]
            site.feed.forecasts([forecast(site)])
            [event] = await read(call, 1)
            told = event.forecast
            assert (list(told.horizons), list(told.quantiles)) == ([1, 5], [0.5, 0.95, 0.99])
            assert np.reshape(told.values, (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
            site.feed.forget_forecasts([("service", SERVICE)])
            [gone] = await read(call, 1)
            assert gone.gone.name == SERVICE

    scenario(run)


def forecast(site: Site) -> ForecastView:
    return ForecastView(
        kind="service",
        name=SERVICE,
        made_ms=site.clock(),
        step_s=60.0,
        horizons=(1, 5),
        quantiles=(0.5, 0.95, 0.99),
        values=np.arange(6, dtype=float).reshape(2, 3),
        model="ewma",
    )


def test_who_stops_reading_is_ended_and_others_go_on(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib, stall_s=0.5) as site, idle_subscriber(site) as idle:
            busy = site.stub.WatchForecasts(pb.WatchForecastsRequest())
            await read(busy, 1)
            await read(idle, 1)
            made = 0
            async with asyncio.timeout(30):
                while site.server.counts.dropped == 0:  # 100 KB each, into its windows
                    site.feed.forecasts([large_forecast(site, made)])
                    [event] = await read(busy, 1)
                    assert event.forecast.made_ms == made
                    made += 1
            site.feed.forecasts([large_forecast(site, -1)])
            assert (await read(busy, 1))[0].forecast.made_ms == -1
            error = await failure(idle)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "resume_token" in error.details()
            assert site.server.counts.subscribers == 1

    scenario(run)


def large_forecast(site: Site, made_ms: int) -> ForecastView:
    shape = (100, 125)
    return ForecastView(
        "service", SERVICE, made_ms, 60.0, tuple(range(100)), (0.5,) * 125, np.ones(shape), "ewma"
    )


class idle_subscriber:
    """A stream of a connection of its own, as a client that may stop reading."""

    def __init__(self, site: Site) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{site.server.port}")

    async def __aenter__(self) -> Any:
        stub = rpc.PredictorStub(self._channel)  # type: ignore[no-untyped-call]
        return stub.WatchForecasts(pb.WatchForecastsRequest())

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()


def test_a_slow_reader_is_told_the_last_state_of_each_thing(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            call = site.stub.WatchForecasts(pb.WatchForecastsRequest())
            await read(call, 1)
            for number in range(2_000):
                site.feed.forecasts([large_forecast(site, number)])
                if number % 200 == 0:
                    await asyncio.sleep(0)
            seen = 0
            async with asyncio.timeout(WAIT_S):
                while (await call.read()).forecast.made_ms != 1_999:
                    seen += 1
            assert seen < 1_000

    scenario(run)


def test_who_goes_away_in_the_midst_of_events_is_no_error(
    nib: Nib, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            for cancelled in (True, False):
                async with idle_subscriber(site) as call:
                    await read(call, 1)
                    for number in range(20):
                        site.feed.forecasts([large_forecast(site, number)])
                        await asyncio.sleep(0)
                    if cancelled:
                        call.cancel()
            async with asyncio.timeout(WAIT_S):
                while site.server.counts.subscribers:
                    site.feed.forecasts([large_forecast(site, 99)])
                    await asyncio.sleep(0.01)

    scenario(run)
    assert [record.getMessage() for record in caplog.records] == []


def test_there_is_room_for_so_many_subscribers_and_no_more(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib, max_subscribers=1) as site:
            first = site.stub.WatchPlans(pb.WatchPlansRequest())
            await read(first, 1)
            error = await failure(site.stub.WatchPlans(pb.WatchPlansRequest()))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            first.cancel()
            async with asyncio.timeout(WAIT_S):
                while site.server.counts.subscribers:
                    await asyncio.sleep(0.01)
            await read(site.stub.WatchPlans(pb.WatchPlansRequest()), 1)

    scenario(run)


def test_each_of_many_subscribers_is_told_of_every_service(nib: Nib) -> None:
    async def run() -> None:
        async with outward_site.predictor(nib) as site:
            clock = Clock()
            names = [f"s{number}" for number in range(200)]
            put(nib, *(service(name, 10 + at) for at, name in enumerate(names)))
            put(nib, *(plan(1, clock, name) for name in names))

            async def all_of_it() -> int:
                call = site.stub.WatchPlans(pb.WatchPlansRequest())
                return len([event async for event in _until_ready(call)])

            told = await asyncio.gather(*(all_of_it() for _ in range(10)))
            assert told == [200] * 10

    scenario(run)


async def _until_ready(call: Any) -> AsyncIterator[Any]:
    while (event := await call.read()).position != READY:
        yield event
