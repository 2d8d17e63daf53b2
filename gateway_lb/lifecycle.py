"""The life of a container: ready, then draining, then gone.

A ready container holds slots. A draining one gets no new connection but keeps those it has until
its time is over; then its row goes. Pure: the time is an argument, in milliseconds since the epoch.

Must not know: slots, flows, who deletes the row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from nib.records import Container

READY: Final = "ready"
DRAINING: Final = "draining"

DEFAULT_DRAIN_SECONDS: Final = 60.0
MAX_DRAIN_SECONDS: Final = 86_400.0


def is_ready(container: Container) -> bool:
    """Whether new connections may go to it."""
    return container.state == READY


def draining(container: Container, now_ms: int, drain_seconds: float) -> Container:
    """The container draining from now on; one that drains already keeps the earlier end."""
    until = now_ms + round(drain_seconds * 1000)
    if container.drain_until_ms is not None:
        until = min(until, container.drain_until_ms)
    return replace(container, state=DRAINING, drain_until_ms=until)


def drained(containers: Iterable[Container], now_ms: int) -> list[Container]:
    """The containers whose draining is over."""
    return [
        container
        for container in containers
        if container.drain_until_ms is not None and container.drain_until_ms <= now_ms
    ]
