"""Loads that are made up, with known dependencies: for demonstrations, tests and benchmarks.

Services have a load of their own (steady, daily, periodic, bursty) and receive what their parents
pass on, a lag later. Services of one clock share a schedule without calling each other. The same
seed gives the same loads.

Must not know: forecasts, how dependencies are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from predictor.series.window import Floats, Window

KINDS: Final = frozenset({"steady", "daily", "periodic", "bursty"})
_DAILY_SWING: Final = 0.8
Counts: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Source:
    """A service and the load that it has of its own; requests a step, times in steps.

    level: the usual mean; peak: added in surges, each `width` long. periodic: a surge every
    `period`, `phase` after its beginning, each late by up to `jitter`; bursty: surges at random,
    `period` apart on average. daily: a sine wave of `period` around `level`. clock: services of the
    same clock surge together (phase apart); "" = a clock of its own. ValueError for what cannot be.
    """

    name: str
    kind: str = "steady"
    level: float = 0.0
    peak: float = 0.0
    period: int = 1
    width: int = 1
    phase: int = 0
    jitter: int = 0
    clock: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no kind of load; use one of {sorted(KINDS)}")
        if (
            min(self.level, self.peak, self.phase, self.jitter) < 0
            or min(self.period, self.width) < 1
        ):
            raise ValueError(
                f"{self.name}: a load, a phase or a jitter below 0, or a period below 1"
            )


@dataclass(frozen=True, slots=True)
class Link:
    """Each request at the parent brings `slope` requests at the child, `lag` to `lag + spread`
    steps later. ValueError for a lag below 0."""

    parent: str
    child: str
    lag: int
    slope: float = 1.0
    spread: int = 0

    def __post_init__(self) -> None:
        if min(self.lag, self.spread, self.slope) < 0:
            raise ValueError(f"{self.parent} to {self.child}: a lag, spread or slope below 0")


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Loads, and the truth behind them. talks: (source, destination) of who exchanges traffic."""

    window: Window
    links: tuple[Link, ...]
    talks: frozenset[tuple[str, str]]


def generate(
    sources: Sequence[Source],
    links: Sequence[Link],
    steps: int,
    seed: int,
    *,
    step_s: float = 1.0,
    end_ms: int = 0,
    talks: Sequence[tuple[str, str]] = (),
) -> Synthetic:
    """The counts of `steps` steps. talks: pairs that exchange traffic beside those of the links.

    ValueError where a link names an unknown service, or links go in a circle.
    """
    rng = np.random.default_rng(seed)
    index = {source.name: i for i, source in enumerate(sources)}
    clocks = {source.clock or source.name: int(rng.integers(2**32)) for source in sources}
    counts = np.zeros((len(sources), steps), dtype=np.int64)
    for i, source in enumerate(sources):
        surges = np.random.default_rng(clocks[source.clock or source.name])
        counts[i] = rng.poisson(_rates(source, steps, surges))
    for link in _in_order(links, index):
        counts[index[link.child]] += _passed_on(counts[index[link.parent]], link, rng)
    window = Window(tuple(index), step_s, end_ms, counts.astype(np.float64))
    pairs = frozenset((link.parent, link.child) for link in links) | frozenset(talks)
    return Synthetic(window, tuple(links), pairs)


def _rates(source: Source, steps: int, surges: Generator) -> Floats:
    at = np.arange(steps)
    if source.kind == "daily":
        wave = np.sin(2 * np.pi * (at - source.phase) / source.period)
        return np.asarray(source.level * (1 + _DAILY_SWING * wave), dtype=np.float64)
    rates = np.full(steps, source.level)
    for start in _surge_starts(source, steps, surges):
        rates[max(0, start) : max(0, start + source.width)] += source.peak
    return rates


def _surge_starts(source: Source, steps: int, surges: Generator) -> list[int]:
    """First steps of surges; drawn before the phase is added, so that a clock's services agree."""
    if source.kind == "periodic":
        regular = np.arange(0, steps, source.period)
        starts = regular + surges.integers(0, source.jitter + 1, len(regular))
    elif source.kind == "bursty":
        gaps = surges.exponential(source.period, 2 + 4 * steps // source.period)
        starts = np.cumsum(gaps).astype(np.int64)
    else:
        return []
    late = starts + source.phase
    return [int(start) for start in late[late < steps]]


def _passed_on(parent: Counts, link: Link, rng: Generator) -> Counts:
    whole = int(link.slope)
    calls = whole * parent + rng.binomial(parent, link.slope - whole)
    if link.spread:
        late = rng.multinomial(calls, [1 / (link.spread + 1)] * (link.spread + 1)).T
    else:
        late = calls[np.newaxis]
    passed = np.zeros_like(parent)
    for more, arriving in enumerate(late):
        lag = link.lag + more
        passed[lag:] += arriving[: max(0, len(parent) - lag)]
    return passed


def _in_order(links: Sequence[Link], index: dict[str, int]) -> list[Link]:
    """A parent's own parents first."""
    for link in links:
        unknown = {link.parent, link.child} - set(index)
        if unknown:
            raise ValueError(f"a link names {sorted(unknown)[0]}, which is no service here")
    waiting, ordered = list(links), []
    while waiting:
        children = {link.child for link in waiting}
        free = [link for link in waiting if link.parent not in children]
        if not free:
            raise ValueError("the links go in a circle; leave one out")
        ordered += free
        waiting = [link for link in waiting if link.parent in children]
    return ordered


def site(chains: int, seed: int, steps: int, *, step_s: float = 1.0, end_ms: int = 0) -> Synthetic:
    """A platform of about five services a chain.

    Each chain is a gateway with surges, a service it calls, one that this calls in turn, and two
    jobs of a clock of the chain's that call nobody; every third chain's gateway is periodic, daily
    or bursty. Talks has, beside the links, pairs that talk without one bringing the other load.
    """
    rng = np.random.default_rng(seed)
    sources: list[Source] = []
    links: list[Link] = []
    talks: list[tuple[str, str]] = []
    for i in range(chains):
        kind = ("periodic", "daily", "bursty")[i % 3]
        sources += _chain(i, kind, steps, rng)
        links.append(Link(f"gateway-{i}", f"middle-{i}", int(rng.integers(2, 8)), 1.0, 1))
        links.append(Link(f"middle-{i}", f"back-{i}", int(rng.integers(2, 8)), 0.5, 1))
        if chains > 1:
            talks.append((f"gateway-{i}", f"back-{(i + 1) % chains}"))
        talks.append((f"job-{i}-0", f"middle-{i}"))
    return generate(sources, links, steps, seed, step_s=step_s, end_ms=end_ms, talks=talks)


def _chain(number: int, kind: str, steps: int, rng: Generator) -> list[Source]:
    period = int(rng.integers(max(20, steps // 24), max(40, steps // 8)))
    level, peak = float(rng.uniform(0.5, 5)), float(rng.uniform(10, 40))
    width = max(2, period // 10)
    gateway = Source(
        f"gateway-{number}", kind, level, peak, period, width, jitter=max(1, period // 3)
    )
    job = Source(
        f"job-{number}-0",
        "periodic",
        peak=15.0,
        period=period,
        width=3,
        jitter=period // 4,
        clock=f"clock-{number}",
    )
    return [
        gateway,
        Source(f"middle-{number}", level=0.3),
        Source(f"back-{number}", level=0.3),
        job,
        replace(job, name=f"job-{number}-1", phase=4),
    ]
