"""What a replay found, as values that become JSON.

Must not know: how they are found.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from predictor.replay.statistics import Interval


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of a policy. queued: share of requests that waited; cost: container-seconds over
    the oracle's; both with their intervals. waited_s: mean wait of all requests."""

    policy: str
    setting: str
    queued: Interval
    cost: Interval
    requests: int
    container_seconds: float
    waited_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """All points; what was replayed, and with what."""

    services: int
    requests: int
    seconds: float
    scored_from_s: float
    concurrency: int
    cold_start_s: float
    programming_s: float
    oracle_container_seconds: float
    points: tuple[Point, ...]

    def curves(self) -> dict[str, list[Point]]:
        """By policy."""
        found: dict[str, list[Point]] = {}
        for point in self.points:
            found.setdefault(point.policy, []).append(point)
        return found

    def as_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, numbers and texts."""
        return asdict(self)
