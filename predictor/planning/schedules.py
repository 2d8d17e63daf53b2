"""Which schedules hold now, or will within the lead time.

Owns: cron lines in their time zones. Times with a fixed hour that a change to summer time skips run
when the clock goes on; those it repeats run once, as Debian's cron has it.
Must not know: plans, forecasts, containers.

Times are milliseconds since 1970.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cronsim import CronSim, CronSimError

from nib.errors import FieldError
from nib.prewarm import Schedule

_FIELDS: Final = 5
_CHANGE: Final = timedelta(hours=3)  # no clock goes back by more
_CRON_REMEDY: Final = (
    "write minute, hour, day of month, month and day of week as in crontab(5), "
    "such as '55 7 * * MON-FRI'"
)
_ZONE_REMEDY: Final = "give a name of the IANA database, such as 'Europe/Berlin', or 'UTC'"
_EARLIEST_MS: Final = 0
_LATEST_MS: Final = 4_102_444_800_000  # 2100


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A time for which a schedule holds: from from_ms until until_ms."""

    schedule: Schedule
    from_ms: int
    until_ms: int


def check_schedule(schedule: Schedule, now_ms: int = _EARLIEST_MS) -> None:
    """FieldError where the cron line or the time zone is none, or the line names no time at all."""
    zone = _zone(schedule.timezone)
    if next(_starts(schedule.cron, _moment(now_ms, zone)), None) is None:
        raise FieldError("cron", f"{schedule.cron!r} names no time that ever comes", _CRON_REMEDY)


def next_start(schedule: Schedule, now_ms: int) -> int | None:
    """When it begins next, after now_ms; None = never. Raises as check_schedule does."""
    for start in _starts(schedule.cron, _moment(now_ms, _zone(schedule.timezone))):
        if start > now_ms:
            return start
    return None


def last_start(schedule: Schedule, now_ms: int) -> int | None:
    """When it began last, now_ms included; None = never yet. Raises as check_schedule does."""
    zone = _zone(schedule.timezone)
    later = _moment(now_ms, zone, after=_CHANGE)
    for start in _starts(schedule.cron, later, reverse=True):
        if start <= now_ms:
            return start
    return None


@dataclass(slots=True)
class _Timer:
    """A schedule's last and next start, as of when it was looked at; None = there is none."""

    schedule: Schedule
    last_ms: int | None
    next_ms: int | None

    def turn_to(self, now_ms: int) -> None:
        """Bring both up to date, also when the clock went back."""
        fits = self.next_ms is None or now_ms < self.next_ms
        if fits and (self.last_ms is None or self.last_ms <= now_ms):
            return
        self.last_ms = last_start(self.schedule, now_ms)
        self.next_ms = next_start(self.schedule, now_ms)


@dataclass(slots=True)
class Calendar:
    """State: the schedules that there are. A schedule that cannot be read holds at no time; faults
    has why, by its name."""

    schedules: tuple[Schedule, ...] = ()
    faults: dict[str, FieldError] = field(default_factory=dict)
    _timers: dict[str, _Timer] = field(default_factory=dict)

    def set(self, schedules: Iterable[Schedule]) -> None:
        """The schedules that there are now; what did not change is kept."""
        self.schedules = tuple(schedules)
        names = {schedule.name for schedule in self.schedules}
        for gone in set(self._timers) - names:
            del self._timers[gone]
        self.faults = {name: fault for name, fault in self.faults.items() if name in names}

    def due(self, now_ms: int, lead_ms: int | Mapping[str, int]) -> tuple[Occurrence, ...]:
        """What holds now, or begins within the lead time (one for all, or by service and policy,
        where 0 is the default); of each schedule the earliest."""
        found = []
        for schedule in self.schedules:
            timer = self._timer(schedule, now_ms)
            if timer is None:
                continue
            name = schedule.service or schedule.policy or ""
            lead = lead_ms if isinstance(lead_ms, int) else lead_ms.get(name, 0)
            occurrence = _due(timer, now_ms, lead)
            if occurrence:
                found.append(occurrence)
        return tuple(found)

    def _timer(self, schedule: Schedule, now_ms: int) -> _Timer | None:
        timer = self._timers.get(schedule.name)
        try:
            if timer is None or timer.schedule != schedule:
                check_schedule(schedule, now_ms)
                last, next_ = last_start(schedule, now_ms), next_start(schedule, now_ms)
                timer = _Timer(schedule, last, next_)
                self._timers[schedule.name] = timer
                self.faults.pop(schedule.name, None)
            timer.turn_to(now_ms)
        except FieldError as fault:
            self._timers.pop(schedule.name, None)
            self.faults[schedule.name] = fault
            return None
        return timer


def _due(timer: _Timer, now_ms: int, lead_ms: int) -> Occurrence | None:
    """One that holds goes on until its end, or that of the next, should that begin before."""
    schedule, lasts_ms = timer.schedule, timer.schedule.duration_seconds * 1000
    coming = timer.next_ms is not None and timer.next_ms <= now_ms + lead_ms
    if timer.last_ms is not None and timer.last_ms + lasts_ms > now_ms:
        end = timer.last_ms + lasts_ms
        if coming and timer.next_ms is not None and timer.next_ms <= end:
            end = timer.next_ms + lasts_ms
        return Occurrence(schedule, timer.last_ms, end)
    if coming and timer.next_ms is not None:
        return Occurrence(schedule, timer.next_ms, timer.next_ms + lasts_ms)
    return None


def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise FieldError("timezone", f"{name!r} is no time zone", _ZONE_REMEDY) from None


def _moment(at_ms: int, zone: zoneinfo.ZoneInfo, after: timedelta = timedelta(0)) -> datetime:
    """As local time; what is before 1970 or after 2100 counts as that."""
    at = min(max(at_ms, _EARLIEST_MS), _LATEST_MS) / 1000
    return (datetime.fromtimestamp(at, UTC) + after).astimezone(zone)


def _starts(cron: str, at: datetime, *, reverse: bool = False) -> Iterator[int]:
    """Starts after (before) `at`, in their order; FieldError where the line is none.

    Around a change of the clock one may be on the other side of `at`.
    """
    if len(cron.split()) != _FIELDS:
        raise FieldError("cron", f"{cron!r} has not five fields", _CRON_REMEDY)
    try:
        times = CronSim(cron, at, reverse=reverse)
    except CronSimError as error:
        raise FieldError("cron", f"{cron!r}: {str(error).lower()}", _CRON_REMEDY) from None
    return (round(each.timestamp() * 1000) for each in times)
