"""Rows of what is seen of containers, as frozen, checked values: what changes a decision.

They are no intent: reports, verdicts and counts, each written by one role (`nib.records` has the
list). `nib.records` gathers them with the others.

Must not know: who decides what from them.
"""

from __future__ import annotations

from dataclasses import dataclass

from nib.fields import (
    MAX_INTEGER,
    check_boolean,
    check_choice,
    check_dpid,
    check_integer,
    check_name,
    check_text,
)

REPORT_WORDS = frozenset({"", "drain", "down"})


@dataclass(frozen=True, slots=True)
class Report:
    """What a container, or the gateway, last reported of it, in HAProxy's agent-check words.

    percent: of its weight; max_inflight: `maxconn:N`; word: drain, down, or "" for ready;
    inflight: requests it works at.
    """

    service: str
    container: str
    percent: int = 100
    max_inflight: int | None = None
    word: str = ""
    inflight: int | None = None

    def __post_init__(self) -> None:
        _check_container_key(self)
        check_integer("percent", self.percent, 0, 100)
        if self.max_inflight is not None:
            check_integer("max_inflight", self.max_inflight, 1, 1_000_000)
        check_choice("word", self.word, REPORT_WORDS)
        if self.inflight is not None:
            check_integer("inflight", self.inflight, 0, 1_000_000)

    @property
    def key(self) -> tuple[str, str]:
        """(service name, container id)."""
        return (self.service, self.container)


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict of a container's active check; `reason` says what the last failure was."""

    service: str
    container: str
    up: bool
    reason: str = ""

    def __post_init__(self) -> None:
        _check_container_key(self)
        check_boolean("up", self.up)
        check_text("reason", self.reason, shortest=0)

    @property
    def key(self) -> tuple[str, str]:
        """(service name, container id)."""
        return (self.service, self.container)


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections of a container one switch's conntrack held open at a time.

    switch: the datapath id of the clients' edge; "" in rows of before there were several.
    """

    service: str
    container: str
    open: int
    at_ms: int
    switch: str = ""

    def __post_init__(self) -> None:
        _check_container_key(self)
        check_integer("open", self.open, 0, MAX_INTEGER)
        check_integer("at_ms", self.at_ms, 0, MAX_INTEGER)
        if self.switch:
            check_dpid("switch", self.switch)

    @property
    def key(self) -> tuple[str, str, str]:
        """(service name, container id, datapath id)."""
        return (self.service, self.container, self.switch)


@dataclass(frozen=True, slots=True)
class Ejected:
    """A container whose connections failed: left out until a time; `times` in a row so far."""

    service: str
    container: str
    until_ms: int
    times: int = 1
    reason: str = ""

    def __post_init__(self) -> None:
        _check_container_key(self)
        check_integer("until_ms", self.until_ms, 0, MAX_INTEGER)
        check_integer("times", self.times, 1, MAX_INTEGER)
        check_text("reason", self.reason, shortest=0)

    @property
    def key(self) -> tuple[str, str]:
        """(service name, container id)."""
        return (self.service, self.container)


@dataclass(frozen=True, slots=True)
class Demand:
    """Somebody wanted a service that had no container: when last, and how many packets in all."""

    service: str
    at_ms: int
    packets: int = 1

    def __post_init__(self) -> None:
        check_name("service", self.service)
        check_integer("at_ms", self.at_ms, 0, MAX_INTEGER)
        check_integer("packets", self.packets, 1, MAX_INTEGER)

    @property
    def key(self) -> str:
        """The service's name."""
        return self.service


def _check_container_key(record: Report | Health | Connections | Ejected) -> None:
    check_name("service", record.service)
    check_name("container", record.container)
