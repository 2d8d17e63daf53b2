"""The rows of what predictors decide, as frozen, checked values: plans, prewarm requests,
dependencies, and which predictor minds which services.

Times are milliseconds since 1970. A plan holds from `from_ms` until `until_ms`; after that nobody
heeds it. stale: made again from the last good one, because metrics are missing.

Must not know: OVSDB, forecasts, how containers are started.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from nib.errors import FieldError
from nib.fields import MAX_INTEGER, check_choice, check_integer, check_name, check_text
from nib.prewarm import MAX_CONTAINERS
from nib.qos import MAX_RATE_BPS, MIN_RATE_BPS

SHARDS = 16
SOURCES = frozenset(
    {"load", "forecast", "dependency", "schedule", "override", "keep-alive", "limit"}
)
REQUEST_STATES = frozenset({"requested", "accepted", "ready", "expired"})
EDGE_SOURCES = frozenset({"learned", "pinned", "banned"})
MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class ContainerPlan:
    """Decided: how many containers a service is to have.

    source: what decided it: the load of now, the forecast, a parent's surge, a schedule, an
    override, the keep-alive after the last load, or a limit of the scaling itself.
    """

    service: str
    containers: int
    from_ms: int
    until_ms: int
    source: str
    reason: str = ""
    stale: bool = False
    made_ms: int = 0

    def __post_init__(self) -> None:
        check_name("service", self.service)
        check_integer("containers", self.containers, 0, MAX_CONTAINERS)
        _check_validity(self.from_ms, self.until_ms, self.made_ms)
        check_choice("source", self.source, SOURCES)
        check_text("reason", self.reason, MAX_REASON, shortest=0)

    @property
    def key(self) -> str:
        """The service's name."""
        return self.service


@dataclass(frozen=True, slots=True)
class RatePlan:
    """Decided: what a policy is to have; None = as the policy itself says.

    refused: why it is not what the forecast asks for; "" where it is.
    """

    policy: str
    from_ms: int
    until_ms: int
    source: str
    max_bps: int | None = None
    guaranteed_bps: int | None = None
    reason: str = ""
    refused: str = ""
    stale: bool = False
    made_ms: int = 0

    def __post_init__(self) -> None:
        check_name("policy", self.policy)
        _check_validity(self.from_ms, self.until_ms, self.made_ms)
        check_choice("source", self.source, SOURCES)
        _check_rates(self.max_bps, self.guaranteed_bps)
        check_text("reason", self.reason, MAX_REASON, shortest=0)
        check_text("refused", self.refused, MAX_REASON, shortest=0)

    @property
    def key(self) -> str:
        """The policy's name."""
        return self.policy


@dataclass(frozen=True, slots=True)
class PolicyRate:
    """Decided by the leading controller: the rates in force of a policy, where they are not its
    own. source: "plan" or "override"; None = as the policy itself says."""

    policy: str
    source: str
    until_ms: int
    max_bps: int | None = None
    guaranteed_bps: int | None = None

    def __post_init__(self) -> None:
        check_name("policy", self.policy)
        check_choice("source", self.source, frozenset({"plan", "override"}))
        check_integer("until_ms", self.until_ms, 0, MAX_INTEGER)
        _check_rates(self.max_bps, self.guaranteed_bps)

    @property
    def key(self) -> str:
        """The policy's name."""
        return self.policy


@dataclass(frozen=True, slots=True)
class PrewarmRequest:
    """That containers be started: requested -> accepted -> ready, or expired.

    containers: how many there are to be; missing: how many were not there when it was made.
    needed_ms: when the forecast needs them; deadline_ms: when it expires; accepted_by: who took it.
    """

    id: str
    service: str
    containers: int
    missing: int
    requested_ms: int
    needed_ms: int
    deadline_ms: int
    state: str = "requested"
    accepted_ms: int | None = None
    accepted_by: str = ""
    ended_ms: int | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        check_text("id", self.id, 63)
        check_name("service", self.service)
        check_integer("containers", self.containers, 0, MAX_CONTAINERS)
        check_integer("missing", self.missing, 1, MAX_CONTAINERS)
        for field in ("requested_ms", "needed_ms", "deadline_ms"):
            check_integer(field, getattr(self, field), 0, MAX_INTEGER)
        check_choice("state", self.state, REQUEST_STATES)
        for field in ("accepted_ms", "ended_ms"):
            if getattr(self, field) is not None:
                check_integer(field, getattr(self, field), 0, MAX_INTEGER)
        check_text("accepted_by", self.accepted_by, shortest=0)
        check_text("reason", self.reason, MAX_REASON, shortest=0)

    @property
    def key(self) -> str:
        """Its id."""
        return self.id


@dataclass(frozen=True, slots=True)
class Dependency:
    """Learned: a rise at `parent` precedes one at `child` by lag_ms.

    gain_permille: what the child's out-of-sample loss falls by, with the parent known;
    slope_permille: how many requests at the child one at the parent brings.
    """

    parent: str
    child: str
    lag_ms: int
    source: str = "learned"
    gain_permille: int = 0
    slope_permille: int = 0

    def __post_init__(self) -> None:
        check_name("parent", self.parent)
        check_name("child", self.child)
        check_integer("lag_ms", self.lag_ms, 0, MAX_INTEGER)
        check_choice("source", self.source, EDGE_SOURCES)
        check_integer("gain_permille", self.gain_permille, 0, 1000)
        check_integer("slope_permille", self.slope_permille, 0, MAX_INTEGER)

    @property
    def key(self) -> tuple[str, str]:
        """(parent, child)."""
        return (self.parent, self.child)


@dataclass(frozen=True, slots=True)
class Predictor:
    """A predictor that runs. address: of its gRPC server; beat: counted on as long as it lives."""

    name: str
    address: str
    metrics: str = ""
    beat: int = 0
    since_ms: int = 0

    def __post_init__(self) -> None:
        check_text("name", self.name)
        check_text("address", self.address, shortest=0)
        check_text("metrics", self.metrics, shortest=0)
        check_integer("beat", self.beat, 0, MAX_INTEGER)
        check_integer("since_ms", self.since_ms, 0, MAX_INTEGER)

    @property
    def key(self) -> str:
        """Its name."""
        return self.name


@dataclass(frozen=True, slots=True)
class Shard:
    """The lease of a share of the services and policies: who plans for them, by which epoch."""

    number: int
    holder: str
    epoch: int = 1

    def __post_init__(self) -> None:
        check_integer("number", self.number, 0, SHARDS - 1)
        check_text("holder", self.holder)
        check_integer("epoch", self.epoch, 1, MAX_INTEGER)

    @property
    def key(self) -> str:
        """Its number, as text."""
        return str(self.number)


def _check_validity(from_ms: int, until_ms: int, made_ms: int) -> None:
    check_integer("from_ms", from_ms, 0, MAX_INTEGER)
    check_integer("until_ms", until_ms, 0, MAX_INTEGER)
    check_integer("made_ms", made_ms, 0, MAX_INTEGER)
    if until_ms < from_ms:
        raise FieldError("until_ms", "is before from_ms", "let a plan end after it begins")


def _check_rates(max_bps: int | None, guaranteed_bps: int | None) -> None:
    for field, value in (("max_bps", max_bps), ("guaranteed_bps", guaranteed_bps)):
        if value is not None:
            check_integer(field, value, MIN_RATE_BPS, MAX_RATE_BPS)


def shard_of(name: str) -> int:
    """The number of the shard that a service or policy is in; the same in every process."""
    return zlib.crc32(name.encode()) % SHARDS
