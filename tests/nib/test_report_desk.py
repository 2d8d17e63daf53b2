"""Reports on their way into a real database: at once, on the tick, and when the server ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from gateway_lb import routes
from gateway_lb.reports import Item, ReportDesk
from nib.database import Nib
from nib.draft import Draft
from nib.intent import Container, Service
from nib.observed import Report
from nib.server import EmbeddedServer
from prewire.api import problems

C1, C2 = ("web", "c1"), ("web", "c2")
NEVER_MS = 3_600_000


def seeded(draft: Draft) -> None:
    draft.put(Service("web", "10.0.0.100", 80))
    for number, (service, container) in enumerate((C1, C2)):
        mac = f"02:00:00:00:00:1{number}"
        draft.put(Container(service, container, f"10.0.0.1{number}", 80, mac, iface_id=container))


@pytest.fixture
def nib(tmp_path: Path) -> Iterator[Nib]:
    with EmbeddedServer(tmp_path) as server, Nib(server.remote, "test") as nib:
        nib.write(seeded).result(60)
        yield nib


async def reported(nib: Nib, key: tuple[str, str], percent: int) -> None:
    """Return when the row says so."""

    def said(found: Report | None) -> bool:
        return found is not None and found.percent == percent

    future = nib.when(lambda view: said(view.get(Report, key)))
    await asyncio.wait_for(asyncio.wrap_future(future), 10)


def test_a_report_after_a_quiet_time_is_written_at_once(nib: Nib) -> None:
    async def check() -> None:
        desk = ReportDesk(nib, tick_ms=NEVER_MS)
        async with desk.open():
            desk.take([Item(*C1, "50%")])
            await reported(nib, C1, 50)

    asyncio.run(check())


def test_what_waits_is_written_when_the_server_ends(nib: Nib) -> None:
    async def check() -> None:
        desk = ReportDesk(nib, tick_ms=NEVER_MS)
        async with desk.open():
            desk.take([Item(*C1, "50%")])
            await reported(nib, C1, 50)
            desk.take([Item(*C1, "40%")])
            desk.take_one(Item(*C2, "30%"))
            assert len(desk.inbox) == 2, "they wait for the tick"
        assert len(desk.inbox) == 0
        await reported(nib, C1, 40)
        await reported(nib, C2, 30)

    asyncio.run(check())


def test_reports_between_two_ticks_are_one_transaction(nib: Nib) -> None:
    async def check() -> None:
        desk = ReportDesk(nib, tick_ms=50)
        before = nib.transactions
        async with desk.open():
            desk.take([Item(*C1, "99%")])
            await reported(nib, C1, 99)
            for percent in range(90, 50, -1):
                desk.take([Item(*C1, f"{percent}%"), Item(*C2, f"{percent}%")])
            await reported(nib, C2, 51)
            await reported(nib, C1, 51)
            assert nib.transactions == before + 2

    asyncio.run(check())


def test_reports_that_change_nothing_are_no_transaction(nib: Nib) -> None:
    async def check() -> None:
        desk = ReportDesk(nib, tick_ms=50)
        before = nib.transactions
        async with desk.open():
            desk.take([Item(*C1, "ready"), Item(*C2, inflight=5)])
        assert (desk.writes, nib.transactions) == (0, before)

    asyncio.run(check())


def test_a_flood_is_429_with_a_time_to_retry(nib: Nib) -> None:
    async def check() -> None:
        desk = ReportDesk(nib, per_second=100)
        app = FastAPI()
        problems.install(app)
        app.include_router(routes.router(nib, desk))
        one = {"service": "web", "container": "c1", "words": "50%"}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.post("/v1/reports", json={"reports": [one] * 250})
            assert answer.status_code == 429
            assert answer.headers["retry-after"] == "2"
            assert answer.headers["content-type"] == problems.MEDIA_TYPE
            assert answer.json()["type"] == "urn:prewire:problem:too-many-reports"
            assert (desk.inbox.counts["dropped"], len(desk.inbox)) == (250, 0)
            answer = await client.post("/v1/reports", json={"reports": [one] * 50})
            assert (answer.status_code, len(desk.inbox)) == (202, 1)

    asyncio.run(check())
