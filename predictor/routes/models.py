"""What REST takes: capacity intent as its owners state it.

Owns: the JSON objects of requests, and turning them into records. A model checks shape and types,
`nib.stating` reads rates, `nib.times` durations and points in time, and what a value may be its
record checks.

Must not know: the database, answers, cron lines.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, StrictStr

from nib.errors import FieldError
from nib.prewarm import DependencyRule, Override, Provisioning, Scaling, Schedule
from nib.stating import Number, Rate, Stated, rate_in
from nib.times import DURATION_REMEDY, INSTANT_REMEDY, read_duration, read_instant

MAX_OVERRIDE_SECONDS: Final = 366 * 86_400
_RATES: Final = ("max_bps", "guaranteed_bps", "floor_bps", "ceiling_bps")


class ScalingIn(Stated):
    """How many containers a service is to have, by its load, as its owner states it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"concurrency": 4, "target_percent": 70, "max_containers": 20},
                {"mode": "observe"},
            ]
        },
    )

    mode: Literal["plan", "react", "observe"] = Field(
        "plan",
        description="`react`: by the load of now alone; `observe`: plan, but request nothing",
    )
    concurrency: Number = Field(
        1, description="requests that a container works at in parallel, 1 to 100000"
    )
    target_percent: Number = Field(70, description="how full a container is to be, 1 to 100")
    quantile_permille: Number = Field(
        990,
        description="of the most load within the lead time, what there is to be room for, "
        "500 to 999",
    )
    min_containers: Number = Field(0, description="never fewer, 0 to 10000")
    max_containers: Number = Field(100, description="never more, 1 to 10000")
    hold_seconds: Number = Field(
        20, description="how long containers are kept after the last need, 0 to 86400"
    )
    cold_start_ms: Number | None = Field(
        None, description="how long a container takes to start; null: as measured"
    )
    target: StrictStr = Field(
        "",
        description="who starts containers: `knative:NAMESPACE/SERVICE`, "
        "`kubernetes:NAMESPACE/deployment/NAME` or `process:NAME`; empty: whoever subscribes",
    )

    def record(self, service: str) -> Scaling:
        """The row. FieldError names what is not allowed."""
        return Scaling(service, **self.model_dump(exclude={"service"}))


class ProvisioningIn(Stated):
    """Which rates of a policy follow the forecast of its traffic, and within what."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"rates": "both", "headroom_percent": 10, "floor_bps": "5M", "ceiling_bps": "200M"}
            ]
        },
    )

    rates: Literal["max", "guaranteed", "both"] = Field(
        "max", description="which of the policy's rates"
    )
    headroom_percent: Number = Field(10, description="added to the forecast, 0 to 1000")
    quantile_permille: Number = Field(
        990, description="of the load, what there is to be room for, 500 to 999"
    )
    floor_bps: Rate = Field(1_000_000, description="never less, as 1000000 or `1M`")
    ceiling_bps: Rate | None = Field(
        None, description="never more; null: what the policy says, or links can carry"
    )

    def record(self, policy: str) -> Provisioning:
        """The row. FieldError names what is not allowed."""
        return Provisioning(policy, **_with_rates(self.model_dump(exclude={"policy"})))


class ScheduleIn(Stated):
    """From each time that a cron line names, for a while, at least so much."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "cron": "55 7 * * mon-fri",
                    "timezone": "Europe/Paris",
                    "duration_seconds": 3600,
                    "service": "web",
                    "containers": 8,
                },
                {"cron": "0 2 * * *", "duration_seconds": 1800, "policy": "dump", "max_bps": "1G"},
            ]
        },
    )

    cron: StrictStr = Field(
        description="minute, hour, day of month, month, day of week, as in crontab(5)"
    )
    duration_seconds: Number = Field(description="for how long each time, 1 to 2678400")
    service: StrictStr | None = Field(None, description="whose containers; or give `policy`")
    policy: StrictStr | None = Field(None, description="whose rates; or give `service`")
    timezone: StrictStr = Field("UTC", description="a name of the IANA database")
    containers: Number | None = Field(None, description="of a service, at least, 0 to 10000")
    max_bps: Rate | None = Field(None, description="of a policy, at least, as `50M`")
    guaranteed_bps: Rate | None = Field(None, description="of a policy, at least")

    def record(self, name: str) -> Schedule:
        """The row. FieldError names what is not allowed; the cron line is not looked at here."""
        return Schedule(name, **_with_rates(self.model_dump(exclude={"name"})))


class OverrideIn(Stated):
    """An operator's word for a while: it wins over plan and schedule, and then is over."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"containers": 5, "for": "20m", "reason": "load test"},
                {"max_bps": "100M", "for": "2h"},
            ]
        },
    )

    containers: Number | None = Field(None, description="of a service, 0 to 10000")
    max_bps: Rate | None = Field(None, description="of a policy, as `50M`")
    guaranteed_bps: Rate | None = Field(None, description="of a policy")
    until: StrictStr | None = Field(
        None, description="when it ends, RFC 3339 with an offset; or give `for`"
    )
    for_: StrictStr | None = Field(
        None, alias="for", description="for how long from now, as `20m`, a year at most"
    )
    reason: StrictStr = Field("", description="for whom it may concern")

    def record(self, kind: str, name: str, now_ms: int) -> Override:
        """The row, for one that is made now. FieldError names what is not allowed."""
        stated = self.model_dump(
            include={"containers", "max_bps", "guaranteed_bps", "reason"}, exclude_none=True
        )
        until_ms = self._until_ms(now_ms)
        return Override(kind, name, until_ms, **_with_rates(stated))

    def _until_ms(self, now_ms: int) -> int:
        if (self.until is None) == (self.for_ is None):
            message = (
                "nothing says when it ends" if self.until is None else "and for are both given"
            )
            raise FieldError("until", message, "give either until or for")
        stated = self.until is not None
        field, remedy = ("until", INSTANT_REMEDY) if stated else ("for", DURATION_REMEDY)
        try:
            if self.until is not None:
                until_ms = read_instant(self.until)
            else:
                until_ms = now_ms + round(read_duration(self.for_ or "") * 1000)
        except ValueError as error:
            raise FieldError(field, str(error), remedy) from None
        if until_ms <= now_ms:
            raise FieldError(field, "it would be over already", "give a time to come")
        if until_ms > now_ms + MAX_OVERRIDE_SECONDS * 1000:
            raise FieldError(
                field,
                "it would last more than a year",
                "change the scaling, the policy or a schedule instead",
            )
        return until_ms


class DependencyIn(Stated):
    """An operator's word about a dependency: it is there, or it is not."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"verdict": "pin", "lag_ms": 4000}, {"verdict": "ban"}]},
    )

    verdict: Literal["pin", "ban"] = Field(
        description="`pin`: a rise at the parent precedes one at the child; `ban`: it does not"
    )
    lag_ms: Number | None = Field(
        None, description="by how long, 0 to 86400000; null: as learned, else nothing"
    )

    def record(self, parent: str, child: str) -> DependencyRule:
        """The row. FieldError names what is not allowed."""
        if self.verdict == "ban" and self.lag_ms is not None:
            raise FieldError("lag_ms", "a banned dependency has none", "leave it out")
        return DependencyRule(parent, child, self.verdict, self.lag_ms)


class AcceptIn(Stated):
    """Who starts the containers of a prewarm request."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"by": "platform-1"}]})

    by: StrictStr = Field(description="its name, as operators are shown it, 1 to 255 characters")


def _with_rates(stated: dict[str, Any]) -> dict[str, Any]:
    """The members with rates as whole numbers. FieldError names the one that is none."""
    rates = {
        field: rate_in(field, stated[field]) for field in _RATES if stated.get(field) is not None
    }
    return stated | rates
