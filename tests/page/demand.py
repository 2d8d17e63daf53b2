"""The load of made-up services: the same for the same name and time, day after day.

Owns: how much each service has to do at a time, and what policies carry. Must not know: the
database, metrics.
"""

from __future__ import annotations

import math
import zlib
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from predictor.series.window import Floats

_AREAS: Final = (
    *("web", "shop", "cart", "orders", "catalog", "search", "users", "auth", "billing", "stock"),
    *("mail", "media", "maps", "chat", "reviews", "pricing", "returns", "ads", "reports", "audit"),
)
_ROLES: Final = (
    *("api", "front", "worker", "db", "cache", "events", "index", "export", "hooks", "admin"),
)
CONCURRENCY: Final = 8
_HOUR_S: Final = 3600.0


def names(count: int) -> list[str]:
    """So many names of services, the busiest kinds first."""
    made = [f"{area}-{role}" for role in _ROLES for area in _AREAS]
    return made[:count]


def inflight(name: str, at_s: ArrayLike) -> Floats:
    """Requests that are worked at, at times in seconds since 1970."""
    seed = zlib.crc32(name.encode())
    base = 4.0 + 36.0 * ((seed >> 8) % 1000 / 1000.0) ** 2
    phase = (seed % 628) / 100.0
    at = np.asarray(at_s, dtype=float)
    slow = 0.55 + 0.35 * np.sin(2 * math.pi * at / _HOUR_S + phase)
    surges = np.clip(np.sin(2 * math.pi * at / (_HOUR_S / 3) + 2 * phase), 0, 1) ** 8
    jitter = np.sin(at * 0.9 + phase) * np.sin(at * 0.37 + seed % 11)
    return np.asarray(base * (slow + 0.6 * surges + 0.05 * jitter), dtype=float)


def connections_per_s(name: str, at_s: float) -> float:
    """New connections: a request takes a quarter of a second."""
    return float(inflight(name, at_s)) * 4.0


def containers_for(load: float) -> int:
    """As many as a load needs at seven tenths of their concurrency."""
    return max(1, math.ceil(load / (CONCURRENCY * 0.7)))


BPS_A_REQUEST: Final = 42e6


def policy_bps(name: str, at_s: float) -> float:
    """What is offered to a policy."""
    return float(inflight(name, at_s)) * BPS_A_REQUEST
