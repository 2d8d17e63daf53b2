"""How many containers of a service there are, by the rows of the database.

Must not know: plans, or who started them.
"""

from __future__ import annotations

from dataclasses import dataclass

from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.observed import Health


@dataclass(frozen=True, slots=True)
class Standing:
    """present: registered and not draining. ready: of these, those that may be sent requests: their
    first health check is passed, where the service has one, and the last one too."""

    present: int
    ready: int


def standing(view: Lookups, service: str) -> Standing:
    """Of a service; all 0 where there is none of this name. Costs the service's containers."""
    row = view.get(Service, service)
    there = [c for c in view.containers_of(service) if c.state == "ready"] if row else []
    if row is None or row.health is None:
        return Standing(len(there), len(there))
    return Standing(len(there), sum(_is_up(view, container) for container in there))


def _is_up(view: Lookups, container: Container) -> bool:
    health = view.get(Health, container.key)
    return health is not None and health.up
