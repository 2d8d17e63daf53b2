"""What rows make of a container's state and share, one reason at a time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from gateway_lb.balance import Standing, Standings, container_standing, service_standings
from gateway_lb.verdicts import STATES
from nib.errors import NotFound
from nib.intent import Container, Service
from nib.mirror import Mirror, RowChange
from nib.observed import Connections, Ejected, Health, Report
from nib.policy import Canary, Ejection, HealthCheck
from nib.records import Record
from nib.topology import Port

NOW = 1_000_000
DPID = "0000000000000001"
MAC = "02:00:00:00:00:01"
WEB = Service("web", "10.0.0.100", 80, number=9)


def container(number: int, **changes: Any) -> Container:
    made = Container(
        "web", f"c{number}", f"10.0.1.{number}", 80, MAC, iface_id=f"i{number}", number=number
    )
    return replace(made, **changes)


def standings(service: Service, *rows: Record, now_ms: int = NOW) -> Standings:
    """Of a service whose containers' ports are all there, except that of number 9. What is found of
    each container by itself is the same."""
    mirror = Mirror()
    ports = (Port(DPID, f"p{number}", number, MAC, iface_id=f"i{number}") for number in range(1, 9))
    for record in (service, *ports, *rows):
        mirror.apply(RowChange(mirror.get(type(record), record.key), record))
    found = service_standings("web", mirror, now_ms)
    for each in found.items:
        one = container_standing(each.container, mirror, now_ms)
        assert replace(one, weight=0) == replace(each, weight=0)
    return found


def shares(found: Standings) -> list[Fraction]:
    total = sum(found.weights.values())
    return [Fraction(weight, total) for weight in found.weights.values()]


def alone(*rows: Record, **service: Any) -> Standing:
    """The standing of container 1, beside a ready one."""
    return standings(replace(WEB, **service), container(2), *rows).items[0]


def test_a_service_that_is_not_there() -> None:
    with pytest.raises(NotFound):
        service_standings("web", Mirror(), NOW)


def test_a_service_without_containers() -> None:
    assert standings(WEB) == Standings((), None, panic=False)


def test_containers_come_by_number_with_their_weights() -> None:
    found = standings(WEB, container(3, weight=4), container(1, weight=6))
    assert [(each.container.number, each.weight, each.state) for each in found.items] == [
        (1, 3, "ready"),
        (3, 2, "ready"),
    ]
    assert found.weights == {1: 3, 3: 2}
    assert (found.next_ms, found.panic) == (None, False)


def test_an_absent_report_is_no_failure() -> None:
    assert alone(container(1)) == Standing(container(1), 1, "ready", "", None)


DRAINING = container(1, state="draining", drain_until_ms=NOW + 1)
CHECK = HealthCheck("http")
# Every reason, with its service and rows, in the order of their ranks.
REASONS: tuple[tuple[str, str, dict[str, Any], tuple[Record, ...]], ...] = (
    ("draining", "taken out of service", {}, (DRAINING,)),
    ("draining", "reported drain", {}, (container(1), Report("web", "c1", word="drain"))),
    ("unplaced", "no switch has the port", {}, (container(1, iface_id="elsewhere"),)),
    ("down", "reported down", {}, (container(1), Report("web", "c1", word="down"))),
    ("unchecked", "http check", {"health": CHECK}, (container(1),)),
    ("down", "refused", {"health": CHECK}, (container(1), Health("web", "c1", False, "refused"))),
    (
        "ejected",
        "5 of 5",
        {"ejection": Ejection()},
        (container(1), Ejected("web", "c1", NOW + 1, reason="5 of 5 connections failed")),
    ),
    (
        "full",
        "7 in flight, at most 7",
        {},
        (container(1, max_inflight=7), Report("web", "c1", inflight=7)),
    ),
    ("idle", "weight is 0", {}, (container(1, weight=0),)),
    ("idle", "reported 0%", {}, (container(1), Report("web", "c1", percent=0))),
    ("idle", "has 0 %", {"canary": Canary("v2", 0)}, (container(1, version="v2"),)),
    ("idle", "has 0 %", {"canary": Canary("v2", 100)}, (container(1),)),
)


@pytest.mark.parametrize(("state", "reason", "service", "rows"), REASONS)
def test_every_reason_for_getting_nothing(
    state: str, reason: str, service: dict[str, Any], rows: tuple[Record, ...]
) -> None:
    other = container(2, version=None if service.get("canary") == Canary("v2", 0) else "v2")
    health = (Health("web", "c2", True),)
    found = standings(replace(WEB, **service), other, *rows, *health).items
    assert (found[0].state, found[0].weight) == (state, 0)
    assert reason in found[0].reason
    assert (found[1].state, found[1].weight, found[1].reason) == ("ready", 1, "")
    assert state in STATES


def test_a_cap_moves_no_slot() -> None:
    """The controller passes a container by that is at its cap, connection by connection."""
    rows = (container(1, max_connections=2), container(2), Connections("web", "c1", 3, NOW))
    capped, other = standings(WEB, *rows).items
    assert (capped.state, capped.reason) == ("full", "3 connections, at most 2")
    assert capped.weight == other.weight == 1


def test_the_first_reason_counts() -> None:
    """Each row added outranks those before."""
    service = replace(WEB, health=CHECK, ejection=Ejection())
    rows: list[Record] = [
        container(2),
        Health("web", "c2", True),
        Health("web", "c1", True),
        container(1, weight=0),
    ]
    worse: list[tuple[Record, str]] = [
        (container(1, weight=0, max_inflight=1), "idle"),
        (Report("web", "c1", inflight=1, percent=0), "full"),
        (Ejected("web", "c1", NOW + 1), "ejected"),
        (Health("web", "c1", False), "down"),
        (Report("web", "c1", word="down"), "down"),
        (container(1, iface_id="elsewhere"), "unplaced"),
        (Report("web", "c1", word="drain"), "draining"),
    ]
    for row, state in worse:
        rows.append(row)
        assert standings(service, *rows).items[0].state == state


def test_what_a_service_does_not_ask_for_is_not_heeded() -> None:
    assert alone(container(1), Health("web", "c1", False)).state == "ready"
    assert alone(container(1), Ejected("web", "c1", NOW + 9)).state == "ready"


def test_an_ejection_ends() -> None:
    rows = (container(1), container(2), Ejected("web", "c1", NOW + 500))
    service = replace(WEB, ejection=Ejection())
    assert standings(service, *rows).next_ms == NOW + 500
    back = standings(service, *rows, now_ms=NOW + 500)
    assert (back.items[0].state, back.next_ms) == ("ready", None)


def test_in_flight_is_what_was_reported_else_the_open_connections() -> None:
    connections = Connections("web", "c1", 5, NOW)
    assert alone(container(1), connections).inflight == 5
    assert alone(container(1), connections, Report("web", "c1", percent=50)).inflight == 5
    assert alone(container(1), connections, Report("web", "c1", inflight=0)).inflight == 0


@pytest.mark.parametrize("policy", ["weighted", "least_inflight", "source_affinity"])
def test_a_full_container_has_no_room_under_any_policy(policy: str) -> None:
    rows = (container(1, max_inflight=8), Connections("web", "c1", 5, NOW))
    assert alone(*rows, policy=policy).state == "ready"
    assert alone(*rows, Report("web", "c1", max_inflight=5), policy=policy).state == "full"
    assert alone(*rows, Report("web", "c1", inflight=8), policy=policy).state == "full"


def test_reported_percentages_scale_weights() -> None:
    found = standings(
        WEB, container(1, weight=3), container(2, weight=2), Report("web", "c1", percent=50)
    )
    assert found.weights == {1: 3, 2: 4}


# ------------------------------------------------------------------------------- least in flight

LEAST = replace(WEB, policy="least_inflight")


def inflight(number: int, count: int) -> Report:
    return Report("web", f"c{number}", inflight=count)


def test_slots_follow_free_capacity() -> None:
    rows = [container(number, max_inflight=10) for number in (1, 2, 3)]
    found = standings(LEAST, *rows, inflight(1, 9), inflight(2, 4))
    assert found.weights == {1: 1, 2: 6, 3: 10}


def test_without_capacities_shares_go_with_one_over_in_flight() -> None:
    rows = [container(1), container(2), container(3, weight=2)]
    assert standings(LEAST, *rows, inflight(1, 3), inflight(2, 1)).weights == {1: 1, 2: 2, 3: 8}


def test_an_unknown_capacity_is_taken_for_the_mean_of_the_known() -> None:
    rows = [container(1, max_inflight=4), container(2, max_inflight=8), container(3)]
    assert standings(LEAST, *rows).weights == {1: 2, 2: 4, 3: 3}
    assert standings(LEAST, *rows, inflight(1, 4), inflight(3, 2)).weights == {1: 0, 2: 4, 3: 1}


def test_other_policies_do_not_heed_in_flight() -> None:
    rows = (container(1), container(2), inflight(1, 100))
    for policy in ("weighted", "source_affinity"):
        assert standings(replace(WEB, policy=policy), *rows).weights == {1: 1, 2: 1}


# -------------------------------------------------------------------------------------- slow start

SLOW = replace(WEB, slow_start_seconds=10)


@pytest.mark.parametrize(
    ("age_ms", "percent", "next_in_ms"),
    [
        (-5000, 10, 6000),  # the clock that registered it is ahead
        (0, 10, 1000),
        (999, 10, 1),
        (1000, 19, 1000),
        (5500, 55, 500),
        (9999, 91, 1),
        (10_000, 100, None),
    ],
)
def test_a_new_container_starts_slowly(age_ms: int, percent: int, next_in_ms: int | None) -> None:
    found = standings(SLOW, container(1, since_ms=NOW - age_ms), container(2))
    assert shares(found)[0] == Fraction(percent, 100 + percent)
    warm = percent == 100
    assert found.items[0].state == ("ready" if warm else "warming")
    assert found.items[0].reason == ("" if warm else f"slow start: {percent} % of its share")
    assert found.next_ms == (None if next_in_ms is None else NOW + next_in_ms)


def test_a_clock_that_is_ahead_does_no_harm_without_slow_start() -> None:
    found = standings(WEB, container(1, since_ms=NOW + 5000))
    assert (found.weights, found.next_ms) == ({1: 1}, None)


def test_a_short_slow_start_has_ten_steps() -> None:
    service = replace(WEB, slow_start_seconds=1)
    found = standings(service, container(1, since_ms=NOW - 510), container(2))
    assert (shares(found)[0], found.next_ms) == (Fraction(55, 155), NOW + 90)


def test_containers_that_are_all_new_share_alike() -> None:
    found = standings(SLOW, container(1, since_ms=NOW), container(2, since_ms=NOW))
    assert found.weights == {1: 1, 2: 1}


def test_a_container_that_gets_nothing_has_no_steps_to_make() -> None:
    rows = (container(1, since_ms=NOW), container(2), Report("web", "c1", word="down"))
    assert standings(SLOW, *rows).next_ms is None


# ------------------------------------------------------------------------------------------ canary


def with_canary(now_ms: int = NOW, *, percent: int = 30, **steps: int) -> Standings:
    service = replace(WEB, canary=Canary("v2", percent, **steps))
    old = (container(1, weight=3, version="v1"), container(2))
    new = (container(3, version="v2"), container(4, version="v2"))
    return standings(service, *old, *new, now_ms=now_ms)


def test_a_canary_has_its_percentage_whatever_the_weights() -> None:
    assert shares(with_canary()) == [
        Fraction(525, 1000), Fraction(175, 1000), Fraction(15, 100), Fraction(15, 100)
    ]  # fmt: skip
    assert with_canary().next_ms is None


@pytest.mark.parametrize(
    ("age_ms", "percent", "next_in_ms"),
    [
        (-1, 0, 1),
        (0, 10, 60_000),
        (59_999, 10, 1),
        (60_000, 20, 60_000),
        (120_000, 25, None),
        (900_000, 25, None),
    ],
)
def test_a_canary_grows_in_steps(age_ms: int, percent: int, next_in_ms: int | None) -> None:
    steps = {"step_percent": 10, "step_ms": 60_000, "started_ms": NOW - age_ms}
    found = with_canary(percent=25, **steps)
    assert sum(shares(found)[2:]) == Fraction(percent, 100)
    assert found.next_ms == (None if next_in_ms is None else NOW + next_in_ms)


def test_where_one_side_has_nobody_the_other_has_all() -> None:
    service = replace(WEB, canary=Canary("v2", 0))
    old, new = container(1), container(2, version="v2")
    assert standings(service, new).weights == {2: 1}
    assert standings(service, old, new).weights == {1: 1, 2: 0}
    assert standings(service, old, new, Report("web", "c1", word="down")).weights == {1: 0, 2: 1}
    whole = replace(WEB, canary=Canary("v2", 100))
    assert standings(whole, old, new, Report("web", "c2", word="down")).weights == {1: 1, 2: 0}


# ------------------------------------------------------------------------------------------- panic

GUARDED = replace(WEB, health=CHECK, ejection=Ejection(), panic_percent=50)


def checked(*up: bool) -> list[Record]:
    rows: list[Record] = []
    for number, is_up in enumerate(up, start=1):
        rows += [container(number), Health("web", f"c{number}", is_up, "" if is_up else "refused")]
    return rows


def test_below_the_threshold_all_are_used() -> None:
    found = standings(GUARDED, *checked(True, False, False))
    assert found.panic
    assert found.weights == {1: 1, 2: 1, 3: 1}
    assert [each.state for each in found.items] == ["ready"] * 3
    assert "although its check failed: refused" in found.items[1].reason


def test_at_the_threshold_checks_hold() -> None:
    found = standings(GUARDED, *checked(True, False))
    assert not found.panic
    assert found.weights == {1: 1, 2: 0}


def test_ejections_count_for_the_threshold_and_are_not_heeded_beyond() -> None:
    rows = [*checked(True, True, False), Ejected("web", "c2", NOW + 700, reason="9 of 9 failed")]
    found = standings(GUARDED, *rows)
    assert (found.panic, found.next_ms) == (True, NOW + 700)
    assert found.weights == {1: 1, 2: 1, 3: 1}
    assert "although 9 of 9 failed" in found.items[1].reason


def test_panic_does_not_overrule_what_a_container_says_itself() -> None:
    rows = [
        *checked(True, False, False, False, False, False, False),
        Report("web", "c3", word="down"),
        Report("web", "c4", word="drain"),
        Report("web", "c5", percent=0),
        container(6, iface_id="elsewhere"),
        container(7, max_connections=1),
        Connections("web", "c7", 1, NOW),
    ]
    found = standings(GUARDED, *rows)
    assert found.panic
    assert [each.state for each in found.items] == [
        "ready", "ready", "down", "draining", "idle", "unplaced", "full"
    ]  # fmt: skip


def test_containers_that_never_passed_a_check_wait_in_panic_too() -> None:
    found = standings(GUARDED, *checked(False), container(2), container(3))
    assert found.panic
    assert [each.state for each in found.items] == ["ready", "unchecked", "unchecked"]
    assert not standings(GUARDED, container(2), container(3)).panic


def test_spare_containers_of_weight_0_do_not_keep_from_panic() -> None:
    rows = [*checked(False, True, True), container(2, weight=0), container(3, weight=0)]
    assert standings(GUARDED, *rows).weights == {1: 1, 2: 0, 3: 0}
