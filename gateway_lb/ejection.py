"""Passive ejection: a container whose connections fail is left out for a while.

Owns: what counts as a failure, who is ejected and for how long, and when that is forgiven.
Must not know: flows, how counters are read, who writes the rows. Pure: the time is an argument.

A connection fails when the container answers its SYN with a reset, or not at all, or resets it
later. Once a window the counters are read, and `judge` is asked. Counters do not tell which SYN an
answer belongs to, so the oldest that waits is taken: a SYN has one whole window at least to be
answered, and a container that answers all of them is never ejected, however slow within that. The
price: a part f of the SYNs that is never answered shows after 1 + 1/f windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from nib.observed import Ejected
from nib.policy import Ejection

MAX_TIMES: Final = 10  # ejections in a row that make the next one longer


@dataclass(frozen=True, slots=True)
class Counts:
    """Packets of a container's connections since its flows were made: SYNs to it, and SYN-ACKs and
    resets from it."""

    new: int
    answered: int
    resets: int


@dataclass(frozen=True, slots=True)
class Watch:
    """What is remembered of a container from window to window.

    begun: SYNs of the last window; waiting: how many of them had no answer at its end, below 0
    where answers were read earlier than their SYNs.
    """

    counts: Counts
    begun: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a window gave: `watched` for the next one, by container; rows to write; containers
    whose row is to be deleted."""

    watched: Mapping[str, Watch]
    ejected: tuple[Ejected, ...] = ()
    forgiven: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Window:
    """One container's window: of `base` connections, `failures` are known to have failed.

    is_proof: whether enough connections had their time, and too few still wait to make it fail; so
    that no failure means that all is well.
    """

    container: str
    base: int
    failures: int
    is_proof: bool


def judge(
    ejection: Ejection,
    watched: Mapping[str, Watch],
    now: Mapping[str, Counts],
    held: Mapping[str, Ejected],
    *,
    service: str,
    members: int,
    now_ms: int,
) -> Judgement:
    """What the counters of a service's containers say, one window after the last time.

    watched: what the last judgement returned, {} at first; now: the counters, by container; held:
    the service's rows, those of past ejections too; members: of how many containers the ceiling is
    a percentage; now_ms: milliseconds since 1970. Counters that went down begin anew.
    """
    out = {name for name, row in held.items() if row.until_ms > now_ms}
    past = {name: row for name, row in held.items() if name not in out}
    windows = []
    after: dict[str, Watch] = {}
    for name, counts in now.items():
        before = watched.get(name)
        if name in out or before is None or _went_down(before.counts, counts):
            after[name] = Watch(counts)
        else:
            after[name], window = _passed(name, before, counts, ejection)
            windows.append(window)
    room = max(0, max_ejected(ejection, members) - len(out))
    worst = _worst(windows, ejection)[:room]
    well = {window.container for window in windows if window.is_proof and not window.failures}
    better = {name: _better(row, name in well, ejection, now_ms) for name, row in past.items()}
    ejected = [
        _ejected(ejection, window, better.pop(window.container, None), service, now_ms)
        for window in worst
    ]
    after |= {row.container: Watch(now[row.container]) for row in ejected}
    changed = [row for name, row in better.items() if row is not None and row != past[name]]
    forgiven = tuple(name for name, row in better.items() if row is None)
    return Judgement(after, (*ejected, *changed), forgiven)


def max_ejected(ejection: Ejection, members: int) -> int:
    """How many of so many containers may be ejected at a time: the percentage rounded down, but one
    where there is another to take its place."""
    return max(members * ejection.max_ejected_percent // 100, 1 if members > 1 else 0)


def _went_down(before: Counts, now: Counts) -> bool:
    return now.new < before.new or now.answered < before.answered or now.resets < before.resets


def _passed(name: str, before: Watch, now: Counts, ejection: Ejection) -> tuple[Watch, _Window]:
    """A container's window, and what is remembered of it.

    A reset counts once: it is a failure, and its SYN does not wait any more.
    """
    begun = now.new - before.counts.new
    resets = now.resets - before.counts.resets
    settled = now.answered - before.counts.answered + resets
    late = max(0, before.waiting - settled)
    waiting = max(before.waiting + begun - settled - late, -settled)
    base = max(begun, before.begun)
    return Watch(now, begun, waiting), _Window(
        name,
        base,
        min(base, resets + late),
        is_proof=before.begun >= ejection.min_connections
        and waiting * 100 < ejection.failure_percent * max(1, begun),
    )


def _worst(windows: Iterable[_Window], ejection: Ejection) -> list[_Window]:
    """Those that fail too often, the worst first."""
    failing = [
        window
        for window in windows
        if window.base >= ejection.min_connections
        and window.failures * 100 >= ejection.failure_percent * window.base
    ]
    return sorted(failing, key=lambda w: (-w.failures * 1000 // w.base, w.container))


def _ejected(
    ejection: Ejection, window: _Window, past: Ejected | None, service: str, now_ms: int
) -> Ejected:
    times = min(MAX_TIMES, past.times + 1) if past else 1
    return Ejected(
        service,
        window.container,
        until_ms=now_ms + ejection.eject_ms * times,
        times=times,
        reason=f"{window.failures} of {window.base} connections failed",
    )


def _better(past: Ejected, is_well: bool, ejection: Ejection, now_ms: int) -> Ejected | None:
    """The row of a past ejection: a window that proves the container well takes one of `times`
    back, and long enough a time all of them. None: nothing is held against it any more."""
    if now_ms >= past.until_ms + MAX_TIMES * ejection.eject_ms:
        return None
    if not is_well:
        return past
    return replace(past, times=past.times - 1) if past.times > 1 else None
