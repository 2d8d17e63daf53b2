"""The rows of capacity intent as frozen, checked values: how services scale, what policies may be
given, schedules, overrides, and an operator's word about dependencies.

Rates are bits a second of whole Ethernet frames; quantiles are per mille.

Must not know: OVSDB, forecasts, how containers are started.
"""

from __future__ import annotations

from dataclasses import dataclass

from nib.errors import FieldError
from nib.fields import MAX_INTEGER, check_choice, check_integer, check_name, check_text
from nib.qos import MAX_RATE_BPS, MIN_RATE_BPS

MAX_CONTAINERS = 10_000
SCALING_MODES = frozenset({"plan", "react", "observe"})
PROVISIONED_RATES = frozenset({"max", "guaranteed", "both"})
VERDICTS = frozenset({"pin", "ban"})
TARGET_KINDS = frozenset({"service", "policy"})


@dataclass(frozen=True, slots=True)
class Scaling:
    """Intent: how many containers a service is to have, by its load.

    mode: "react" = by the load of now alone, "observe" = plan, but request nothing. concurrency:
    requests that a container works at in parallel; target_percent: how full it is to be;
    quantile_permille: of the load within the lead time that there is to be room for. hold_seconds:
    how long containers are kept after the last need. cold_start_ms: None = as measured. target: who
    starts containers, as in "knative:NAMESPACE/SERVICE" or "kubernetes:NAMESPACE/deployment/NAME";
    "" = whoever subscribes.
    """

    service: str
    mode: str = "plan"
    concurrency: int = 1
    target_percent: int = 70
    quantile_permille: int = 990
    min_containers: int = 0
    max_containers: int = 100
    hold_seconds: int = 20
    cold_start_ms: int | None = None
    target: str = ""
    generation: int = 0

    def __post_init__(self) -> None:
        check_name("service", self.service)
        check_choice("mode", self.mode, SCALING_MODES)
        check_integer("concurrency", self.concurrency, 1, 100_000)
        check_integer("target_percent", self.target_percent, 1, 100)
        check_integer("quantile_permille", self.quantile_permille, 500, 999)
        check_integer("min_containers", self.min_containers, 0, MAX_CONTAINERS)
        check_integer("max_containers", self.max_containers, 1, MAX_CONTAINERS)
        if self.min_containers > self.max_containers:
            raise FieldError(
                "min_containers",
                f"{self.min_containers} is above max_containers, {self.max_containers}",
                "give a minimum of at most the maximum",
            )
        check_integer("hold_seconds", self.hold_seconds, 0, 86_400)
        if self.cold_start_ms is not None:
            check_integer("cold_start_ms", self.cold_start_ms, 0, 3_600_000)
        check_text("target", self.target, shortest=0)
        check_integer("generation", self.generation, 0, MAX_INTEGER)

    @property
    def key(self) -> str:
        """The service's name."""
        return self.service


@dataclass(frozen=True, slots=True)
class Provisioning:
    """Intent: which rates of a policy follow the forecast of its traffic, and within what.

    rates: "max", "guaranteed" or "both". headroom_percent: added to the forecast; floor_bps,
    ceiling_bps: what a plan never goes below or above (None: what the policy itself says, or what
    links can carry).
    """

    policy: str
    rates: str = "max"
    headroom_percent: int = 10
    quantile_permille: int = 990
    floor_bps: int = 1_000_000
    ceiling_bps: int | None = None
    generation: int = 0

    def __post_init__(self) -> None:
        check_name("policy", self.policy)
        check_choice("rates", self.rates, PROVISIONED_RATES)
        check_integer("headroom_percent", self.headroom_percent, 0, 1_000)
        check_integer("quantile_permille", self.quantile_permille, 500, 999)
        check_integer("floor_bps", self.floor_bps, MIN_RATE_BPS, MAX_RATE_BPS)
        if self.ceiling_bps is not None:
            check_integer("ceiling_bps", self.ceiling_bps, MIN_RATE_BPS, MAX_RATE_BPS)
            if self.ceiling_bps < self.floor_bps:
                raise FieldError(
                    "ceiling_bps",
                    f"{self.ceiling_bps} is below floor_bps, {self.floor_bps}",
                    "give a ceiling of at least the floor",
                )
        check_integer("generation", self.generation, 0, MAX_INTEGER)

    @property
    def key(self) -> str:
        """The policy's name."""
        return self.policy


@dataclass(frozen=True, slots=True)
class Schedule:
    """Intent: from each time that a cron line names, for a while, at least so much.

    Of one service (containers) or of one policy (max_bps, guaranteed_bps). cron: five fields as in
    crontab(5); timezone: a name of the IANA database.
    """

    name: str
    cron: str
    duration_seconds: int
    service: str | None = None
    policy: str | None = None
    timezone: str = "UTC"
    containers: int | None = None
    max_bps: int | None = None
    guaranteed_bps: int | None = None
    generation: int = 0

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_text("cron", self.cron, 200)
        check_integer("duration_seconds", self.duration_seconds, 1, 31 * 86_400)
        check_text("timezone", self.timezone, 63)
        if (self.service is None) == (self.policy is None):
            raise FieldError(
                "service",
                "the schedule is about nothing" if self.service is None else "and policy are both",
                "name one service, or one policy",
            )
        if self.service is not None:
            check_name("service", self.service)
        if self.policy is not None:
            check_name("policy", self.policy)
        kind = "service" if self.service is not None else "policy"
        check_amounts(kind, self.containers, self.max_bps, self.guaranteed_bps)
        check_integer("generation", self.generation, 0, MAX_INTEGER)

    @property
    def key(self) -> str:
        """The schedule's name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Override:
    """Intent: an operator's word for a while; it wins over plan and schedule, and then is over.

    kind: "service" or "policy"; name: which; until_ms: milliseconds since 1970.
    """

    kind: str
    name: str
    until_ms: int
    containers: int | None = None
    max_bps: int | None = None
    guaranteed_bps: int | None = None
    reason: str = ""
    generation: int = 0

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, TARGET_KINDS)
        check_name("name", self.name)
        check_integer("until_ms", self.until_ms, 0, MAX_INTEGER)
        check_amounts(self.kind, self.containers, self.max_bps, self.guaranteed_bps)
        check_text("reason", self.reason, shortest=0)
        check_integer("generation", self.generation, 0, MAX_INTEGER)

    @property
    def key(self) -> tuple[str, str]:
        """(kind, name)."""
        return (self.kind, self.name)


@dataclass(frozen=True, slots=True)
class DependencyRule:
    """Intent: that a rise at one service precedes one at another (pin), or does not (ban).

    lag_ms: by how long, None = as learned, else nothing.
    """

    parent: str
    child: str
    verdict: str
    lag_ms: int | None = None
    generation: int = 0

    def __post_init__(self) -> None:
        check_name("parent", self.parent)
        check_name("child", self.child)
        if self.parent == self.child:
            raise FieldError("child", "is the parent itself", "name two services")
        check_choice("verdict", self.verdict, VERDICTS)
        if self.lag_ms is not None:
            check_integer("lag_ms", self.lag_ms, 0, 86_400_000)
        check_integer("generation", self.generation, 0, MAX_INTEGER)

    @property
    def key(self) -> tuple[str, str]:
        """(parent, child)."""
        return (self.parent, self.child)


def check_amounts(
    kind: str, containers: int | None, max_bps: int | None, guaranteed_bps: int | None
) -> None:
    """Containers of a service, or rates of a policy, and at least one; raises FieldError."""
    rates = {"max_bps": max_bps, "guaranteed_bps": guaranteed_bps}
    given = [field for field, value in rates.items() if value is not None]
    if kind == "service":
        if given:
            raise FieldError(given[0], "a service has no rate", "name a policy, or leave it out")
        if containers is None:
            raise FieldError("containers", "is missing", "say how many containers")
        check_integer("containers", containers, 0, MAX_CONTAINERS)
        return
    if containers is not None:
        raise FieldError("containers", "a policy has none", "name a service, or leave it out")
    if not given:
        raise FieldError("max_bps", "is missing", "give max_bps, guaranteed_bps, or both")
    for field in given:
        check_integer(field, rates[field], MIN_RATE_BPS, MAX_RATE_BPS)
    if max_bps is not None and guaranteed_bps is not None and guaranteed_bps > max_bps:
        raise FieldError(
            "guaranteed_bps",
            f"{guaranteed_bps} is above max_bps, {max_bps}",
            "guarantee at most what is allowed",
        )
