"""What the server asks: the database, the feed, the series, the clock.

Must not know: gRPC calls.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from nib.database import Nib
from nib.intent import Service
from nib.mirror import Lookups
from nib.qos import Policy
from predictor.outward.feed import Feed
from predictor.outward.refusals import unknown_policy, unknown_service
from predictor.outward.views import POLICY, SERVICE, SeriesView

SeriesOf: TypeAlias = Callable[[str, str, float, int], SeriesView | None]
"""(kind, name, step in seconds, steps at most) -> the youngest steps; None = not known here."""

HolderOf: TypeAlias = Callable[[Lookups, str], str]
"""The name of the predictor that minds a service or policy of this name; "" = nobody."""


@dataclass(frozen=True, slots=True)
class Sources:
    """name: of this predictor. clock_ms: milliseconds since 1970."""

    name: str
    nib: Nib
    feed: Feed
    series: SeriesOf
    holder: HolderOf
    clock_ms: Callable[[], int]

    def check_known(self, kind: str, name: str) -> None:
        """Refused (NOT_FOUND) where there is no such service or policy."""
        with self.nib.view() as view:
            check_known(view, kind, name)

    def check_all_known(self, services: list[str], policies: list[str]) -> None:
        """The same of several."""
        with self.nib.view() as view:
            for kind, names in ((SERVICE, services), (POLICY, policies)):
                for name in names:
                    check_known(view, kind, name)


def check_known(view: Lookups, kind: str, name: str) -> None:
    """Refused (NOT_FOUND) where there is no such service or policy."""
    if kind == SERVICE and view.get(Service, name) is None:
        raise unknown_service(name)
    if kind == POLICY and view.get(Policy, name) is None:
        raise unknown_policy(name)
