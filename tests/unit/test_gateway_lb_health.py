"""Which containers are checked, and what results amount to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_lb import health
from gateway_lb.health import Target, Verdict
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Health
from nib.policy import HealthCheck
from nib.records import Record
from nib.topology import Port, Switch

HERE, THERE = f"{1:016x}", f"{2:016x}"
MAC = "02:00:00:00:00:01"
CHECK = HealthCheck("http", rise=2, fall=3)
WEB = Service("web", "10.0.0.100", 80, number=1, generation=3, health=CHECK)
ONE = Container("web", "one", "10.0.0.1", 8080, MAC, iface_id="one", number=2, generation=4)
TARGET = Target("web", "one", 2, HERE, "10.0.0.100", "10.0.0.1", 8080, MAC, CHECK)
PORTS = (
    Port(HERE, "p1", 1, MAC, iface_id="one", up=True),
    Port(THERE, "p1", 1, MAC, iface_id="two", up=True),
    Port(HERE, "pwh", 9, MAC, iface_id=health.health_iface(HERE), up=True),
)


def view(*records: Record) -> Mirror:
    made = Mirror()
    for record in (Switch(HERE, 1, applied=4), *PORTS, *records):
        made.apply(RowChange(None, record))
    return made


def targets(service: Service, mirror: Mirror) -> dict[str, Target]:
    return health.targets_of(service, {HERE}, mirror)


def verdicts(check: HealthCheck, results: Iterable[bool]) -> list[bool | None]:
    """What is known after each result."""
    verdict, known = Verdict(), []
    for success in results:
        verdict = health.after(verdict, check, None if success else "no answer")
        known.append(verdict.up)
    return known


def test_a_container_behind_this_host_s_switch_is_checked_as_its_service_says() -> None:
    assert targets(WEB, view(WEB, ONE)) == {"one": TARGET}
    elsewhere = replace(WEB, health=replace(CHECK, port=9090))
    assert targets(elsewhere, view(elsewhere, ONE))["one"].port == 9090


@pytest.mark.parametrize(
    "other",
    [
        replace(ONE, iface_id="two"),
        replace(ONE, iface_id="nowhere"),
        replace(ONE, iface_id=None, switch=HERE, switch_port="p7"),
    ],
)
def test_other_containers_are_not(other: Container) -> None:
    assert targets(WEB, view(WEB, other)) == {}
    assert not health.is_current(TARGET, view(WEB, other))


AGENT_THERE = Port(THERE, "pwh", 9, MAC, iface_id=health.health_iface(THERE), up=True)


@pytest.mark.parametrize(
    ("records", "moved"),
    [
        ((WEB, replace(ONE, iface_id="two"), AGENT_THERE), True),
        ((WEB, replace(ONE, iface_id=None, switch=THERE, switch_port="p1"), AGENT_THERE), True),
        ((WEB, replace(ONE, iface_id="two")), False),  # nobody checks it there
        ((WEB, replace(ONE, iface_id="nowhere"), AGENT_THERE), False),
        ((WEB, ONE, AGENT_THERE), False),
        ((replace(WEB, health=None), replace(ONE, iface_id="two"), AGENT_THERE), False),
        ((WEB, AGENT_THERE), False),
    ],
)
def test_a_container_that_moved_is_another_agents(records: tuple[Record, ...], moved: bool) -> None:
    assert health.has_moved(TARGET, view(*records)) is moved


def test_without_a_check_nothing_is() -> None:
    plain = replace(WEB, health=None)
    assert targets(plain, view(plain, ONE)) == {}
    assert not health.is_current(TARGET, view(plain, ONE))
    assert not health.is_current(TARGET, view(WEB))


@pytest.mark.parametrize(
    ("service", "container"),
    [
        (WEB, replace(ONE, address="10.0.0.9")),
        (WEB, replace(ONE, port=81)),
        (WEB, replace(ONE, mac="02:00:00:00:00:02")),
        (WEB, replace(ONE, number=7)),
        (replace(WEB, vip="10.0.0.101"), ONE),
        (replace(WEB, health=replace(CHECK, path="/live")), ONE),
    ],
)
def test_a_change_that_matters_is_another_target(service: Service, container: Container) -> None:
    assert not health.is_current(TARGET, view(service, container))


def test_a_change_that_does_not_matter_is_none() -> None:
    other = replace(ONE, weight=7, generation=99, lease_seconds=5, lease_until_ms=7)
    assert health.is_current(TARGET, view(WEB, other))


@pytest.mark.parametrize(
    ("records", "ready"),
    [
        ((WEB, ONE), True),
        ((WEB, replace(ONE, generation=5)), False),
        ((replace(WEB, generation=5), ONE), False),
        ((WEB,), False),
    ],
)
def test_a_check_waits_until_the_switch_has_what_it_needs(
    records: tuple[Record, ...], ready: bool
) -> None:
    assert health.is_programmed(TARGET, view(*records)) is ready


def test_a_check_waits_for_the_health_port() -> None:
    mirror = view(WEB, ONE)
    mirror.apply(RowChange(PORTS[2], None))
    assert not health.is_programmed(TARGET, mirror)


U, D, N = True, False, None


@pytest.mark.parametrize(
    ("results", "known"),
    [
        ((U,), [U]),
        ((D, U), [N, U]),
        ((D, D, U), [N, N, U]),
        ((D, D, D), [N, N, D]),
        ((U, D, D, U, D, D, D), [U, U, U, U, U, U, D]),
        ((U, D, D, D, U, D, U, U), [U, U, U, D, D, D, D, U]),
    ],
)
def test_rise_and_fall(results: tuple[bool, ...], known: list[bool | None]) -> None:
    assert verdicts(CHECK, results) == known


@given(
    st.lists(st.booleans(), max_size=60),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_a_verdict_turns_after_exactly_so_many_results_in_a_row(
    results: list[bool], rise: int, fall: int
) -> None:
    known: list[bool | None] = [None, *verdicts(HealthCheck(rise=rise, fall=fall), results)]
    for place in range(1, len(known)):
        before, now = known[place - 1], known[place]
        needed = fall if not results[place - 1] else 1 if before is None else rise
        against = results[max(0, place - needed) : place]
        row_against = len(against) == needed and set(against) == {results[place - 1]}
        if before == results[place - 1] or not row_against:
            assert now == before
        else:
            assert now == results[place - 1]


def test_the_reason_is_the_last_failure() -> None:
    verdict = Verdict(up=True)
    for failure in ("no answer", "refused", "status 503"):
        verdict = health.after(verdict, CHECK, failure)
    assert health.row(TARGET, verdict) == Health("web", "one", False, "status 503")
    verdict = health.after(verdict, CHECK, "refused")
    assert health.row(TARGET, verdict) == Health("web", "one", False, "refused")
    for _ in range(2):
        verdict = health.after(verdict, CHECK, None)
    assert health.row(TARGET, verdict) == Health("web", "one", True)


@pytest.mark.parametrize(
    ("failure", "reason"), [("x" * 5000, "x" * 255), ("a\n\0\u2028é", "a???é"), ("", "")]
)
def test_a_reason_of_any_kind_fits_its_row(failure: str, reason: str) -> None:
    verdict = health.after(Verdict(), replace(CHECK, fall=1), failure)
    assert health.row(TARGET, verdict) == Health("web", "one", False, reason)


def test_nothing_known_is_no_row_and_a_row_is_taken_up() -> None:
    assert health.row(TARGET, Verdict()) is None
    assert health.adopted(None) == Verdict()
    for row in (Health("web", "one", True), Health("web", "one", False, "refused")):
        assert health.row(TARGET, health.adopted(row)) == row
