"""Forecasts through a real REST server, told by the gRPC server of the predictor that has them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from nib.database import Nib
from nib.plans import SHARDS, Predictor, Shard
from predictor.outward.views import ForecastView, SeriesView
from tests.commands import run
from tests.predictor.outward_site import Site, predictor
from tests.switch.capacity_rows import cleared, now_ms, seen, serving_web, written
from tests.switch.rest_server import RestServer, problem


@pytest.fixture(scope="module")
def server() -> Iterator[RestServer]:
    with serving_web() as up:
        yield up


@pytest.fixture
def nib(server: RestServer) -> Iterator[Nib]:
    with Nib(server.settings.nib_remote, "test") as connected:
        yield connected
        cleared(connected)


def asked(
    server: RestServer, nib: Nib, knows: Callable[[Site], None], ask: Callable[[], Any]
) -> Any:
    """What is answered while a predictor runs that minds everything and knows this."""

    async def scene() -> Any:
        async with predictor(nib, "p1") as site:
            knows(site)
            shards = [Shard(number, "p1") for number in range(SHARDS)]
            written(nib, Predictor("p1", f"127.0.0.1:{site.server.port}"), *shards)

            def answered() -> Any:
                seen(server, "/v1/predictors", _has_all)
                return ask()

            return await asyncio.to_thread(answered)

    return asyncio.run(scene())


def _has_all(told: Any) -> bool:
    return bool(told["items"]) and len(told["items"][0]["shards"]) == SHARDS


def of_web(site: Site) -> None:
    """A forecast of `web`, and what it was made from."""
    now, values = now_ms(), np.array([[2.0, 4.0], [3.0, 8.0]])
    site.feed.forecasts(
        [ForecastView("service", "web", now, 60.0, (1, 2), (0.5, 0.99), values, "m")]
    )
    past = np.array([1.0, np.nan, 2.0])
    site.series["service", "web"] = SeriesView("service", "web", 60.0, now, past)


def test_a_forecast_is_a_row_for_each_horizon(server: RestServer, nib: Nib) -> None:
    told = asked(server, nib, of_web, lambda: server.http.get("/v1/forecasts/web").json())
    assert (told["horizons"], told["quantiles"]) == ([1, 2], [0.5, 0.99])
    assert (told["values"], told["step_s"]) == ([[2.0, 4.0], [3.0, 8.0]], 60.0)
    assert (told["kind"], told["model"], told["stale"]) == ("service", "m", False)


def test_what_is_not_known_of_a_series_is_null(server: RestServer, nib: Nib) -> None:
    told = asked(server, nib, of_web, lambda: server.http.get("/v1/series/web?steps=2").json())
    assert told["values"] == [None, 2.0]


def test_a_predictor_without_a_forecast_yet_says_so(server: RestServer, nib: Nib) -> None:
    answer = asked(server, nib, lambda _: None, lambda: server.http.get("/v1/forecasts/web"))
    told = problem(answer, 503)
    assert told["type"] == "urn:prewire:problem:predictor-away"
    assert "there is no forecast of service web yet" in told["detail"]


def test_the_command_draws_load_and_quantiles(server: RestServer, nib: Nib) -> None:
    env = {"PREWIRE_API": server.settings.api_url}
    done = asked(server, nib, of_web, lambda: run("forecast", "web", env=env))
    assert (done.returncode, done.stderr) == (0, ""), done
    lines = done.stdout.splitlines()
    assert lines[0].startswith("service web: requests, in steps of 1m; forecast of 20")
    assert lines[1:] == [
        "  load ▂·▃  2 now, 8 at top",
        "   p50    ▃▄  3 at most",
        "   p99    ▅█  8 at most",
        "steps ahead: 1 to 2",
    ]
