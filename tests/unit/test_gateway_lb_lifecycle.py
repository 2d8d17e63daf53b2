"""Ready, draining, gone; leases; durations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway_lb.connections import Count
from gateway_lb.lifecycle import (
    DEFAULT_DRAIN_SECONDS,
    MAX_DRAIN_SECONDS,
    drained,
    draining,
    expired,
    is_expired,
    is_ready,
    next_deadline,
    parse_duration,
    registered,
    renewed,
    safe_to_stop,
)
from nib.errors import FieldError
from nib.intent import Container

GIVEN = Container("web", "c1", "10.0.1.1", 8080, "02:00:00:00:00:01", iface_id="pod-1")
READY = replace(GIVEN, number=7, generation=3)
LEASED = replace(GIVEN, lease_seconds=10)
KNOWN = replace(registered(LEASED, None, 1_000), number=7, generation=3)


def test_a_draining_container_is_not_ready() -> None:
    container = draining(READY, 1_000, 60)
    assert is_ready(READY)
    assert not is_ready(container)
    assert (container.drain_until_ms, container.since_ms, container.number) == (61_000, 1_000, 7)


@pytest.mark.parametrize(("later_s", "until_ms"), [(120, 61_000), (10, 12_000), (59, 61_000)])
def test_draining_anew_never_lasts_longer(later_s: float, until_ms: int) -> None:
    again = draining(draining(READY, 1_000, 60), 2_000, later_s)
    assert (again.drain_until_ms, again.since_ms) == (until_ms, 1_000)


@pytest.mark.parametrize(("now_ms", "is_over"), [(60_999, False), (61_000, True), (70_000, True)])
def test_draining_is_over_at_its_end(now_ms: int, is_over: bool) -> None:
    container = draining(READY, 1_000, 60)
    assert drained([READY, container], now_ms) == ([container] if is_over else [])


# ----------------------------------------------------------------------------- registration, lease


def test_a_new_container_is_ready_from_now_on_with_a_whole_lease() -> None:
    assert registered(GIVEN, None, 1_000) == replace(GIVEN, since_ms=1_000)
    assert registered(LEASED, None, 1_000) == replace(LEASED, since_ms=1_000, lease_until_ms=11_000)


def test_registering_the_same_again_changes_nothing() -> None:
    without = replace(registered(GIVEN, None, 1_000), number=7, generation=3)
    assert registered(GIVEN, without, 99_000) == without
    assert registered(LEASED, KNOWN, 5_999) == KNOWN


def test_registering_the_same_again_renews_the_lease() -> None:
    assert registered(LEASED, KNOWN, 6_001) == replace(KNOWN, lease_until_ms=16_001)


def test_registering_a_change_keeps_since_and_begins_a_lease() -> None:
    changed = registered(replace(LEASED, weight=5), KNOWN, 2_000)
    assert (changed.weight, changed.since_ms, changed.lease_until_ms) == (5, 1_000, 12_000)
    longer = registered(replace(LEASED, lease_seconds=60), KNOWN, 2_000)
    assert (longer.since_ms, longer.lease_until_ms) == (1_000, 62_000)
    without = registered(GIVEN, KNOWN, 2_000)
    assert (without.since_ms, without.lease_until_ms) == (1_000, None)


def test_a_draining_container_that_registers_begins_anew() -> None:
    again = registered(LEASED, draining(KNOWN, 2_000, 60), 3_000)
    assert (again.state, again.drain_until_ms) == ("ready", None)
    assert (again.since_ms, again.lease_until_ms) == (3_000, 13_000)


def test_a_lease_that_lapsed_unnoticed_starts_no_warming() -> None:
    """Nobody took its traffic away, so it is as warm as before."""
    late = registered(LEASED, KNOWN, 20_000)
    assert (late.since_ms, late.lease_until_ms) == (1_000, 30_000)


@pytest.mark.parametrize(
    ("now_ms", "until_ms"), [(1_000, 11_000), (6_000, 11_000), (6_001, 16_001), (20_000, 30_000)]
)
def test_a_lease_is_extended_when_less_than_half_remains(now_ms: int, until_ms: int) -> None:
    assert renewed(KNOWN, now_ms).lease_until_ms == until_ms


def test_without_a_lease_nothing_is_renewed_and_nothing_expires() -> None:
    assert renewed(READY, 10**12) is READY
    assert not is_expired(READY, 10**12)
    assert next_deadline(READY) is None


@pytest.mark.parametrize(("now_ms", "is_over"), [(10_999, False), (11_000, True), (99_000, True)])
def test_an_expired_lease_drains(now_ms: int, is_over: bool) -> None:
    assert is_expired(KNOWN, now_ms) == is_over
    drains = draining(KNOWN, now_ms, DEFAULT_DRAIN_SECONDS)
    assert expired([READY, KNOWN], now_ms) == ([drains] if is_over else [])


def test_what_drains_does_not_expire() -> None:
    assert not is_expired(draining(KNOWN, 2_000, 600), 99_000)


def test_no_lease_ends_where_renewals_could_not_be_heard() -> None:
    assert not is_expired(KNOWN, 59_999, heard_since_ms=50_000)
    assert is_expired(KNOWN, 60_000, heard_since_ms=50_000)
    assert expired([KNOWN], 59_999, heard_since_ms=50_000) == []
    assert next_deadline(KNOWN, heard_since_ms=50_000) == 60_000


def test_the_next_deadline_is_the_leases_then_the_drains() -> None:
    assert next_deadline(KNOWN) == 11_000
    assert next_deadline(draining(KNOWN, 2_000, 60)) == 62_000


# ---------------------------------------------------------------------------------- safe to stop

GOING = draining(READY, 10_000, 60)


@pytest.mark.parametrize(
    ("container", "connections", "now_ms", "answer"),
    [
        (READY, None, 11_000, False),
        (READY, Count(0, 11_000), 11_000, False),
        (GOING, None, 11_000, None),
        (GOING, Count(1, 10_500), 11_000, False),
        (GOING, Count(0, 10_499), 11_000, False),
        (GOING, Count(0, 10_500), 11_000, True),
        (GOING, Count(3, 69_000), 69_999, False),
        (GOING, Count(3, 69_000), 70_000, True),
        (GOING, None, 70_000, True),
    ],
)
def test_safe_to_stop(
    container: Container, connections: Count | None, now_ms: int, answer: bool | None
) -> None:
    assert safe_to_stop(container, connections, now_ms) is answer


# ------------------------------------------------------------------------------------- durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("60", 60), (60, 60), (60.5, 60.5),
        ("0", 0), (0, 0), ("1.5s", 1.5), ("1440m", MAX_DRAIN_SECONDS), ("1d", MAX_DRAIN_SECONDS),
    ],
)  # fmt: skip
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "", "s", "-1", -1, "1w", "1 s", "60S", "1e3", "1.", ".5", "٣", "nan", float("inf"), "5s5",
        True, "\n5", "5\n",
    ],
)  # fmt: skip
def test_no_durations(text: str | float) -> None:
    with pytest.raises(FieldError) as caught:
        parse_duration(text)
    assert (caught.value.field, "such as 60s" in caught.value.remedy) == ("drain", True)


@pytest.mark.parametrize("text", ["86401", "25h", 999_999_999, "9" * 9 + "h"])
def test_durations_have_an_end(text: str | float) -> None:
    with pytest.raises(FieldError, match="0 to 86400 seconds"):
        parse_duration(text)


def test_the_field_that_is_wrong_is_named() -> None:
    with pytest.raises(FieldError, match=r"^lease: "):
        parse_duration("soon", "lease")
