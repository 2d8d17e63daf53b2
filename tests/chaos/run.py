"""The run: fault after fault, each measured, and the verdict."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

import httpx

from nib.errors import NibError
from tests.chaos import verdict, writer
from tests.chaos.disk_faults import disk_faults
from tests.chaos.fault import Dies, Fault, Since
from tests.chaos.other_faults import other_faults
from tests.chaos.process_faults import process_faults
from tests.chaos.schedule import scheduled
from tests.chaos.table import Survived, Verdict
from tests.chaos.world import World, made
from tests.waiting import had_s
from topologies.errors import NetworkError

NEVER_S: Final = 30.0
"""Recovery that took so long is none."""

_BETWEEN_S: Final = 1.0
_REST_S: Final = 0.1
_FAILURES: Final = (AssertionError, NibError, NetworkError, httpx.HTTPError)


def faults() -> dict[str, Fault]:
    """All kinds, by name."""
    return {fault.name: fault for fault in (*process_faults(), *other_faults(), *disk_faults())}


def chaos(found: Verdict, minutes: float, only: Sequence[str] = (), leaves: int = 4) -> None:
    """Cause faults for so long, and tell of each; only: of kinds with one of these in the name.

    What comes of it is noted in `found` as it goes, for who is interrupted.
    """
    known = faults()
    kinds = [name for name in known if not only or any(part in name for part in only)]
    if not kinds:
        raise ValueError(f"no fault is called {' or '.join(only)}; there are {', '.join(known)}")
    _say(f"seed {found.seed}: {len(kinds)} kinds of faults for {minutes:g} minutes; beginning")
    with made(leaves) as world:
        with writer.writing(world.up.rest, world.ledger, world.net.spec.containers) as writers:
            time.sleep(_BETWEEN_S)
            world.traffic.take()  # of the beginning
            began = time.monotonic()
            why: Counter[str] = Counter()
            for kind, random in scheduled(kinds, found.seed):
                if time.monotonic() - began > minutes * 60:
                    break
                survived = _one(world, known[kind], random, time.monotonic() - began, why)
                found.faults.append(survived)
                _say(survived.as_line())
                for said in survived.violations:
                    _say(f"         {said}")
                time.sleep(_BETWEEN_S)
        _note_totals(world, found, why, writers)
        _say("no more faults; comparing what is there with what was acknowledged")
        found.at_the_end = _at_the_end(world)


def _one(world: World, fault: Fault, random: Random, at_s: float, why: Counter[str]) -> Survived:
    """Cause one fault, and measure what comes of it."""
    held = world.traffic.held
    wrong: list[str] = []
    recovery: float | None = None
    try:
        recovery = _recovered(world, fault, random, wrong)
        world.settle()
        lost = verdict.lost_now(world)
    except _FAILURES as error:
        wrong.append(f"not whole again: {error}"[:1000])
        lost = []
        _patiently(world, wrong)
    tally = world.traffic.take()
    why.update(tally.why)
    broken = tally.lost.total()
    excused = broken if fault.dies is not Dies.NOBODY else 0
    if fault.dies is Dies.CONTAINER:
        excused = max(tally.lost.values(), default=0)  # one container's
    return Survived(
        fault.name,
        at_s,
        recovery,
        opened=tally.new["opened"],
        refused=tally.new["refused"],
        failed=tally.new["failed"],
        held=held,
        lost=broken - excused,
        died=excused,
        writes_lost=len(lost),
        wrong=tuple(wrong + lost[:5]),
    )


def _patiently(world: World, wrong: list[str]) -> None:
    """Once more: the next fault must be a single one."""
    try:
        world.settle()
    except _FAILURES as error:
        wrong.append(f"nor later: {error}"[:1000])


def _recovered(world: World, fault: Fault, random: Random, wrong: list[str]) -> float | None:
    seconds = random.uniform(*fault.seconds)
    recovery = None
    before = had_s()
    with fault.cause(world, random):
        caused = time.monotonic()
        if fault.since is Since.BEGIN:
            recovery = world.probe.programmed(before, NEVER_S)
        elif fault.since is Since.THROUGHOUT:
            recovery = _longest(world, caused + seconds)
        time.sleep(max(0.0, caused + seconds - time.monotonic()))
        wrong += world.ended_by_themselves()
    if fault.since is Since.END:
        recovery = world.probe.programmed(had_s(), NEVER_S)
    return recovery


def _longest(world: World, until_s: float) -> float | None:
    """Seconds that the slowest write took until it was on all switches; None: one never was."""
    longest = 0.0
    while time.monotonic() < until_s:
        took = world.probe.programmed(had_s(), NEVER_S)
        if took is None:
            return None
        longest = max(longest, took)
        time.sleep(_REST_S)
    return longest


def _note_totals(
    world: World, found: Verdict, why: Counter[str], writers: list[writer.Writer]
) -> None:
    ledger = world.ledger
    refusals = [said for each in writers for said in each.refusals]
    found.totals = {
        "writes acknowledged": ledger.acknowledged,
        "writes refused": ledger.refused,
        "writes in doubt": ledger.doubted,
        "probes": world.probe.made,
        "database members replaced": world.replaced,
        "connections held": world.traffic.wanted,
        "tracebacks logged": dict(verdict.tracebacks(_log(world)).most_common(8)),
        "why connections failed": dict(why.most_common(8)),
        "why writes were not taken": dict(Counter(said[:120] for said in refusals).most_common(6)),
    }


def _log(world: World) -> str:
    return world.up.log.read_text("utf-8", "replace")


def _at_the_end(world: World) -> list[str]:
    """Nobody writes any more."""
    try:
        world.settle()
        said = verdict.lost_anywhere(world)
        said += verdict.differences(world)
        said += verdict.doctor(world)
        said += verdict.anew(world)
    except _FAILURES as error:
        return [f"not whole again: {error}"[:2000]]
    return said


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
