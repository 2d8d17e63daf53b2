"""Commands on capacity intent, plans and dependencies, and files of them, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nib.plans import (
    ContainerPlan,
    Dependency,
    PolicyRate,
    Predictor,
    PrewarmRequest,
    RatePlan,
    Shard,
)
from tests.commands import run_here
from tests.switch.capacity_rows import cleared, now_ms
from tests.switch.command_line import CommandLine

FILE = """
services:
- {name: web, vip: 10.0.0.100, port: 80}
- {name: db, vip: 10.0.0.101, port: 5432}
policies:
- {name: to-db, source: web, destination: db, max_bps: 50M}
scalings:
- {service: web, concurrency: 4, max_containers: 20}
provisionings:
- {policy: to-db, rates: both, floor_bps: 5M}
schedules:
- {name: night, cron: 0 2 * * *, duration_seconds: 3600, policy: to-db, max_bps: 1G}
overrides:
- {kind: service, name: db, containers: 2, until: 2099-01-01T00:00:00Z}
dependencies:
- {parent: web, child: db, verdict: pin, lag_ms: 4000}
"""


FOR_WEB = ("--service", "web", "--containers", "1")


@pytest.fixture(scope="module")
def running() -> Iterator[CommandLine]:
    with CommandLine.running() as prewire:
        prewire("service", "set", "web", "--vip", "10.0.0.100", "--port", "80")
        prewire("policy", "set", "to-web", "--to", "web", "--max", "50M")
        yield prewire


@pytest.fixture
def prewire(running: CommandLine) -> Iterator[CommandLine]:
    yield running
    cleared(running.nib)


def kept(found: Any, **wanted: Any) -> None:
    """Some members of an answer."""
    assert {name: found[name] for name in wanted} == wanted


def test_a_scaling_with_all_options(prewire: CommandLine) -> None:
    made = prewire.read(
        "scaling", "set", "web", "--mode", "observe", "--concurrency", "4", "--target-percent",
        "60", "--quantile", "0.95", "--min", "1", "--max", "9", "--hold", "1m", "--cold-start",
        "1.5s", "--target", "knative:shop/web",
    )  # fmt: skip
    assert made == prewire.read("scaling", "show", "web")
    assert made == prewire.read("scaling", "list")["items"][0]
    kept(
        made, mode="observe", concurrency=4, target_percent=60, quantile_permille=950,
        min_containers=1, max_containers=9, hold_seconds=60, cold_start_ms=1500,
        target="knative:shop/web",
    )  # fmt: skip
    prewire("scaling", "delete", "web")
    assert prewire.read("scaling", "list") == {"items": [], "next": None}


def test_a_service_shows_its_scaling_and_plan(prewire: CommandLine) -> None:
    assert "scaling" not in prewire("service", "show", "web")
    prewire("scaling", "set", "web", "--max", "20")
    assert prewire("service", "show", "web").endswith(
        "scaling            plan, 0 to 20 containers of 1 request each, 70 % full\n"
        "plan               none yet\n"
    )
    now = now_ms()
    prewire.write(ContainerPlan("web", 5, now, now + 60_000, "forecast", "p99 of 3.1", True, now))
    prewire.shown("plan               5 by forecast until 20", "service", "show", "web")
    prewire.shown("(stale): p99 of 3.1", "scaling", "show", "web")


def test_a_provisioning_with_all_options(prewire: CommandLine) -> None:
    made = prewire.read(
        "provisioning", "set", "to-web", "--rates", "both", "--headroom-percent", "20",
        "--quantile", "0.9", "--floor", "5M", "--ceiling", "200M",
    )  # fmt: skip
    assert made == prewire.read("provisioning", "show", "to-web")
    kept(made, rates="both", headroom_percent=20, quantile_permille=900, floor_bps=5_000_000)
    now = now_ms()
    plan = RatePlan("to-web", now, now + 60_000, "forecast", 80_000_000, reason="p99")
    prewire.write(plan, PolicyRate("to-web", "plan", now + 60_000, 80_000_000))
    prewire.shown("max 80M by forecast", "provisioning", "show", "to-web")
    prewire.shown("80M", "provisioning", "list")
    prewire.shown("in force           max 80M by plan until 20", "policy", "show", "to-web")
    prewire("provisioning", "delete", "to-web")


def test_a_schedule_with_all_options(prewire: CommandLine) -> None:
    made = prewire.read(
        "schedule", "set", "peak", "--cron", "55 7 * * 1-5", "--for", "8h", "--timezone",
        "Europe/Paris", "--service", "web", "--containers", "8",
    )  # fmt: skip
    assert made == prewire.read("schedule", "show", "peak")
    kept(made, cron="55 7 * * 1-5", duration_seconds=28_800, service="web", containers=8)
    assert "service web" in prewire("schedule", "list")
    of_rates = ("--policy", "to-web", "--max", "1G", "--guarantee", "10M")
    made = prewire.read("schedule", "set", "dump", "--cron", "0 2 * * *", "--for", "7d", *of_rates)
    kept(made, max_bps=10**9, guaranteed_bps=10**7, duration_seconds=604_800)
    prewire("schedule", "delete", "peak")


def test_an_override_for_a_while(prewire: CommandLine) -> None:
    words = ("override", "set", "service", "web", "--containers", "5", "--for", "20m")
    made = prewire.read(*words, "--reason", "load test")
    kept(made, kind="service", name="web", containers=5, reason="load test")
    until = ("--until", "2099-01-01T00:00:00+01:00")
    assert "change the scaling" in prewire.refused(
        "override", "set", "policy", "to-web", "--max", "1M", *until
    )
    assert "load test" in prewire("override", "list")
    assert prewire.read("override", "show", "service", "web")["until_ms"] == made["until_ms"]
    prewire("override", "delete", "service", "web")
    assert prewire.read("override", "list") == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("override", "set", "service", "web", "--containers", "5"),
            "until: nothing says when it ends",
        ),
        (
            (
                "schedule",
                "set",
                "x",
                "--cron",
                "* *",
                "--for",
                "1h",
                "--service",
                "web",
                "--containers",
                "1",
            ),
            "cron: ",
        ),
        (("scaling", "set", "buy"), "path: there is no service buy"),
        (("scaling", "set", "web/../db"), "name: "),
        (("scaling", "set", "web", "--target", "nomad:x"), "target: "),
        (("dependency", "pin", "web", "web"), "child: is the parent itself"),
        (("prewarm", "accept", "none", "--by", "x"), "path: there is no prewarm request none"),
        (("forecast", "web"), "predictor: no predictor minds service web"),
    ],
)
def test_what_cannot_be_is_one_line(
    prewire: CommandLine, words: tuple[str, ...], told: str
) -> None:
    assert told in prewire.refused(*words)


@pytest.mark.parametrize(
    "words",
    [
        ("scaling", "set", "web", "--quantile", "1.5"),
        ("scaling", "set", "web", "--quantile", "most"),
        ("schedule", "set", "x", "--cron", "* * * * *", "--for", "soon"),
        ("schedule", "set", "x", "--cron", "* * * * *", "--for", "1.5s"),
        ("override", "set", "switch", "s1", "--for", "1m"),
        ("provisioning", "set", "to-web", "--floor", "5MB"),
        ("dependency", "pin", "web"),
    ],
)
def test_wrong_usage(prewire: CommandLine, words: tuple[str, ...]) -> None:
    done = run_here(*words, env={"PREWIRE_API": prewire.server.settings.api_url})
    assert done.returncode == 2, done


def test_dependencies_are_pinned_and_drawn(prewire: CommandLine) -> None:
    assert prewire("dependency", "graph") == "no dependency is known\n"
    prewire.write(Dependency("shop", "db", 4000, "learned", 120, 2500))
    prewire.shown("12 %", "dependency", "list")
    prewire("dependency", "pin", "web", "shop", "--lag", "2s")
    prewire.shown("-> shop", "dependency", "graph")
    assert prewire("dependency", "graph") == (
        "web\n  -> shop after 2s (pinned)\n    -> db after 4s (learned)\n"
    )
    kept(prewire.read("dependency", "ban", "shop", "db"), source="banned", lag_ms=4000)
    assert "-> db" not in prewire("dependency", "graph")
    prewire("dependency", "forget", "shop", "db")
    assert prewire.read("dependency", "list", "--service", "db")["items"][0]["source"] == "learned"


def test_plans_and_requests_are_listed(prewire: CommandLine) -> None:
    assert "nothing is planned" in prewire("plans")
    now = now_ms()
    prewire.write(
        ContainerPlan("web", 5, now, now + 60_000, "dependency", "web is ahead"),
        RatePlan("to-web", now, now + 60_000, "schedule", 80_000_000, refused="cut to 80M"),
        PrewarmRequest("r1", "web", 5, 5, now, now + 5000, now + 60_000),
        Predictor("p1", "127.0.0.1:1", since_ms=now),
        Shard(3, "p1"),
    )
    prewire.shown("cut to 80M", "plans")
    assert "web is ahead" in prewire("plans")
    assert "platform" in prewire("prewarm", "accept", "r1", "--by", "platform")
    kept(prewire.read("prewarm", "list")["items"][0], state="accepted", accepted_by="platform")
    assert prewire.read("prewarm", "list", "--state", "ready") == {"items": [], "next": None}
    assert prewire.read("predictors")["items"][0]["shards"] == [3]
    assert "127.0.0.1:1" in prewire("predictors")


def test_a_file_of_all_kinds_is_applied_and_then_as_it_is(
    prewire: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "wanted.yaml"
    path.write_text(FILE.replace("2099-01-01T00:00:00Z", later()), "utf-8")
    printed = prewire("apply", "-f", str(path))
    assert printed.endswith("done: 7 created, 1 unchanged\n")
    assert f"    until_ms {later()[:10]}T" in printed
    assert prewire("plan", "-f", str(path)) == "plan: 8 unchanged\n"
    kept(prewire.read("scaling", "show", "web"), concurrency=4, max_containers=20)
    path.write_text("scalings: []\noverrides: []\n", "utf-8")
    printed = prewire("apply", "--prune", "-f", str(path))
    assert "- scaling web" in printed
    assert "- override service/db" in printed
    assert prewire.read("scaling", "list") == {"items": [], "next": None}
    prewire("policy", "delete", "to-db")
    prewire("service", "delete", "db")
    assert prewire.read("provisioning", "list") == {"items": [], "next": None}


def later() -> str:
    """Tomorrow, as a document has it."""
    return (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
