from __future__ import annotations

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from nib.errors import FieldError
from nib.prewarm import Schedule
from predictor.planning.schedules import (
    Calendar,
    Occurrence,
    check_schedule,
    last_start,
    next_start,
)

_BERLIN = ZoneInfo("Europe/Berlin")
_MINUTE = 60_000


def _schedule(
    cron: str, timezone: str = "UTC", seconds: int = 600, name: str = "s", containers: int = 3
) -> Schedule:
    return Schedule(name, cron, seconds, service="web", timezone=timezone, containers=containers)


def _ms(text: str, fold: int = 0) -> int:
    """Of a time in Berlin."""
    at = datetime.fromisoformat(text).replace(tzinfo=_BERLIN, fold=fold)
    return int(at.timestamp() * 1000)


def _utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("cron", "what"),
    [
        ("61 * * * *", "bad minute"),
        ("* * * *", "has not five fields"),
        ("@daily", "has not five fields"),
        ("0 0 8 * * MON", "has not five fields"),
        ("0 8 * * FUNDAY", "bad day-of-week"),
        ("*/0 * * * *", "bad minute"),
        ("0 0 30 2 *", "bad day-of-month"),
        ("0 0 31 4,6,9,11 *", "bad day-of-month"),
    ],
)
def test_lines_that_are_none_or_never_come_are_refused_with_a_remedy(cron: str, what: str) -> None:
    with pytest.raises(FieldError, match=what) as refused:
        check_schedule(_schedule(cron))
    assert refused.value.field == "cron"
    assert "crontab(5)" in refused.value.remedy


@pytest.mark.parametrize("zone", ["Mars/Olympus", "Europe", "../etc/passwd", "/etc/passwd"])
def test_zones_that_are_none_are_refused_with_a_remedy(zone: str) -> None:
    with pytest.raises(FieldError, match="no time zone") as refused:
        check_schedule(_schedule("0 8 * * *", zone))
    assert refused.value.field == "timezone"
    assert "Europe/Berlin" in refused.value.remedy


@pytest.mark.parametrize("cron", ["0 8 * * mon-fri", "*/5 * * * *", "0 0 29 2 *", "0 0 L * *"])
def test_lines_that_come_are_accepted(cron: str) -> None:
    check_schedule(_schedule(cron), _utc("2026-03-01T00:00"))


def test_leap_days_come_when_they_do() -> None:
    leap = _schedule("0 0 29 2 *")
    assert next_start(leap, _utc("2026-03-01T00:00")) == _utc("2028-02-29T00:00")
    assert last_start(leap, _utc("2026-03-01T00:00")) == _utc("2024-02-29T00:00")


def test_a_time_of_day_is_that_of_its_zone_in_summer_and_winter() -> None:
    eight = _schedule("0 8 * * *", "Europe/Berlin")
    assert next_start(eight, _ms("2026-01-10T12:00")) == _utc("2026-01-11T07:00")
    assert next_start(eight, _ms("2026-07-10T12:00")) == _utc("2026-07-11T06:00")


def test_a_time_that_the_change_to_summer_time_skips_comes_when_the_clock_goes_on() -> None:
    daily = _schedule("30 2 * * *", "Europe/Berlin")
    assert next_start(daily, _ms("2026-03-29T01:50")) == _ms("2026-03-29T03:00")
    assert last_start(daily, _ms("2026-03-29T03:10")) == _ms("2026-03-29T03:00")


@pytest.mark.parametrize(("now", "fold"), [("02:40", 0), ("02:10", 1), ("02:40", 1), ("03:10", 0)])
def test_a_time_that_the_change_to_winter_time_repeats_comes_once(now: str, fold: int) -> None:
    daily = _schedule("30 2 * * *", "Europe/Berlin")
    at = _ms(f"2026-10-25T{now}", fold)
    assert last_start(daily, at) == _ms("2026-10-25T02:30", 0)
    assert next_start(daily, at) == _ms("2026-10-26T02:30")


def test_an_hourly_line_comes_in_every_hour_that_there_is() -> None:
    hourly = _schedule("0 * * * *", "Europe/Berlin")
    at, starts = _ms("2026-10-25T00:30"), []
    for _ in range(5):
        following = next_start(hourly, at)
        assert following is not None
        at = following
        starts.append(at)
    assert [later - earlier for earlier, later in itertools.pairwise(starts)] == [3_600_000] * 4


def test_an_occurrence_is_due_a_lead_ahead_until_it_ends() -> None:
    start = _utc("2026-05-04T08:00")
    schedule = _schedule("0 8 * * MON", seconds=600)
    calendar = Calendar()
    calendar.set([schedule])
    lead = 30_000
    assert calendar.due(start - lead - 1, lead) == ()
    expected = (Occurrence(schedule, start, start + 10 * _MINUTE),)
    for now in (start - lead, start - 1, start, start + 10 * _MINUTE - 1):
        assert calendar.due(now, lead) == expected, now
    assert calendar.due(start + 10 * _MINUTE, lead) == ()
    assert calendar.due(start - lead, lead) == expected, "the clock went back"


def test_leads_may_differ_by_service() -> None:
    start = _utc("2026-05-04T08:00")
    calendar = Calendar()
    calendar.set([_schedule("0 8 * * *")])
    assert calendar.due(start - _MINUTE, {"web": _MINUTE})
    assert not calendar.due(start - _MINUTE, {"other": _MINUTE})


def test_one_that_lasts_longer_than_its_interval_goes_on_without_a_gap() -> None:
    calendar = Calendar()
    calendar.set([_schedule("*/10 * * * *", seconds=900)])
    begin = _utc("2026-05-04T08:00")
    for now in range(begin, begin + 40 * _MINUTE, 30_000):
        (due,) = calendar.due(now, _MINUTE)
        assert due.from_ms <= now < due.until_ms
    (due,) = calendar.due(begin + 49 * _MINUTE, _MINUTE)
    assert due.until_ms == begin + 65 * _MINUTE, "the next begins before this one ends"


def test_a_changed_schedule_counts_at_once_and_a_removed_one_no_longer() -> None:
    at = _utc("2026-05-04T08:05")
    calendar = Calendar()
    calendar.set([_schedule("0 8 * * *")])
    assert calendar.due(at, 0)[0].schedule.containers == 3
    calendar.set([_schedule("0 8 * * *", containers=9)])
    assert calendar.due(at, 0)[0].schedule.containers == 9
    calendar.set([_schedule("0 9 * * *")])
    assert calendar.due(at, 0) == ()
    calendar.set([])
    assert calendar.due(at, 0) == ()


def test_a_schedule_that_cannot_be_read_is_a_fault_and_the_others_hold() -> None:
    at = _utc("2026-05-04T08:05")
    calendar = Calendar()
    calendar.set([_schedule("0 8 30 2 *", name="never"), _schedule("0 8 * * *")])
    assert [due.schedule.name for due in calendar.due(at, 0)] == ["s"]
    assert calendar.faults["never"].field == "cron"
    calendar.set([_schedule("0 8 * * *", name="never")])
    assert calendar.due(at, 0)
    assert not calendar.faults
