"""A predictor's gRPC server on a real database, and real clients of it over loopback."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import grpc

from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.observed import Health
from nib.plans import ContainerPlan, Dependency, Predictor, PrewarmRequest, RatePlan, Shard
from nib.prewarm import Scaling
from nib.qos import Policy
from nib.server import EmbeddedServer
from predictor.outward.feed import Feed
from predictor.outward.generated import predictor_pb2_grpc as rpc
from predictor.outward.server import Server, ServerSettings, serving
from predictor.outward.sources import Sources
from predictor.outward.views import SeriesView
from tests.places import short_directory
from tests.waiting import until

SERVICE: Final = "shop"
WAIT_S: Final = 60.0
_CLEARED: Final = (
    *(PrewarmRequest, RatePlan, ContainerPlan, Policy),
    *(Dependency, Predictor, Shard, Health, Scaling, Container, Service),
)


@dataclass(slots=True)
class Clock:
    """Milliseconds since 1970; a test may set it forth."""

    ahead_ms: int = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


@dataclass(slots=True)
class Site:
    """One predictor: its feed and server, and a stub of a client that is connected to it."""

    nib: Nib
    feed: Feed
    clock: Clock
    server: Server
    channel: Any
    stub: Any
    series: dict[tuple[str, str], SeriesView] = field(default_factory=dict)


@contextmanager
def database() -> Iterator[Nib]:
    """An embedded database, and a client of it."""
    with (
        short_directory() as directory,
        EmbeddedServer(directory) as server,
        Nib(server.remote, "test") as nib,
    ):
        yield nib


@asynccontextmanager
async def predictor(
    nib: Nib, name: str = "p1", *, began_ms_ago: int = 0, **settings: Any
) -> AsyncIterator[Site]:
    """A predictor that serves, and a client of it."""
    clock = Clock(-began_ms_ago)
    feed = Feed(uuid.uuid4().hex, clock)
    watch = nib.watch(feed.hear)
    until(lambda: feed.begun, bool, "the feed hears the database")
    clock.ahead_ms = 0
    series: dict[tuple[str, str], SeriesView] = {}
    sources = sources_of(nib, feed, clock, name, series)
    try:
        served = ServerSettings(address="127.0.0.1:0", **settings)
        async with (
            serving(served, sources) as server,
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
        ):
            stub = rpc.PredictorStub(channel)  # type: ignore[no-untyped-call]
            yield Site(nib, feed, clock, server, channel, stub, series)
    finally:
        watch.close()


def sources_of(
    nib: Nib,
    feed: Feed,
    clock: Clock,
    name: str = "p1",
    series: Mapping[tuple[str, str], SeriesView] = MappingProxyType({}),
) -> Sources:
    """What a server asks; series: what it is to know of."""

    def of(kind: str, subject: str, step_s: float, steps: int) -> SeriesView | None:
        return _youngest(series.get((kind, subject)), step_s, steps)

    return Sources(name, nib, feed, of, holder, clock)


def holder(view: Lookups, _name: str) -> str:
    """Who has shard 0: all services of a test are in it."""
    lease = view.get(Shard, "0")
    return "" if lease is None else lease.holder


def _youngest(view: SeriesView | None, step_s: float, steps: int) -> SeriesView | None:
    if view is None or view.step_s != step_s:
        return None
    return replace(view, values=view.values[-steps:])


def put(nib: Nib, *records: Any) -> None:
    """Write these rows."""

    def change(draft: Draft) -> None:
        for record in records:
            draft.put(record)

    nib.write(change).result(WAIT_S)


def delete(nib: Nib, kind: type[Any], key: Any) -> None:
    """Delete a row."""
    nib.write(lambda draft: draft.delete(kind, key)).result(WAIT_S)


def clear(nib: Nib) -> None:
    """Delete every row that a test of this folder writes."""

    def change(draft: Draft) -> None:
        for kind in _CLEARED:
            for record in draft.all(kind):
                draft.delete(kind, record.key)

    nib.write(change).result(WAIT_S)


def service(name: str = SERVICE, number: int = 1) -> Service:
    """A service with a VIP of its own."""
    return Service(name=name, vip=f"10.0.{number // 250}.{number % 250 + 1}", port=80)


def scaling(name: str = SERVICE) -> Scaling:
    """That it is planned for."""
    return Scaling(service=name)


def container(number: int, name: str = SERVICE, state: str = "ready") -> Container:
    """One of its containers."""
    return Container(
        service=name,
        id=f"c{number}",
        address=f"10.1.0.{number}",
        port=8080,
        mac=f"02:00:00:00:01:{number:02x}",
        iface_id=f"if{number}",
        state=state,
        drain_until_ms=1 if state == "draining" else None,
    )


def plan(
    containers: int, clock: Clock, name: str = SERVICE, *, stale: bool = False, for_ms: int = 60_000
) -> ContainerPlan:
    """A plan in force for a while from now on."""
    now = clock()
    return ContainerPlan(
        service=name,
        containers=containers,
        from_ms=now,
        until_ms=now + for_ms,
        source="forecast",
        reason="p99 of 3 s",
        stale=stale,
        made_ms=now,
    )


def request(number: int, clock: Clock, **fields: Any) -> PrewarmRequest:
    """A prewarm request made now."""
    now = clock()
    values: dict[str, Any] = {"service": SERVICE, "containers": 3, "missing": 2} | fields
    return PrewarmRequest(
        id=f"r{number}",
        requested_ms=now,
        needed_ms=now + 3_000,
        deadline_ms=now + 30_000,
        **values,
    )
