"""What is known of a container, and why it gets no new connection.

Owns: the states a container may be in and the order of the reasons; the panic threshold.
Must not know: weights, slots, who writes the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway_lb.connections import open_connections
from gateway_lb.lifecycle import is_ready
from gateway_lb.placement import port_of
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.observed import Ejected, Health, Report

READY: Final = "ready"
WARMING: Final = "warming"
DRAINING: Final = "draining"
UNPLACED: Final = "unplaced"
UNCHECKED: Final = "unchecked"
DOWN: Final = "down"
EJECTED: Final = "ejected"
FULL: Final = "full"
IDLE: Final = "idle"
STATES: Final = (READY, WARMING, DRAINING, UNPLACED, UNCHECKED, DOWN, EJECTED, FULL, IDLE)

Verdict: TypeAlias = tuple[str, str]  # state, reason


@dataclass(frozen=True, slots=True)
class Known:
    """What the rows say of one container; `ejected` only while it is in force.

    open: its connections in all switches; None: nobody counts them.
    """

    container: Container
    is_placed: bool
    report: Report
    health: Health | None
    ejected: Ejected | None
    open: int | None

    @property
    def key(self) -> tuple[str, str]:
        """(service name, container id)."""
        return self.container.key

    @property
    def inflight(self) -> int | None:
        """As reported, else its open connections."""
        return self.open if self.report.inflight is None else self.report.inflight

    @property
    def capacity(self) -> int | None:
        """What it works at in parallel: as reported, else as registered."""
        return self.report.max_inflight or self.container.max_inflight

    @property
    def own_weight(self) -> int:
        """Its weight and the percentage it reported, in hundredths."""
        return self.container.weight * self.report.percent


def known_of(container: Container, service: Service, view: Lookups, now_ms: int) -> Known:
    """What a view of the database says at a time, in milliseconds since 1970."""
    key = container.key
    ejected = view.get(Ejected, key) if service.ejection else None
    return Known(
        container,
        port_of(container, view) is not None,
        view.get(Report, key) or Report(*key),
        view.get(Health, key),
        ejected if ejected and ejected.until_ms > now_ms else None,
        open_connections(key, view),
    )


def obstacle(one: Known, service: Service, panic: bool) -> Verdict | None:
    """Why the container gets nothing: the first reason of all; None where it is usable."""
    for reason in _ABSENT:
        verdict = reason(one)
        if verdict is not None:
            return verdict
    verdict = _unchecked(one, service)
    if verdict is None and not panic:
        verdict = failing(one, service)
    return verdict or _full(one) or _idle(one)


def failing(one: Known, service: Service) -> Verdict | None:
    """What is not heeded in panic: a failed check, or an ejection."""
    if service.health is not None and one.health is not None and not one.health.up:
        why = one.health.reason
        return DOWN, f"its check failed: {why}" if why else "its check failed"
    if one.ejected is not None:
        return EJECTED, one.ejected.reason or "its connections failed"
    return None


def is_panic(service: Service, known: Iterable[Known]) -> bool:
    """Whether the part that checks and ejections leave is below the threshold.

    Of the containers that are meant to work: not those that leave, have no place, said that they
    are down, have no weight, or never passed a check.
    """
    if not service.panic_percent:
        return False
    meant = [
        one
        for one in known
        if one.own_weight
        and not any(reason(one) for reason in _ABSENT)
        and not _unchecked(one, service)
    ]
    usable = sum(1 for one in meant if not failing(one, service))
    return usable * 100 < service.panic_percent * len(meant)


def _leaving(one: Known) -> Verdict | None:
    if not is_ready(one.container):
        return DRAINING, "it is taken out of service"
    return (DRAINING, "it reported drain") if one.report.word == "drain" else None


def _unplaced(one: Known) -> Verdict | None:
    return None if one.is_placed else (UNPLACED, "no switch has the port it is attached to")


def _reported_down(one: Known) -> Verdict | None:
    return (DOWN, "it reported down") if one.report.word == "down" else None


_ABSENT: Final[tuple[Callable[[Known], Verdict | None], ...]] = (
    _leaving,
    _unplaced,
    _reported_down,
)


def _unchecked(one: Known, service: Service) -> Verdict | None:
    if service.health is None or one.health is not None:
        return None
    return UNCHECKED, f"its {service.health.kind} check has not succeeded yet"


def at_cap(one: Known) -> Verdict | None:
    """Whether its connections are as many as it may have.

    That moves no slot: the controller admits each new connection and passes it by.
    """
    cap = one.container.max_connections
    if cap is not None and one.open is not None and one.open >= cap:
        return FULL, f"{one.open} connections, at most {cap}"
    return None


def _full(one: Known) -> Verdict | None:
    room = one.capacity
    if room is not None and one.inflight is not None and one.inflight >= room:
        return FULL, f"{one.inflight} in flight, at most {room}"
    return None


def _idle(one: Known) -> Verdict | None:
    if one.container.weight == 0:
        return IDLE, "its weight is 0"
    return (IDLE, "it reported 0%") if one.report.percent == 0 else None
