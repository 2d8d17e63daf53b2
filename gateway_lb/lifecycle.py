"""The life of a container: ready, then draining, then gone.

A ready container holds slots; while it is new, a growing part of its share (`shares.warmth`). A
draining one gets no new connection but keeps those it has until its time is over; then its row
goes. A container with a lease drains when the lease is not renewed in time.

    (none) --register--> ready --drain, lease expired--> draining --time over, delete--> (none)
                         ready <------register---------- draining

Pure: the time is an argument, in milliseconds since 1970.

Must not know: slots, flows, who writes or deletes the row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from gateway_lb.connections import Count
from nib.errors import FieldError
from nib.intent import Container
from nib.times import read_duration

READY: Final = "ready"
DRAINING: Final = "draining"

DEFAULT_DRAIN_SECONDS: Final = 60.0
MAX_DRAIN_SECONDS: Final = 86_400.0

# A count of connections taken earlier after draining began may lack one that was being opened.
SETTLED_MS: Final = 500


def is_ready(container: Container) -> bool:
    """Whether new connections may go to it."""
    return container.state == READY


# ------------------------------------------------------------------------------ registration, lease


def registered(given: Container, known: Container | None, now_ms: int) -> Container:
    """What is stored when a container registers: it is ready, and its lease begins anew.

    known: its row so far. `since_ms` stays where that is ready, and is now for a container that is
    new or drains. A registration that says nothing new only renews the lease (`renewed`): the row
    stays as it is where that writes nothing.
    """
    stays = known is not None and is_ready(known)
    fresh = replace(
        given,
        state=READY,
        drain_until_ms=None,
        since_ms=known.since_ms if known is not None and stays else now_ms,
        lease_until_ms=_lease_end(given.lease_seconds, now_ms),
    )
    if known is None or not stays:
        return fresh
    same = replace(
        fresh,
        lease_until_ms=known.lease_until_ms,
        number=known.number,
        generation=known.generation,
    )
    return renewed(known, now_ms) if same == known else fresh


def renewed(known: Container, now_ms: int) -> Container:
    """The container with its lease extended, or itself while half of the lease or more remains.

    So a container may renew as often as it likes, and its row is written twice a lease at most.
    """
    if known.lease_seconds is None or known.lease_until_ms is None:
        return known
    if 2 * (known.lease_until_ms - now_ms) >= known.lease_seconds * 1000:
        return known
    return replace(known, lease_until_ms=_lease_end(known.lease_seconds, now_ms))


def is_expired(container: Container, now_ms: int, heard_since_ms: int = 0) -> bool:
    """Whether a ready container's lease is over.

    heard_since_ms: since when renewals can be heard, such as the time when the database came back.
    Every container has a whole lease from then: an outage expires none.
    """
    end = _expiry_ms(container, heard_since_ms)
    return is_ready(container) and end is not None and end <= now_ms


def expired(
    containers: Iterable[Container], now_ms: int, heard_since_ms: int = 0
) -> list[Container]:
    """The containers whose lease is over (`is_expired`), as they are stored then: draining."""
    return [
        draining(container, now_ms, DEFAULT_DRAIN_SECONDS)
        for container in containers
        if is_expired(container, now_ms, heard_since_ms)
    ]


def _lease_end(lease_seconds: int | None, now_ms: int) -> int | None:
    return None if lease_seconds is None else now_ms + lease_seconds * 1000


def _expiry_ms(container: Container, heard_since_ms: int) -> int | None:
    if container.lease_seconds is None or container.lease_until_ms is None:
        return None
    return max(container.lease_until_ms, heard_since_ms + container.lease_seconds * 1000)


# ----------------------------------------------------------------------------------------- draining


def draining(container: Container, now_ms: int, drain_seconds: float) -> Container:
    """The container draining from now on; one that drains already keeps the earlier end."""
    until = now_ms + round(drain_seconds * 1000)
    if is_ready(container):
        return replace(container, state=DRAINING, drain_until_ms=until, since_ms=now_ms)
    return replace(container, drain_until_ms=min(until, container.drain_until_ms or until))


def drained(containers: Iterable[Container], now_ms: int) -> list[Container]:
    """The containers whose draining is over."""
    return [
        container
        for container in containers
        if container.drain_until_ms is not None and container.drain_until_ms <= now_ms
    ]


def next_deadline(container: Container, heard_since_ms: int = 0) -> int | None:
    """When time alone ends its present state: the end of its draining or of its lease."""
    if not is_ready(container):
        return container.drain_until_ms
    return _expiry_ms(container, heard_since_ms)


def safe_to_stop(container: Container, connections: Count | None, now_ms: int) -> bool | None:
    """Whether stopping the container hurts nobody; None while nobody counts its connections.

    It is when it drains and counts taken since (`SETTLED_MS` later at least) found no connection in
    any switch, or when its time is over.
    """
    if container.drain_until_ms is not None and container.drain_until_ms <= now_ms:
        return True
    if is_ready(container):
        return False
    if connections is None:
        return None
    return connections.open == 0 and connections.at_ms >= container.since_ms + SETTLED_MS


# ---------------------------------------------------------------------------------------- durations


def parse_duration(text: str | float, field: str = "drain") -> float:
    """Seconds from `60s`, `500ms`, `2m`, `1h`, `1d`, or a bare number of seconds.

    Raises FieldError for anything else, and beyond `MAX_DRAIN_SECONDS`.
    """
    remedy = "give seconds, or a number with ms, s, m, h or d, such as 60s"
    try:
        seconds = read_duration(str(text))
    except ValueError:
        raise FieldError(field, f"{text!r} is not a duration", remedy) from None
    if seconds > MAX_DRAIN_SECONDS:
        raise FieldError(
            field, f"{text} is out of range", f"give 0 to {round(MAX_DRAIN_SECONDS)} seconds"
        )
    return seconds
