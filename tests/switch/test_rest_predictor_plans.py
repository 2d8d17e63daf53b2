"""Plans, prewarm requests, dependencies and predictors through a real REST server and database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import networkx as nx
import pytest

from nib.database import Nib
from nib.plans import (
    ContainerPlan,
    Dependency,
    PolicyRate,
    Predictor,
    PrewarmRequest,
    RatePlan,
    Shard,
    shard_of,
)
from tests.switch.capacity_rows import cleared, now_ms, seen, serving_web, written
from tests.switch.rest_server import RestServer, problem

SCALING: Final = "/v1/services/web/scaling"
PROVISIONING: Final = "/v1/policies/to-web/provisioning"
EDGE: Final = "/v1/dependencies/shop/db"


@pytest.fixture(scope="module")
def server() -> Iterator[RestServer]:
    with serving_web() as up:
        yield up


@pytest.fixture(scope="module")
def nib(server: RestServer) -> Iterator[Nib]:
    """The database, as a predictor and a controller write it."""
    with Nib(server.settings.nib_remote, "test") as connected:
        yield connected


@pytest.fixture(autouse=True)
def _without_leftovers(nib: Nib) -> Iterator[None]:
    yield
    cleared(nib)


# ------------------------------------------------------------------------------- plans


def test_a_scaling_shows_its_plan(server: RestServer, nib: Nib) -> None:
    server.put(SCALING)
    now = now_ms()
    plan = ContainerPlan("web", 5, now - 1000, now + 60_000, "forecast", "p99 of 3.1", True, now)
    request = PrewarmRequest("r1", "web", 5, 4, now, now + 5000, now + 60_000)
    written(nib, plan, request)
    told = seen(server, SCALING, lambda found: found["plan"] is not None)["plan"]
    assert told == {
        "service": "web", "containers": 5, "present": 1, "ready": 1, "source": "forecast",
        "reason": "p99 of 3.1", "from_ms": now - 1000, "until_ms": now + 60_000, "valid": True,
        "stale": True, "made_ms": now, "request": "r1",
    }  # fmt: skip
    assert server.http.get("/v1/plans/services/web").json() == told
    assert server.http.get("/v1/plans").json() == {"services": [told], "policies": [], "next": None}


def test_a_plan_whose_time_is_over_is_not_valid(server: RestServer, nib: Nib) -> None:
    now = now_ms()
    written(nib, ContainerPlan("web", 5, now - 2000, now - 1000, "load"))
    found = seen(server, "/v1/plans", lambda told: len(told["services"]) == 1)
    assert found["services"][0]["valid"] is False
    assert problem(server.http.get("/v1/plans/services/db"), 404)["detail"] == (
        "there is no container plan db"
    )


def test_a_provisioning_shows_its_plan_and_the_rates_in_force(server: RestServer, nib: Nib) -> None:
    server.put(PROVISIONING)
    now = now_ms()
    plan = RatePlan(
        "to-web", now, now + 60_000, "forecast", 80_000_000, None, "p99", "cut to 80M", False, now
    )
    written(nib, plan, PolicyRate("to-web", "plan", now + 60_000, 80_000_000))
    told = seen(server, PROVISIONING, lambda found: found["in_force"]["source"] == "plan")
    assert told["plan"] == server.http.get("/v1/plans/policies/to-web").json()
    assert (told["plan"]["refused"], told["plan"]["max_bps"]) == ("cut to 80M", 80_000_000)
    assert server.http.get("/v1/policies/to-web").json()["in_force"] == told["in_force"]
    assert told["in_force"] == {
        "max_bps": 80_000_000, "guaranteed_bps": None, "source": "plan", "until_ms": now + 60_000,
    }  # fmt: skip


# ------------------------------------------------------------------------------- dependencies


def test_a_dependency_is_pinned_banned_and_forgotten(server: RestServer, nib: Nib) -> None:
    written(nib, Dependency("shop", "db", 4000, "learned", 120, 2000))
    known = seen(server, EDGE, lambda _: True)
    assert known == {
        "parent": "shop", "child": "db", "source": "learned", "lag_ms": 4000,
        "gain_permille": 120, "slope_permille": 2000, "generation": None,
    }  # fmt: skip
    pinned = server.put(EDGE, verdict="pin", lag_ms=5000)
    assert pinned.status_code == 201
    assert (pinned.json()["source"], pinned.json()["lag_ms"]) == ("pinned", 5000)
    banned = server.put(EDGE, verdict="ban")
    assert (banned.status_code, banned.json()["source"]) == (200, "banned")
    assert server.http.get("/v1/dependencies/graph").json()["edges"] == []
    assert server.http.delete(EDGE).status_code == 204
    assert server.http.get(EDGE).json() == known
    told = problem(server.http.delete(EDGE), 404)
    assert told["detail"] == "there is no dependency rule shop/db"


def test_the_graph_is_as_networkx_reads_it(server: RestServer, nib: Nib) -> None:
    written(nib, Dependency("shop", "db", 4000), Dependency("web", "shop", 1000))
    answer = seen(server, "/v1/dependencies/graph", lambda told: len(told["edges"]) == 2)
    graph = nx.node_link_graph(answer, edges="edges")
    assert nx.is_directed(graph)
    assert nx.shortest_path(graph, "web", "db") == ["web", "shop", "db"]
    assert graph.edges["shop", "db"]["lag_ms"] == 4000
    of_web = server.http.get("/v1/dependencies?service=web").json()["items"]
    assert [(each["parent"], each["child"]) for each in of_web] == [("web", "shop")]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (EDGE, {"verdict": "maybe"}, "verdict"),
        (EDGE, {}, "verdict"),
        (EDGE, {"verdict": "pin", "lag_ms": -1}, "lag_ms"),
        (EDGE, {"verdict": "ban", "lag_ms": 10}, "lag_ms"),
        ("/v1/dependencies/shop/shop", {"verdict": "pin"}, "child"),
        ("/v1/dependencies/Shop/db", {"verdict": "pin"}, "parent"),
    ],
)
def test_a_word_about_a_dependency_that_cannot_be_is_refused(
    server: RestServer, path: str, body: dict[str, Any], field: str
) -> None:
    assert problem(server.put(path, **body), 422)["field"] == field


# ------------------------------------------------------------------------------- requests


def test_a_prewarm_request_is_accepted_once(server: RestServer, nib: Nib) -> None:
    now = now_ms()
    written(nib, PrewarmRequest("r1", "web", 5, 4, now, now + 5000, now + 60_000))
    seen(server, "/v1/prewarm-requests/r1", lambda _: True)
    path = "/v1/prewarm-requests/r1/accept"
    taken = server.http.post(path, json={"by": "platform-1"})
    assert taken.status_code == 200
    told = taken.json()
    assert (told["state"], told["accepted_by"], told["in_time"]) == ("accepted", "platform-1", None)
    assert server.http.post(path, json={"by": "platform-1"}).json() == told
    other = problem(server.http.post(path, json={"by": "platform-2"}), 409)
    assert "accepted by platform-1" in other["detail"]
    assert server.http.get("/v1/prewarm-requests?state=accepted").json()["items"] == [told]
    assert server.http.get("/v1/prewarm-requests?state=ready").json()["items"] == []
    assert server.http.get("/v1/prewarm-requests?service=db").json()["items"] == []


def test_a_prewarm_request_that_is_over_tells_whether_it_was_in_time(
    server: RestServer, nib: Nib
) -> None:
    rows = [
        PrewarmRequest("soon", "web", 5, 4, 1, 5000, 60_000, "ready", ended_ms=4000),
        PrewarmRequest("late", "web", 5, 4, 2, 5000, 60_000, "ready", ended_ms=6000),
        PrewarmRequest("lost", "web", 5, 4, 3, 5000, 60_000, "expired", ended_ms=60_000),
    ]
    written(nib, *rows)
    found = seen(server, "/v1/prewarm-requests", lambda told: len(told["items"]) == 3)["items"]
    assert [(each["id"], each["in_time"]) for each in found] == [
        ("lost", False), ("late", False), ("soon", True),
    ]  # fmt: skip
    told = problem(server.http.post("/v1/prewarm-requests/lost/accept", json={"by": "x"}), 409)
    assert told["type"] == "urn:prewire:problem:request-taken"


def test_a_prewarm_request_that_is_not_there_is_not_accepted(server: RestServer) -> None:
    answer = server.http.post("/v1/prewarm-requests/none/accept", json={"by": "x"})
    assert problem(answer, 404)["detail"] == "there is no prewarm request none"


def test_an_acceptance_says_who(server: RestServer) -> None:
    answer = server.http.post("/v1/prewarm-requests/none/accept", json={})
    assert problem(answer, 422)["field"] == "by"


# ------------------------------------------------------------------------------- predictors


def test_predictors_show_what_they_mind(server: RestServer, nib: Nib) -> None:
    server.put(SCALING)
    mine = shard_of("web")
    written(nib, Predictor("p1", "127.0.0.1:1"), Predictor("p2", ""), Shard(mine, "p1"))
    items = seen(server, "/v1/predictors", lambda told: bool(told["items"]))["items"]
    assert [(each["name"], each["shards"], each["services"]) for each in items] == [
        ("p1", [mine], 1), ("p2", [], 0),
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/forecasts/web", "/v1/series/to-web?kind=policy"])
def test_without_a_predictor_there_is_no_forecast(server: RestServer, path: str) -> None:
    told = problem(server.http.get(path), 503)
    assert told["type"] == "urn:prewire:problem:predictor-away"
    assert "prewire predictor" in told["remedy"]


def test_a_predictor_that_does_not_answer_is_away(server: RestServer, nib: Nib) -> None:
    row = Predictor("p1", "127.0.0.1:1")
    written(nib, row, Shard(shard_of("web"), "p1"))
    seen(server, "/v1/predictors", lambda told: bool(told["items"]))
    told = problem(server.http.get("/v1/forecasts/web"), 503)
    assert told["type"] == "urn:prewire:problem:predictor-away"


def test_what_is_not_there_has_no_forecast(server: RestServer) -> None:
    assert problem(server.http.get("/v1/forecasts/buy"), 404)["detail"] == "there is no service buy"
    told = problem(server.http.get("/v1/series/buy?kind=policy"), 404)
    assert told["detail"] == "there is no policy buy"
    assert problem(server.http.get("/v1/series/web?steps=0"), 422)["field"] == "steps"
