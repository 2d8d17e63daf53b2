"""What containers there are of all services, found anew only when rows changed.

Must not know: plans, who started them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from nib.intent import Container, Service
from nib.mirror import Lookups
from nib.observed import Health
from predictor.outward.present import Standing, standing

NOBODY: Final = Standing(0, 0)


def presence_of(view: Lookups) -> Mapping[str, Standing]:
    """By service; the same object for the same rows."""
    return view.derived(_presence_in, Service, Container, Health)


def _presence_in(view: Lookups) -> Mapping[str, Standing]:
    services = {container.service for container in view.all(Container)}
    return {name: standing(view, name) for name in services}
