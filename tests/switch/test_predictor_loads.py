"""What a predictor learns from the page of a real controller with a real switch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from nib.observed import Report
from nib.qos import Policy
from predictor.series.loads import Loads
from predictor.series.scraper import Scraped, Scraper
from tests.needs import need_ovs
from tests.switch.controlled import Controlled, controlled
from tests.waiting import until


@pytest.fixture(scope="module")
def running() -> Iterator[Controlled]:
    need_ovs()
    with controlled() as here:
        yield here


def scraped(here: Controlled) -> Scraped:
    """The controller's page."""

    async def read() -> Scraped:
        scraper = Scraper([f"http://127.0.0.1:{here.settings.metrics_port}/metrics"])
        try:
            found = await scraper.scrape()
            assert found is not None, scraper.failure
            return found
        finally:
            await scraper.close()

    return asyncio.run(read())


def test_connections_requests_in_flight_and_bits_are_learned(running: Controlled) -> None:
    here = running
    here.serve("c2", "c3")
    here.put(Policy("first", None, "web"))
    here.put(Report("web", "c2", inflight=3))
    here.put(Report("web", "c3", inflight=4))
    here.await_switch()
    loads = Loads(counters_every_s=here.settings.stats_seconds)

    def learn() -> Loads:
        found = scraped(here)
        loads.add(found.page, found.at_ms, found.source)
        return loads

    def counted() -> float:
        """Connections that were seen to come, by the minute."""
        rates = learn().rate(1.0).values
        return float(np.nansum(rates))

    # what was counted before the first page is no load
    here.connect(*range(2000, 2005))
    until(lambda: learn().rate(1.0).values, lambda seen: np.isfinite(seen).any(), "rates are known")
    before = counted()
    here.connect(*range(3000, 3020))
    until(counted, lambda seen: seen >= before + 10, "connections are counted")
    assert loads.services == ("web",)
    assert loads.policies == ("first",)
    demand = loads.demand(1.0).values[0]
    assert demand[np.isfinite(demand)][-1] >= 7
    until(lambda: np.nanmax(learn().bits(1.0).values), lambda most: most > 0, "bits are counted")


def test_connections_that_find_no_container_are_demand(running: Controlled) -> None:
    here = running
    here.clear()
    here.serve()
    here.await_switch()
    loads = Loads(counters_every_s=here.settings.stats_seconds)

    def learn() -> float:
        found = scraped(here)
        loads.add(found.page, found.at_ms, found.source)
        demand = loads.demand(1.0).values
        return float(np.nanmax(demand)) if np.isfinite(demand).any() else 0.0

    learn()
    here.connect(*range(4000, 4010))
    until(learn, lambda seen: seen > 0, "demand is seen")
    assert "web" in loads.services
