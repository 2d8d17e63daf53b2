"""The life of a prewarm request, and what counts as ready in time."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from nib.errors import FieldError
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Health
from nib.plans import REQUEST_STATES, ContainerPlan, PrewarmRequest
from nib.policy import HealthCheck
from predictor.outward import life
from predictor.outward.present import Standing, standing

REQUEST = PrewarmRequest(
    id="r1",
    service="shop",
    containers=3,
    missing=2,
    requested_ms=1_000,
    needed_ms=4_000,
    deadline_ms=30_000,
)
ACCEPTED = life.accept(REQUEST, "platform-a", 1_500)


def plan(containers: int) -> ContainerPlan:
    return ContainerPlan("shop", containers, 0, 60_000, "forecast", "p99 of 3 s")


def wanted(containers: int, present: int, *requests: PrewarmRequest) -> PrewarmRequest | None:
    return life.wanted(
        plan(containers),
        present,
        requests,
        request_id="new",
        now_ms=2_000,
        needed_ms=5_000,
        deadline_ms=40_000,
    )


def test_every_state_has_a_place_in_the_table() -> None:
    states = {state for state, _ in life.TRANSITIONS} | set(life.TRANSITIONS.values())
    assert states == REQUEST_STATES
    assert {"requested", "accepted"} == life.OPEN


def test_a_request_is_accepted_and_then_ready() -> None:
    assert (ACCEPTED.state, ACCEPTED.accepted_by, ACCEPTED.accepted_ms) == (
        "accepted",
        "platform-a",
        1_500,
    )
    assert life.step(ACCEPTED, 2, 2_000) is ACCEPTED
    done = life.step(ACCEPTED, 3, 2_500)
    assert (done.state, done.ended_ms) == ("ready", 2_500)


def test_a_request_that_nobody_accepts_may_be_ready_all_the_same() -> None:
    assert life.step(REQUEST, 5, 2_000).state == "ready"


@pytest.mark.parametrize("request_", [REQUEST, ACCEPTED])
def test_a_request_expires_at_its_deadline_and_not_before(request_: PrewarmRequest) -> None:
    assert life.step(request_, 2, 29_999) is request_
    late = life.step(request_, 2, 30_000)
    assert (late.state, late.ended_ms) == ("expired", 30_000)
    assert late.reason == "not ready by its deadline: 2 of 3"


def test_containers_ready_at_the_deadline_are_ready() -> None:
    assert life.step(REQUEST, 3, 30_000).state == "ready"


def test_what_has_ended_changes_no_more() -> None:
    for ended in (life.step(REQUEST, 3, 2_000), life.step(REQUEST, 0, 30_000)):
        for ready, now_ms in product((0, 9), (3_000, 90_000)):
            assert life.step(ended, ready, now_ms) is ended
        assert life.withdraw(ended, 5_000, "no need") is ended
        with pytest.raises(life.LifeError, match=f"is {ended.state}"):
            life.accept(ended, "platform-a", 5_000)


def test_accepting_twice_is_once_and_another_is_told_who_has_it() -> None:
    assert life.accept(ACCEPTED, "platform-a", 9_000) is ACCEPTED
    with pytest.raises(life.LifeError, match="accepted by platform-a") as error:
        life.accept(ACCEPTED, "platform-b", 9_000)
    assert error.value.taken_by == "platform-a"


def test_who_accepts_has_a_name() -> None:
    with pytest.raises(FieldError, match="by: "):
        life.accept(REQUEST, "", 1_500)


def test_a_plan_asks_for_what_is_neither_there_nor_asked_for() -> None:
    first = wanted(3, 1)
    assert first is not None
    assert (first.containers, first.missing) == (3, 2)
    assert (first.requested_ms, first.needed_ms, first.deadline_ms) == (2_000, 5_000, 40_000)
    assert wanted(3, 1, first) is None
    more = wanted(5, 1, first)
    assert more is not None
    assert (more.containers, more.missing) == (5, 2)
    assert wanted(5, 1, first, more) is None
    assert wanted(5, 5) is None
    assert wanted(0, 0) is None


def test_what_has_ended_or_is_of_another_service_covers_nothing() -> None:
    ended = life.step(REQUEST, 0, 30_000)
    other = replace(REQUEST, service="other", containers=9)
    again = wanted(3, 1, ended, other)
    assert again is not None
    assert again.missing == 2


def test_a_request_is_in_time_if_it_is_ready_when_it_is_needed() -> None:
    assert life.in_time(life.step(REQUEST, 3, 4_000)) is True
    assert life.in_time(life.step(REQUEST, 3, 4_001)) is False
    assert life.in_time(life.step(REQUEST, 0, 30_000)) is False
    assert life.in_time(REQUEST) is None
    assert life.in_time(life.withdraw(ACCEPTED, 2_000, "the plan is for 1")) is None


def test_the_diagram_has_every_transition() -> None:
    assert len(life.diagram().splitlines()) == len(life.TRANSITIONS)
    assert "requested --accept--> accepted" in life.diagram()


def seen(*records: Service | Container | Health) -> Mirror:
    mirror = Mirror()
    for record in records:
        mirror.apply(RowChange(None, record))
    return mirror


def container(number: int, state: str = "ready") -> Container:
    return Container(
        service="shop",
        id=f"c{number}",
        address=f"10.1.0.{number}",
        port=80,
        mac=f"02:00:00:00:00:{number:02x}",
        iface_id=f"i{number}",
        state=state,
        drain_until_ms=9 if state == "draining" else None,
    )


def test_containers_that_drain_are_not_there() -> None:
    view = seen(Service("shop", "10.0.0.1", 80), container(1), container(2, "draining"))
    assert standing(view, "shop") == Standing(present=1, ready=1)
    assert standing(view, "other") == Standing(0, 0)


def test_with_a_health_check_a_container_is_ready_once_it_passed() -> None:
    service = Service("shop", "10.0.0.1", 80, health=HealthCheck())
    rows = (container(1), container(2), container(3))
    checked = (Health("shop", "c1", True), Health("shop", "c2", False, "refused"))
    assert standing(seen(service, *rows, *checked), "shop") == Standing(present=3, ready=1)
