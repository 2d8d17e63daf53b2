"""Values inside a service's row: further ports, health check, ejection, canary.

Owns: their validation and their text form, which is what the database stores.
Must not know: rows, transactions, or who acts on a policy.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from nib.errors import FieldError
from nib.fields import MAX_INTEGER, check_choice, check_integer, check_name, check_text

PROTOCOLS = frozenset({"tcp", "udp"})
CHECK_KINDS = frozenset({"tcp", "http", "grpc"})
MAX_EXTRA_PORTS = 15

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class ExtraPort:
    """A further port of a service; every container answers it at `target`."""

    port: int
    target: int
    protocol: str = "tcp"

    def __post_init__(self) -> None:
        check_integer("extra_ports.port", self.port, 1, 65535)
        check_integer("extra_ports.target", self.target, 1, 65535)
        check_choice("extra_ports.protocol", self.protocol, PROTOCOLS)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """An active check of every container, made from the switch that the container is behind.

    port: None = the container's own; path, status_from, status_to: for http; grpc_service: the name
    that grpc.health.v1 is asked for; rise, fall: results in a row that change the verdict.
    """

    kind: str = "tcp"
    port: int | None = None
    path: str = "/"
    status_from: int = 200
    status_to: int = 399
    grpc_service: str = ""
    interval_ms: int = 2000
    timeout_ms: int = 1000
    rise: int = 2
    fall: int = 3

    def __post_init__(self) -> None:
        check_choice("health.kind", self.kind, CHECK_KINDS)
        if self.port is not None:
            check_integer("health.port", self.port, 1, 65535)
        check_text("health.path", self.path, 255)
        if not self.path.startswith("/"):
            raise FieldError("health.path", f"{self.path!r} is no path", "begin it with /")
        check_integer("health.status_from", self.status_from, 100, 599)
        check_integer("health.status_to", self.status_to, self.status_from, 599)
        check_text("health.grpc_service", self.grpc_service, 255, shortest=0)
        check_integer("health.interval_ms", self.interval_ms, 50, 3_600_000)
        check_integer("health.timeout_ms", self.timeout_ms, 10, 60_000)
        check_integer("health.rise", self.rise, 1, 100)
        check_integer("health.fall", self.fall, 1, 100)


@dataclass(frozen=True, slots=True)
class Ejection:
    """Passive ejection: a container whose connections fail is left out for a while.

    Over each window, resets and unanswered SYNs are counted; `failure_percent` of at least
    `min_connections` new connections ejects, for `eject_ms` times the ejections in a row. At most
    `max_ejected_percent` of a service's containers are ejected at a time.
    """

    failure_percent: int = 50
    min_connections: int = 5
    window_ms: int = 1000
    eject_ms: int = 30_000
    max_ejected_percent: int = 50

    def __post_init__(self) -> None:
        check_integer("ejection.failure_percent", self.failure_percent, 1, 100)
        check_integer("ejection.min_connections", self.min_connections, 1, 1_000_000)
        check_integer("ejection.window_ms", self.window_ms, 200, 60_000)
        check_integer("ejection.eject_ms", self.eject_ms, 100, 3_600_000)
        check_integer("ejection.max_ejected_percent", self.max_ejected_percent, 1, 100)


@dataclass(frozen=True, slots=True)
class Canary:
    """A version's share of new connections, grown in steps.

    From `started_ms` (milliseconds since 1970) the containers of `version` have `step_percent`
    more every `step_ms`, up to `percent`; a step of 0 gives the whole at once.
    """

    version: str
    percent: int
    step_percent: int = 0
    step_ms: int = 60_000
    started_ms: int = 0

    def __post_init__(self) -> None:
        check_name("canary.version", self.version)
        check_integer("canary.percent", self.percent, 0, 100)
        check_integer("canary.step_percent", self.step_percent, 0, 100)
        check_integer("canary.step_ms", self.step_ms, 100, 86_400_000)
        check_integer("canary.started_ms", self.started_ms, 0, MAX_INTEGER)


def policy_text(value: object) -> str:
    """What the database stores: only what differs from the defaults; "" for None and ()."""
    if value is None or value == ():
        return ""
    if isinstance(value, tuple):
        return json.dumps([_given(each) for each in value], separators=(",", ":"))
    return json.dumps(_given(value), separators=(",", ":"))


def read_policy(field: str, kind: type[P], text: str) -> P | None:
    """The value that `policy_text` wrote; FieldError for other text."""
    return None if not text else _built(field, kind, _json(field, text))


def read_extra_ports(text: str) -> tuple[ExtraPort, ...]:
    """The tuple that `policy_text` wrote; FieldError for other text."""
    listed = _json("extra_ports", text) if text else []
    if not isinstance(listed, list):
        raise FieldError("extra_ports", f"{text!r} is no list", "write a JSON list")
    return tuple(_built("extra_ports", ExtraPort, each) for each in listed)


def _given(value: Any) -> dict[str, Any]:
    defaults = {field.name: field.default for field in fields(value)}
    return {name: held for name, held in asdict(value).items() if held != defaults[name]}


def _json(field: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise FieldError(field, str(error), "write JSON") from None


def _built(field: str, kind: type[P], given: Any) -> P:
    try:
        return kind(**given)
    except TypeError as error:
        raise FieldError(field, str(error), "write a JSON object with known members") from None
