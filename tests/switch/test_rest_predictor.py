"""Scaling, provisioning, schedules and overrides through a real REST server and database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from nib.database import Nib
from nib.prewarm import Override
from tests.switch.capacity_rows import cleared, now_ms, seen, serving_web, written
from tests.switch.rest_server import RestServer, problem

SCALING: Final = "/v1/services/web/scaling"
PROVISIONING: Final = "/v1/policies/to-web/provisioning"
SCHEDULE: Final = "/v1/schedules/morning"
OF_WEB: Final = "/v1/overrides/service/web"
OF_POLICY: Final = "/v1/overrides/policy/to-web"
MORNING: Final = {
    "cron": "55 7 * * mon-fri", "timezone": "Europe/Paris", "duration_seconds": 3600,
    "service": "web", "containers": 8,
}  # fmt: skip
HUGE: Final = 10**30


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


# ------------------------------------------------------------------------------- scaling


def test_a_scaling_comes_and_goes(server: RestServer) -> None:
    made = server.put(SCALING, concurrency=4, max_containers=20)
    assert made.status_code == 201
    assert int(made.headers["Prewire-Generation"]) == server.generation()
    told = made.json()
    assert told == server.http.get(SCALING).json()
    assert (told["concurrency"], told["max_containers"], told["mode"]) == (4, 20, "plan")
    assert (told["plan"], told["present"], told["ready"]) == (None, 1, 1)
    again = server.put(SCALING, mode="observe")
    assert (again.status_code, again.json()["concurrency"]) == (200, 1)
    listed = server.http.get("/v1/scalings").json()["items"]
    assert [each["service"] for each in listed] == ["web"]
    assert server.http.get("/v1/scalings?service=db").json()["items"] == []
    assert server.http.delete(SCALING).status_code == 204
    assert problem(server.http.get(SCALING), 404)["detail"] == "there is no scaling web"


def test_a_put_that_changes_nothing_keeps_its_generation(server: RestServer) -> None:
    first = server.put(SCALING, concurrency=4).json()["generation"]
    assert server.put(SCALING, concurrency=4).json()["generation"] == first


def test_a_scaling_goes_with_its_service(server: RestServer) -> None:
    server.put("/v1/services/idle", vip="10.0.0.109", port=80)
    assert server.put("/v1/services/idle/scaling").status_code == 201
    assert server.http.delete("/v1/services/idle").status_code == 204
    assert server.http.get("/v1/scalings").json()["items"] == []


def test_a_service_that_is_not_there_does_not_scale(server: RestServer) -> None:
    told = problem(server.put("/v1/services/buy/scaling"), 404)
    assert told["detail"] == "there is no service buy"


@pytest.mark.parametrize(
    ("body", "field", "remedy"),
    [
        ({"concurrency": 0}, "concurrency", "give 1 to 100000"),
        ({"concurrency": HUGE}, "concurrency", "give 1 to 100000"),
        ({"min_containers": 9, "max_containers": 3}, "min_containers", "at most the maximum"),
        ({"target_percent": 0}, "target_percent", "give 1 to 100"),
        ({"quantile_permille": 1000}, "quantile_permille", "give 500 to 999"),
        ({"hold_seconds": "20s"}, "hold_seconds", "/docs"),
        ({"mode": "guess"}, "mode", "/docs"),
        ({"target": "knative"}, "target", "knative:"),
        ({"target": "nomad:a/b"}, "target", "knative"),
        ({"replicas": 3}, "replicas", "remove replicas"),
    ],
)
def test_a_scaling_that_cannot_be_is_refused(
    server: RestServer, body: dict[str, Any], field: str, remedy: str
) -> None:
    told = problem(server.put(SCALING, **body), 422)
    assert told["field"] == field
    assert remedy in told["remedy"]
    assert server.http.get("/v1/scalings").json()["items"] == []


# ------------------------------------------------------------------------------- rates


def test_a_provisioning_comes_and_goes(server: RestServer) -> None:
    made = server.put(PROVISIONING, rates="both", floor_bps="5M", ceiling_bps="200M")
    assert made.status_code == 201
    told = made.json()
    assert told == server.http.get(PROVISIONING).json()
    assert (told["floor_bps"], told["ceiling_bps"], told["plan"]) == (5_000_000, 200_000_000, None)
    assert told["in_force"] == {
        "max_bps": 50_000_000, "guaranteed_bps": None, "source": "policy", "until_ms": None,
    }  # fmt: skip
    assert server.http.get("/v1/provisionings?policy=to-web").json()["items"] == [told]
    assert server.http.delete(PROVISIONING).status_code == 204
    assert (
        problem(server.http.get(PROVISIONING), 404)["detail"] == "there is no provisioning to-web"
    )


@pytest.mark.parametrize(
    ("body", "field", "remedy"),
    [
        ({"floor_bps": "5MB"}, "floor_bps", '"10M"'),
        ({"floor_bps": "5M", "ceiling_bps": "4M"}, "ceiling_bps", "at least the floor"),
        ({"headroom_percent": -1}, "headroom_percent", "give 0 to 1000"),
        ({"rates": "min"}, "rates", "/docs"),
        ({"quantile": 0.9}, "quantile", "remove quantile"),
    ],
)
def test_a_provisioning_that_cannot_be_is_refused(
    server: RestServer, body: dict[str, Any], field: str, remedy: str
) -> None:
    told = problem(server.put(PROVISIONING, **body), 422)
    assert told["field"] == field
    assert remedy in told["remedy"]


def test_a_policy_that_is_not_there_is_not_provisioned(server: RestServer) -> None:
    told = problem(server.put("/v1/policies/dump/provisioning"), 404)
    assert told["detail"] == "there is no policy dump"


# ------------------------------------------------------------------------------- schedules


def test_a_schedule_comes_and_goes(server: RestServer) -> None:
    made = server.put(SCHEDULE, **MORNING)
    assert made.status_code == 201
    told = made.json()
    assert (told["state"], told["reason"]) == ("active", "")
    begins = datetime.fromtimestamp(told["next_ms"] / 1000, UTC)
    assert now_ms() < told["next_ms"] < now_ms() + 4 * 86_400_000
    assert (begins.minute, begins.weekday() < 5) == (55, True)
    assert [each["name"] for each in server.http.get("/v1/schedules").json()["items"]] == [
        "morning"
    ]
    assert server.http.delete(SCHEDULE).status_code == 204
    assert problem(server.http.get(SCHEDULE), 404)["detail"] == "there is no schedule morning"


def test_a_schedule_that_holds_says_until_when(server: RestServer) -> None:
    body = {**MORNING, "cron": "* * * * *", "duration_seconds": 120}
    told = server.put(SCHEDULE, **body).json()
    assert now_ms() < told["holds_until_ms"] <= now_ms() + 120_000


def test_a_schedule_of_what_is_not_there_yet_waits(server: RestServer) -> None:
    body = {"cron": "0 2 * * *", "duration_seconds": 60, "policy": "dump", "max_bps": "1G"}
    told = server.put(SCHEDULE, **body).json()
    assert (told["state"], told["reason"]) == ("waiting", "there is no policy dump")


@pytest.mark.parametrize(
    ("change", "field", "remedy"),
    [
        ({"cron": "61 * * * *"}, "cron", "crontab(5)"),
        ({"cron": "every day"}, "cron", "crontab(5)"),
        ({"cron": "0 0 30 2 *"}, "cron", "crontab(5)"),
        ({"timezone": "Europe/Atlantis"}, "timezone", "IANA"),
        ({"timezone": "../../etc/passwd"}, "timezone", "IANA"),
        ({"duration_seconds": 0}, "duration_seconds", "give 1 to 2678400"),
        ({"policy": "to-web"}, "service", "name one service, or one policy"),
        ({"service": None}, "service", "name one service, or one policy"),
        ({"max_bps": "1M"}, "max_bps", "name a policy"),
        ({"containers": None}, "containers", "say how many"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    server: RestServer, change: dict[str, Any], field: str, remedy: str
) -> None:
    told = problem(server.put(SCHEDULE, **(MORNING | change)), 422)
    assert told["field"] == field
    assert remedy in told["remedy"]
    assert server.http.get("/v1/schedules").json()["items"] == []


# ------------------------------------------------------------------------------- overrides


def test_an_override_lasts_as_long_as_it_says(server: RestServer) -> None:
    made = server.put(OF_WEB, containers=5, **{"for": "20m"}, reason="load test")
    assert made.status_code == 201
    told = made.json()
    assert (told["containers"], told["reason"]) == (5, "load test")
    assert 1190 < told["seconds_left"] <= 1200
    assert now_ms() + 1_190_000 < told["until_ms"] <= now_ms() + 1_200_000
    found = server.http.get(OF_WEB).json()
    assert found["until_ms"] == told["until_ms"]
    assert server.http.delete(OF_WEB).status_code == 204
    assert problem(server.http.get(OF_WEB), 404)["detail"] == "there is no override service/web"


def test_an_override_until_a_time(server: RestServer) -> None:
    until = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    told = server.put(OF_POLICY, max_bps="100M", until=until.isoformat()).json()
    assert told["until_ms"] == round(until.timestamp() * 1000)
    assert (told["max_bps"], told["guaranteed_bps"]) == (100_000_000, None)
    items = server.http.get("/v1/overrides").json()["items"]
    assert [(each["kind"], each["name"]) for each in items] == [("policy", "to-web")]


@pytest.mark.parametrize(
    ("body", "field", "remedy"),
    [
        ({"until": "2020-01-01T00:00:00Z"}, "until", "give a time to come"),
        ({"until": "tomorrow"}, "until", "RFC 3339"),
        ({"until": "2030-01-01T00:00:00"}, "until", "RFC 3339"),
        ({"until": "2030-02-30T00:00:00Z"}, "until", "RFC 3339"),
        ({"until": "9999-01-01T00:00:00Z"}, "until", "RFC 3339"),
        ({"until": "2199-01-01T00:00:00Z"}, "until", "change the scaling"),
        ({"for": "0s"}, "for", "give a time to come"),
        ({"for": "soon"}, "for", "20m"),
        ({"for": "999999999d"}, "for", "change the scaling"),
        ({"for": 20}, "for", "/docs"),
        ({}, "until", "give either until or for"),
        ({"for": "20m", "until": "2030-01-01T00:00:00Z"}, "until", "give either until or for"),
        ({"for": "20m", "containers": None}, "containers", "say how many containers"),
        ({"for": "20m", "max_bps": "1M"}, "max_bps", "name a policy"),
        ({"for": "20m", "reason": "x" * 256}, "reason", "0 to 255"),
    ],
)
def test_an_override_that_cannot_be_is_refused(
    server: RestServer, body: dict[str, Any], field: str, remedy: str
) -> None:
    told = problem(server.put(OF_WEB, **({"containers": 5} | body)), 422)
    assert told["field"] == field
    assert remedy in told["remedy"]
    assert server.http.get("/v1/overrides").json()["items"] == []


def test_an_override_of_what_is_not_there_is_refused(server: RestServer) -> None:
    body = {"max_bps": "1M", "for": "1m"}
    told = problem(server.put("/v1/overrides/policy/dump", **body), 404)
    assert told["detail"] == "there is no policy dump"
    assert problem(server.put("/v1/overrides/switch/s1", **body), 422)["field"] == "kind"


def test_an_override_that_is_over_says_so(server: RestServer, nib: Nib) -> None:
    written(nib, Override("service", "web", now_ms() - 1000, 5))
    found = seen(server, "/v1/overrides", lambda told: bool(told["items"]))
    assert found["items"][0]["seconds_left"] == 0
