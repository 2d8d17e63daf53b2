"""Connections of containers, read from a switch's connection table.

Owns: the lines of `dpctl/dump-conntrack -m`, what counts as open, and which rows are due.
Must not know: how the dump is fetched, who writes the rows.

A connection is open as long as the container's own end of it is: one whose container has sent its
FIN, or that was reset, is over, whatever the client does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from gateway_lb.lifecycle import is_ready
from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.observed import Connections

# (zone, ct_mark) -> open connections
Counts: TypeAlias = Mapping[tuple[int, int], int]

# How often a row is written at least where the count limits or ends something, and at most where
# nothing depends on it.
SECOND_MS: Final = 1000

# tcp,orig=(...),reply=(...),id=0,zone=5,status=0,mark=7,labels=0x1,protoinfo=(state_orig=...,
# state_reply=...,...); mark and labels are left out where they are 0.
_LINE: Final = re.compile(
    rb"(\w+),orig=\((?:src=([^,)]*))?[^)]*\),reply=\([^)]*\)"
    rb"(?:,id=\d+)?(?:,zone=(\d{1,9})(?!\d))?(?:,status=[\w|]+)?(?:,timeout=\d+)?(?:,mark=(\d{1,10})(?!\d))?"
    rb"(?:,labels=0x[0-9a-f]+)?(?:,[^=()]+=[^=(),]+)*"
    rb"(?:,protoinfo=\(state_orig=(\w+),state_reply=(\w+)[^)]*\))?[^\n]*"
)
_OVER: Final = frozenset({b"CLOSING", b"FIN_WAIT_2", b"LAST_ACK", b"TIME_WAIT"})
_NEVER: Final = b"CLOSED"  # of the reply: not answered; of both ends: over


class _Use(Enum):
    """What a container's count is for."""

    LIMIT = "keeps connections away, or tells that a container may stop"
    SHARE = "decides how many new connections the container gets"
    SHOWN = "is shown"


@dataclass(slots=True)
class Tally:
    """Counts lines as they come. unknown: lines that were not understood.

    sources: TCP connections that were answered, by zone, mark and the client's address, of the
    marks in `told_apart`. One that was never let through is not answered.
    """

    told_apart: frozenset[int] = frozenset()
    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    sources: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    unknown: int = 0

    def add(self, lines: Iterable[bytes]) -> None:
        """Count these lines; empty ones are none."""
        for line in lines:
            found = _LINE.fullmatch(line)
            if found is None:
                self.unknown += bool(line.strip())
                continue
            protocol, client, zone, mark, near, far = found.groups()
            if not zone or not mark or (protocol == b"tcp" and _is_over(near, far)):
                continue
            place = int(zone), int(mark)
            self.counts[place] += 1
            if place[1] in self.told_apart and client and far and far != _NEVER:
                self.sources[*place, client.decode("ascii", "replace")] += 1


def due_rows(
    counts: Counts, switches: Mapping[str, int], view: Lookups, now_ms: int
) -> list[Connections]:
    """The rows to write now, of every container, counted in these switches.

    switches: conntrack zone by datapath id. A count that limits or ends something (caps, draining)
    is written for each switch whenever it changes, and every second so that it is known to be
    fresh, none among them. One that makes shares (least_inflight) is written when it changes; any
    other at most every second. Of these, none is written only where there was one before; except
    that for shares somebody says first that connections are counted.
    """
    rows = []
    for use, container in _counted(view):
        is_first = use is _Use.SHARE and not view.connections_of(*container.key)
        for dpid, zone in switches.items():
            held = counts.get((zone, container.number), 0)
            known = view.get(Connections, (*container.key, dpid))
            if is_first or _is_due(use, held, known, now_ms):
                rows.append(Connections(*container.key, held, now_ms, dpid))
    return rows


def is_urgent(view: Lookups) -> bool:
    """Whether a count limits or ends something, or makes shares."""
    return any(use is not _Use.SHOWN for use, _ in _counted(view))


def _counted(view: Lookups) -> Iterator[tuple[_Use, Container]]:
    """The containers whose connections are tracked: in any switch, wherever they are."""
    for service in view.all(Service):
        if service.mode == "stateful":
            for container in view.containers_of(service.name):
                yield _use(service, container), container


def _is_over(near: bytes | None, far: bytes | None) -> bool:
    return far in _OVER or near == b"TIME_WAIT" or near == far == _NEVER


def _use(service: Service, container: Container) -> _Use:
    is_capped = service.max_connections is not None or container.max_connections is not None
    if is_capped or not is_ready(container):
        return _Use.LIMIT
    is_share = service.policy == "least_inflight" or container.max_inflight is not None
    return _Use.SHARE if is_share else _Use.SHOWN


def _is_due(use: _Use, held: int, known: Connections | None, now_ms: int) -> bool:
    """Whether the count of one switch is to be written; known: what it wrote last."""
    if known is None:
        return held > 0 or use is _Use.LIMIT
    is_fresh = now_ms - known.at_ms < SECOND_MS
    if use is _Use.LIMIT:
        return not is_fresh or known.open != held
    return known.open != held and (use is _Use.SHARE or not is_fresh)
