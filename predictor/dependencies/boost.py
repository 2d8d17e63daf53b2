"""What a surge at a parent brings its children within their lead time, along chains.

Owns: surges (load above the usual), and their way through the graph: what is seen at a parent now,
or was seen less than a lag ago, is expected at the child a lag later, and passes on from there.
Bounded: nobody is expected to have more than a multiple of what was ever seen of it; who was never
seen with load expects some only where an operator pinned it, by its parent's measure.
Must not know: containers, how dependencies are learned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nib.plans import Dependency
from predictor.dependencies.discover import Integers
from predictor.series.window import Floats, Window

MOST: Final = 2.0
_USUAL_STEPS: Final = 300
_EVERY: Final = 3  # of them; a median needs no more
_SURGE: Final = 3.0  # standard deviations above the median
_DEVIATION: Final = 1.4826  # of a normal distribution, in median absolute deviations
_MOST_STEPS: Final = 3600
_HOPS: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Boost:
    """Of each service of the window.

    expected: the demand that it is to have within its lead time because parents surge, 0 where none
    does; extra: what of that is above its usual level; parents: who brings most of it, "" = none.
    """

    expected: Floats
    extra: Floats
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Of k dependencies, by row: parent, child, lag in steps (1 or more), slope, whether pinned."""

    parents: Integers
    children: Integers
    lags: Integers
    slopes: Floats
    pinned: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.parents)


def boost(
    window: Window,
    dependencies: Iterable[Dependency],
    lead_s: float | Floats,
    most: float = MOST,
    observed_max: Floats | None = None,
    *,
    busy_s: Floats | None = None,
) -> Boost:
    """The demand that surges bring.

    window: demand, or, with busy_s, requests a second; busy_s: for how long a request of each
    service keeps a container, by which requests become demand (a burst of a second is not yet the
    demand of a steady rate). The window should have parents too, whoever minds them. lead_s: one
    for all, or one for each service of the window; 0 where no boost is wanted. observed_max: the
    most demand ever seen of each, where more is known than the window. A sample not known is no
    surge.
    """
    count = len(window.names)
    index = {name: row for row, name in enumerate(window.names)}
    used = [
        each
        for each in dependencies
        if each.source != "banned" and each.parent in index and each.child in index
    ]
    if not used or not window.steps:
        return Boost(np.zeros(count), np.zeros(count), ("",) * count)
    if observed_max is not None:
        window = window.last(max(_USUAL_STEPS, _steps_looked_back(used, busy_s, window.step_s)))
    names = {name for each in used for name in each.key}
    rows = np.array(sorted(index[name] for name in names), dtype=np.int64)
    part = Window(
        tuple(window.names[row] for row in rows),
        window.step_s,
        window.end_ms,
        _possible(window.values[rows]),
    )
    leads = np.broadcast_to(np.asarray(lead_s, dtype=np.float64), (count,))[rows]
    longest = np.zeros(len(rows)) if observed_max is None else _possible(observed_max[rows])
    busy = None if busy_s is None else _busy_steps(busy_s[rows], window.step_s)
    found = _among(part, _edges(used, part), leads, most, (np.nan_to_num(longest), busy))
    return _scattered(found, rows, count)


def _steps_looked_back(used: Sequence[Dependency], busy_s: Floats | None, step_s: float) -> int:
    """As far as surges matter: the longest lag, and the longest request."""
    longest_s = max(each.lag_ms for each in used) / 1000
    if busy_s is not None:
        longest_s = max(longest_s, float(np.nan_to_num(busy_s, posinf=0.0).max()))
    return int(_steps(np.array([longest_s]), step_s)[0]) + 1


def _possible(values: Floats) -> Floats:
    """What no load can be is not known."""
    return np.where(np.isfinite(values), np.maximum(values, 0), np.nan)


def _scattered(found: Boost, rows: Integers, count: int) -> Boost:
    expected, extra, parents = np.zeros(count), np.zeros(count), [""] * count
    expected[rows], extra[rows] = found.expected, found.extra
    for row, parent in zip(rows, found.parents, strict=True):
        parents[row] = parent
    return Boost(expected, extra, tuple(parents))


def _among(
    window: Window,
    edges: _Edges,
    lead_s: Floats,
    most: float,
    longest_and_busy: tuple[Floats, Floats | None],
) -> Boost:
    """Of a window of just the services of these edges."""
    longest, busy = longest_and_busy
    highest = np.nan_to_num(window.values).max(axis=1)
    bounds = _bounds(edges, np.maximum(highest, longest) if busy is None else highest, most)
    usual, surges = _surges(window)
    leads = _steps(lead_s, window.step_s)
    brought = _brought(edges, surges, bounds, leads, busy)
    if busy is not None:
        usual = usual * busy * window.step_s
        bounds = np.where(longest > 0, most * longest, bounds * busy * window.step_s)
        brought = replace(brought, demand=brought.demand * window.step_s)
    return _boost(window, edges, brought, usual, bounds)


def _busy_steps(busy_s: Floats, step_s: float) -> Floats:
    """In steps, not whole ones; unknown counts as one."""
    known = np.where(np.isfinite(busy_s), busy_s, step_s)
    return np.asarray(np.clip(known / step_s, 0, _MOST_STEPS))


def _edges(used: Sequence[Dependency], window: Window) -> _Edges:
    """A pin without a slope brings one for one."""
    index: Mapping[str, int] = {name: row for row, name in enumerate(window.names)}
    pinned = np.array([each.source == "pinned" for each in used], dtype=np.bool_)
    slopes = np.array([each.slope_permille / 1000 for each in used])
    return _Edges(
        np.array([index[each.parent] for each in used], dtype=np.int64),
        np.array([index[each.child] for each in used], dtype=np.int64),
        np.maximum(1, _steps(np.array([each.lag_ms / 1000 for each in used]), window.step_s)),
        np.where(pinned & (slopes == 0), 1.0, slopes),
        pinned,
    )


def _steps(seconds: Floats, step_s: float) -> Integers:
    return np.asarray(np.clip(np.ceil(seconds / step_s - 1e-6), 0, _MOST_STEPS), dtype=np.int64)


def _bounds(edges: _Edges, highest: Floats, most: float) -> Floats:
    """The most demand that may be expected of each: `most` times the highest seen. Who had none
    takes what its pinned parents had, at most `most` times the highest of all."""
    levels = highest.copy()
    fresh = edges.pinned & (highest[edges.children] <= 0)
    for _ in range(_HOPS if fresh.any() else 0):
        before = levels.copy()
        brought = np.minimum(edges.slopes[fresh], most) * before[edges.parents[fresh]]
        np.maximum.at(levels, edges.children[fresh], brought)
        np.minimum(levels, most * highest.max(), out=levels)
        if np.array_equal(before, levels):
            break
    return np.where(highest > 0, most * highest, levels)


def _surges(window: Window) -> tuple[Floats, Floats]:
    """Usual level of each service, and [n, t] what each has above it in a surge."""
    some = window.values[:, -_USUAL_STEPS :: _EVERY if window.steps >= _USUAL_STEPS else 1]
    usual = _medians(some)
    noise = _DEVIATION * _medians(np.abs(some - usual))
    values = window.values[:, -_MOST_STEPS:]
    return usual[:, 0], np.where(values > usual + _SURGE * noise, values - usual, 0.0)


def _medians(values: Floats) -> Floats:
    """[n, 1], of what is known; 0 where nothing is."""
    known = np.isfinite(values)
    whole, some = known.all(axis=1), known.any(axis=1)
    found = np.zeros((len(values), 1))
    found[whole, 0] = np.median(values[whole], axis=1)
    found[some & ~whole, 0] = np.nanmedian(values[some & ~whole], axis=1)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Brought:
    """edges[k]: the most that each brings its child in a step within the lead; demand[n]: the most
    that is at each service at once then, above the usual."""

    edges: Floats
    demand: Floats


def _brought(
    edges: _Edges, surges: Floats, bounds: Floats, leads: Integers, busy: Floats | None
) -> _Brought:
    """What arrives in the steps to come, each service's steps up to its lead."""
    ahead = int(leads[edges.children].max())
    past = int(edges.lags.max())
    if busy is not None:
        past = max(past, int(np.ceil(busy[edges.children].max())))
    count, steps = surges.shape
    course = np.zeros((count, past + ahead))
    kept = min(past, steps)
    course[:, past - kept : past] = surges[:, steps - kept :]
    arriving = np.zeros((count, ahead))
    most = np.zeros(len(edges))
    for step in range(ahead):
        passed = edges.slopes * course[edges.parents, past + step - edges.lags]
        np.maximum(most, np.where(leads[edges.children] > step, passed, 0.0), out=most)
        sums = np.bincount(edges.children, passed, minlength=count)
        course[:, past + step] = np.minimum(sums, bounds)
        arriving[:, step] = np.where(leads > step, sums, 0.0)
    if busy is None:
        return _Brought(most, arriving.max(axis=1, initial=0.0))
    within = np.arange(ahead) < leads[:, np.newaxis]
    present = np.where(within, _present(course, past, busy), 0.0).max(axis=1, initial=0.0)
    return _Brought(most, np.where(arriving.any(axis=1), present, 0.0))


def _present(course: Floats, past: int, busy: Floats) -> Floats:
    """[n, ahead]: requests that came no longer ago than they keep a container."""
    whole = np.floor(busy).astype(np.int64)[:, np.newaxis]
    sums = np.concatenate([np.zeros((len(course), 1)), np.cumsum(course, axis=1)], axis=1)
    rows, at = np.arange(len(course))[:, np.newaxis], np.arange(past, course.shape[1])
    since = np.maximum(at + 1 - whole, 0)
    oldest = np.where(at >= whole, course[rows, np.maximum(at - whole, 0)], 0.0)
    recent = sums[rows, at + 1] - sums[rows, since]
    return np.asarray(recent + (busy[:, np.newaxis] - whole) * oldest)


def _boost(
    window: Window, edges: _Edges, brought: _Brought, usual: Floats, bounds: Floats
) -> Boost:
    surging = brought.demand
    expected = np.where(surging > 0, np.minimum(usual + surging, bounds), 0.0)
    extra = np.maximum(expected - usual, 0.0)
    parents = [""] * len(window.names)
    for edge in np.argsort(brought.edges, kind="stable"):
        child = int(edges.children[edge])
        if brought.edges[edge] > 0 and extra[child] > 0:
            parents[child] = window.names[int(edges.parents[edge])]
    return Boost(np.where(extra > 0, expected, 0.0), extra, tuple(parents))
