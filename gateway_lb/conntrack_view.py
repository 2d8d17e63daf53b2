"""Connections of containers, read from a switch's connection table.

Owns: the lines of `dpctl/dump-conntrack -m`, what counts as open, and which rows are due.
Must not know: how the dump is fetched, who writes the rows.

A connection is open as long as the container's own end of it is: one whose container has sent its
FIN, or that was reset, is over, whatever the client does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from gateway_lb.lifecycle import is_ready
from gateway_lb.placement import port_of
from nib.mirror import Lookups
from nib.observed import Connections
from nib.records import Container, Service

# (zone, ct_mark) -> open connections
Counts: TypeAlias = Mapping[tuple[int, int], int]

# How often a row is written at least where the count limits or ends something, and at most where
# nothing depends on it.
SECOND_MS: Final = 1000

# tcp,orig=(...),reply=(...),id=0,zone=5,status=0,mark=7,labels=0x1,protoinfo=(state_orig=...,
# state_reply=...,...); mark and labels are left out where they are 0.
_LINE: Final = re.compile(
    rb"(\w+),orig=\([^)]*\),reply=\([^)]*\)"
    rb"(?:,id=\d+)?(?:,zone=(\d+))?(?:,status=[\w|]+)?(?:,timeout=\d+)?(?:,mark=(\d+))?"
    rb"(?:,labels=0x[0-9a-f]+)?(?:,[^=()]+=[^=(),]+)*"
    rb"(?:,protoinfo=\(state_orig=(\w+),state_reply=(\w+)[^)]*\))?[^\n]*"
)
_OVER: Final = frozenset({b"CLOSING", b"FIN_WAIT_2", b"LAST_ACK", b"TIME_WAIT"})
_NEVER: Final = b"CLOSED"  # of the reply: not answered; of both ends: over


@dataclass(slots=True)
class Tally:
    """Counts lines as they come. unknown: lines that were not understood."""

    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    unknown: int = 0

    def add(self, lines: Iterable[bytes]) -> None:
        """Count these lines; empty ones are none."""
        for line in lines:
            found = _LINE.fullmatch(line)
            if found is None:
                self.unknown += bool(line.strip())
                continue
            protocol, zone, mark, near, far = found.groups()
            if not zone or not mark or (protocol == b"tcp" and _is_over(near, far)):
                continue
            self.counts[int(zone), int(mark)] += 1


def due_rows(
    counts: Counts,
    zones: Collection[int],
    switches: Collection[str],
    view: Lookups,
    now_ms: int,
) -> list[Connections]:
    """The rows to write now, of containers behind these switches, counted in these zones.

    A count that limits or ends something (caps, draining, least_inflight) is written whenever it
    changes, and every second where it must be known to be fresh; any other at most every second.
    """
    opened: Counter[int] = Counter()
    for (zone, mark), count in counts.items():
        if zone in zones:
            opened[mark] += count
    rows = []
    for service, container in _counted(switches, view):
        held = opened[container.number]
        if _is_due(service, container, held, view, now_ms):
            rows.append(Connections(*container.key, held, now_ms))
    return rows


def is_urgent(switches: Collection[str], view: Lookups) -> bool:
    """Whether a count limits or ends something behind these switches."""
    return any(
        _is_limit(service, container) or _is_share(service, container)
        for service, container in _counted(switches, view)
    )


def _counted(switches: Collection[str], view: Lookups) -> Iterator[tuple[Service, Container]]:
    """The containers behind these switches whose connections are tracked."""
    for service in view.all(Service):
        if service.mode == "stateful":
            for container in view.containers_of(service.name):
                if _is_behind(container, switches, view):
                    yield service, container


def _is_over(near: bytes | None, far: bytes | None) -> bool:
    return far in _OVER or near == b"TIME_WAIT" or near == far == _NEVER


def _is_behind(container: Container, switches: Collection[str], view: Lookups) -> bool:
    port = port_of(container, view)
    return port is not None and port.switch in switches


def _is_due(service: Service, container: Container, held: int, view: Lookups, now_ms: int) -> bool:
    known = view.get(Connections, container.key)
    is_fresh = known is not None and now_ms - known.at_ms < SECOND_MS
    if _is_limit(service, container):
        return not is_fresh or known is None or known.open != held
    if _is_share(service, container):
        return known is None or known.open != held
    if known is None:
        return held > 0
    return known.open != held and not is_fresh


def _is_limit(service: Service, container: Container) -> bool:
    """Whether the count keeps connections away, or tells that a container may stop."""
    is_capped = service.max_connections is not None or container.max_connections is not None
    return is_capped or not is_ready(container)


def _is_share(service: Service, container: Container) -> bool:
    """Whether the count decides how many new connections the container gets."""
    return service.policy == "least_inflight" or container.max_inflight is not None
