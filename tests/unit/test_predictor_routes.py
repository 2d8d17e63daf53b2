"""Capacity intent as REST takes it, what a request changes, and answers made of a view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nib.draft import Draft
from nib.errors import FieldError, NotFound
from nib.in_force import rates_in_force
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.plans import (
    SHARDS,
    Dependency,
    PolicyRate,
    Predictor,
    PrewarmRequest,
    RatePlan,
    Shard,
    shard_of,
)
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from nib.qos import Policy
from nib.records import Global, Record
from predictor.routes import intent
from predictor.routes.answers import override_out, provisioning_out, scaling_out, schedule_out
from predictor.routes.dependency_answers import dependency_graph, dependency_list
from predictor.routes.models import DependencyIn, OverrideIn, ProvisioningIn, ScalingIn, ScheduleIn
from predictor.routes.plan_answers import (
    predictor_list,
    prewarm_request_list,
    rate_plan_out,
)

NOW = 1_795_372_200_000  # 2026-11-22T18:30:00Z, a Sunday
MINUTE = 60_000
NIGHT = Schedule("night", "0 2 * * *", 3600, service="web", containers=3)
ROWS: tuple[Record, ...] = (
    Global(),
    Service("web", "10.0.0.100", 80, number=1),
    Container("web", "c1", "10.0.0.11", 80, "02:00:00:00:00:11", iface_id="c1", number=2),
    Policy("to-web", destination="web", max_bps=50_000_000, number=1),
)


@pytest.fixture
def draft() -> Draft:
    mirror = Mirror()
    for row in ROWS:
        mirror.apply(RowChange(None, row))
    return Draft(mirror)


def override(**body: Any) -> Override:
    return OverrideIn.model_validate(body).record("service", "web", NOW)


# ------------------------------------------------------------------------------- requests


def test_plain_requests_have_the_records_defaults() -> None:
    assert ScalingIn.model_validate({}).record("web") == Scaling("web")
    assert ProvisioningIn.model_validate({}).record("to-web") == Provisioning("to-web")


def test_requests_with_everything() -> None:
    body: dict[str, Any] = {
        "mode": "observe", "concurrency": 4, "target_percent": 60, "quantile_permille": 950,
        "min_containers": 1, "max_containers": 9, "hold_seconds": 60, "cold_start_ms": 1500,
        "target": "process:web",
    }  # fmt: skip
    assert ScalingIn.model_validate(body).record("web") == Scaling("web", **body)
    rates = {"rates": "both", "floor_bps": "5M", "ceiling_bps": 10**8, "headroom_percent": 20}
    assert ProvisioningIn.model_validate(rates).record("p") == Provisioning(
        "p", "both", 20, 990, 5_000_000, 10**8
    )
    times = {"cron": "0 2 * * *", "duration_seconds": 60, "policy": "p", "max_bps": "1G"}
    assert ScheduleIn.model_validate(times).record("s") == Schedule(
        "s", "0 2 * * *", 60, policy="p", max_bps=10**9
    )
    assert DependencyIn.model_validate({"verdict": "pin", "lag_ms": 5}).record(
        "a", "b"
    ) == DependencyRule("a", "b", "pin", 5)


def test_an_override_ends_when_it_says() -> None:
    assert override(containers=5, **{"for": "20m"}).until_ms == NOW + 20 * MINUTE
    assert override(containers=5, until="2026-11-22T19:00:00Z").until_ms == NOW + 30 * MINUTE


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"until": "2026-11-22T18:30:00Z"}, "until"),
        ({"until": ""}, "until"),
        ({"for": ""}, "for"),
        ({"for": "0.0001ms"}, "for"),
        ({"for": "367d"}, "for"),
        ({}, "until"),
        ({"for": "1m", "until": "2026-11-22T19:00:00Z"}, "until"),
    ],
)
def test_an_override_that_is_over_or_endless_is_refused(body: dict[str, Any], field: str) -> None:
    with pytest.raises(FieldError) as caught:
        override(containers=5, **body)
    assert (caught.value.field, bool(caught.value.remedy)) == (field, True)


def test_a_rate_that_is_none_names_its_field() -> None:
    with pytest.raises(FieldError, match=r"^ceiling_bps: '5MB' may mean bytes"):
        ProvisioningIn.model_validate({"ceiling_bps": "5MB"}).record("p")


# ------------------------------------------------------------------------------- changes


@pytest.mark.parametrize(
    "record",
    [
        Scaling("web"),
        Provisioning("to-web"),
        NIGHT,
        Override("policy", "to-web", NOW, max_bps=10**6),
        DependencyRule("web", "buy", "pin"),
    ],
)
def test_what_is_put_is_stored_once_and_deleted(draft: Draft, record: Any) -> None:
    before = draft.generation
    assert intent.put(record)(draft).created
    assert draft.generation == before + 1
    again = intent.put(record)(draft)
    assert (again.created, again.record) == (False, draft.need(type(record), record.key))
    intent.delete(type(record), record.key)(draft)
    with pytest.raises(NotFound):
        intent.delete(type(record), record.key)(draft)


@pytest.mark.parametrize(
    ("record", "missing"),
    [
        (Scaling("buy"), "there is no service buy"),
        (Provisioning("buy"), "there is no policy buy"),
        (Override("service", "to-web", NOW, 5), "there is no service to-web"),
        (Override("policy", "web", NOW, max_bps=10**6), "there is no policy web"),
    ],
)
def test_what_is_about_nothing_is_refused(draft: Draft, record: Any, missing: str) -> None:
    with pytest.raises(NotFound, match=f"^{missing}$"):
        intent.put(record)(draft)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Schedule("s", "61 * * * *", 60, "web", containers=1), "cron"),
        (lambda: Schedule("s", "@daily", 60, "web", containers=1), "cron"),
        (lambda: Schedule("s", "0 2 * * *", 60, "web", None, "Mars/Base", 1), "timezone"),
        (lambda: Scaling("web", target="nomad:web"), "target"),
        (lambda: Scaling("web", target="knative:web"), "target"),
    ],
)
def test_what_cannot_be_read_is_refused(draft: Draft, make: Callable[[], Any], field: str) -> None:
    with pytest.raises(FieldError) as caught:
        intent.put(make())(draft)
    assert (caught.value.field, bool(caught.value.remedy)) == (field, True)


# ------------------------------------------------------------------------------- answers


def test_a_draining_container_is_not_present(draft: Draft) -> None:
    draining = Container(
        "web", "c2", "10.0.0.12", 80, "02:00:00:00:00:12", iface_id="c2", state="draining",
        drain_until_ms=NOW,
    )  # fmt: skip
    draft.put(draining)
    told = scaling_out(draft.put(Scaling("web")), draft, NOW)
    assert (told.present, told.ready, told.plan) == (1, 1, None)


def test_a_schedule_holds_from_its_start_for_its_duration(draft: Draft) -> None:
    two = NOW + 7 * 60 * MINUTE + 30 * MINUTE  # 02:00 of the next day
    told = schedule_out(NIGHT, draft, NOW)
    assert (told.next_ms, told.holds_until_ms, told.state) == (two, None, "active")
    within = schedule_out(NIGHT, draft, two + MINUTE)
    assert (within.holds_until_ms, within.next_ms) == (two + 60 * MINUTE, two + 24 * 60 * MINUTE)
    assert schedule_out(NIGHT, draft, two + 60 * MINUTE).holds_until_ms is None


def test_a_schedule_whose_time_zone_is_not_known_here_waits(draft: Draft) -> None:
    told = schedule_out(replace(NIGHT, timezone="Mars/Base"), draft, NOW)
    assert (told.state, told.next_ms, told.holds_until_ms) == ("waiting", None, None)
    assert told.reason.startswith("timezone: ")


def test_an_override_counts_down_to_nothing() -> None:
    row = Override("service", "web", NOW + 1500, 5)
    assert override_out(row, NOW).seconds_left == 1.5
    assert override_out(row, NOW + 9000).seconds_left == 0


def test_rates_in_force_are_the_policys_where_nobody_says_otherwise(draft: Draft) -> None:
    policy = draft.need(Policy, "to-web")
    assert rates_in_force(policy, draft).source == "policy"
    draft.put(PolicyRate("to-web", "override", NOW, None, 10**7))
    told = rates_in_force(policy, draft)
    assert (told.max_bps, told.guaranteed_bps, told.source) == (50_000_000, 10**7, "override")
    assert provisioning_out(Provisioning("to-web"), draft, NOW).in_force == told


@pytest.mark.parametrize(("at_ms", "valid"), [(0, False), (1, True), (9, True), (10, False)])
def test_a_plan_is_valid_from_its_start_to_before_its_end(
    draft: Draft, at_ms: int, valid: bool
) -> None:
    plan = RatePlan("to-web", 1, 10, "forecast", 10**6)
    assert rate_plan_out(plan, draft, at_ms).valid is valid


def test_requests_are_listed_newest_first(draft: Draft) -> None:
    for number, state in enumerate(("ready", "requested", "expired")):
        draft.put(PrewarmRequest(f"r{number}", "web", 2, 1, number, 9, 9, state))
    found = prewarm_request_list(draft, None, None).items
    assert [each.id for each in found] == ["r2", "r1", "r0"]
    assert [each.id for each in prewarm_request_list(draft, "web", "ready").items] == ["r0"]
    assert prewarm_request_list(draft, "db", None).items == []


def test_what_nobody_holds_is_no_predictors(draft: Draft) -> None:
    draft.put(Scaling("web"))
    draft.put(Predictor("p1", "127.0.0.1:1"))
    for number in range(SHARDS):
        if number != shard_of("web"):
            draft.put(Shard(number, "p1"))
    found = predictor_list(draft).items[0]
    assert (len(found.shards), found.services) == (SHARDS - 1, 0)


def test_an_operators_word_comes_before_what_was_learned(draft: Draft) -> None:
    draft.put(Dependency("a", "b", 1000, "learned", 100, 500))
    draft.put(Dependency("b", "c", 2000))
    draft.put(DependencyRule("a", "b", "ban"))
    draft.put(DependencyRule("c", "d", "pin"))
    told = {(each.parent, each.child): each for each in dependency_list(draft).items}
    assert {key: each.source for key, each in told.items()} == {
        ("a", "b"): "banned", ("b", "c"): "learned", ("c", "d"): "pinned",
    }  # fmt: skip
    assert (told["a", "b"].lag_ms, told["c", "d"].lag_ms) == (1000, None)
    graph = dependency_graph(draft)
    assert [each.id for each in graph.nodes] == ["b", "c", "d"]
    assert [(each.source, each.target) for each in graph.edges] == [("b", "c"), ("c", "d")]
    assert [each.child for each in dependency_list(draft, "d").items] == ["d"]


@pytest.mark.parametrize("name", ["web", "a", "x" * 63])
def test_a_name_is_in_one_shard_always(name: str) -> None:
    assert 0 <= shard_of(name) < SHARDS


def test_shards_are_the_same_in_every_version() -> None:
    assert [shard_of(name) for name in ("web", "db", "shop")] == [1, 8, 2]
