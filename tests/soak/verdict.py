"""What samples say: which processes grow, what leaked, which counters fell. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.soak.pages import Monotony
from tests.soak.samples import Sample, Usage
from tests.soak.trends import Bound, Trend, trend

# The memory of a Python process moves by whole arenas (1 MiB) and by what a burst of requests needs
# at a time; 3 MiB an hour is 72 MiB a day, which an operator would see in a week.
MEMORY: Final = Bound(an_hour=3.0, part_an_hour=0.02, in_all=2.0)  # MiB
# ovs-vswitchd's moves by what each of its threads keeps: up and down by 10 MiB at a time.
MEMORY_OF_THREADS: Final = Bound(an_hour=3.0, part_an_hour=0.02, in_all=10.0)
DESCRIPTORS: Final = Bound(an_hour=4.0, in_all=4.0)
THREADS: Final = Bound(an_hour=2.0, in_all=3.0)
SERIES: Final = Bound(an_hour=30.0, part_an_hour=0.1, in_all=60.0)
# More than before, at most. A predictor's first refit starts the process that multiprocessing keeps
# to tidy up; a second one may be a refit under way.
_AT_REST: Final = Usage(0, 0, fds=8, threads=0, children=2, cpu_s=0)
MOST_STATE_MIB: Final = 96.0  # ovsdb-server compacts what doubled, every ten minutes at most

# Of a process: its name in a trend, its unit, its bound.
_OF_PROCESSES: Final = {
    "own_mib": ("memory", "MiB", MEMORY),
    "fds": ("descriptors", "fd", DESCRIPTORS),
    "threads": ("threads", "thr", THREADS),
}
_COARSE: Final = {("ovs-vswitchd", "own_mib"): MEMORY_OF_THREADS}
# What must be as before when all that was made is deleted: counts of the machine and of switches.
RESTORED: Final = ("namespaces", "interfaces", "flows", "groups", "meters", "state_files")


@dataclass(frozen=True, slots=True)
class Verdict:
    """violations: one line each, and [] where all is well."""

    trends: list[Trend]
    violations: list[str] = field(default_factory=list)


def judge(
    samples: Sequence[Sample],
    monotony: Monotony,
    before: Sample,
    after: Sample,
    unexpected: Mapping[str, int],
) -> Verdict:
    """samples: under load; before, after: at rest, with the same objects.

    unexpected: what should never happen, such as answers of 500, by how often.
    """
    trends = [*_of_processes(samples), *_of_pages(samples)]
    violations = [f"grows: {each.text}" for each in trends if not each.is_flat]
    violations += leaks(before, after)
    violations += [f"not monotonic: {fall}" for fall in monotony.falls]
    if not trends:
        violations.append("too few samples to tell what grows")
    if not monotony.compared:
        violations.append("no counter was read twice")
    largest = max((sample.counts.get("state_mib", 0.0) for sample in samples), default=0.0)
    if largest > MOST_STATE_MIB:
        violations.append(f"files: {largest:.0f} MiB in the state directory")
    violations += [f"{what}: {count} times" for what, count in sorted(unexpected.items()) if count]
    return Verdict(trends, violations)


def leaks(before: Sample, after: Sample) -> list[str]:
    """What there is more of at rest, after everything, than before it."""
    found = []
    for name in RESTORED:
        was, now = before.counts.get(name), after.counts.get(name)
        if was is None or now is None:
            found.append(f"{name}: not counted")
        elif now > was:
            found.append(f"leaked: {name}: {was:g} before, {now:g} after")
    for process, was_used in before.processes.items():
        used = after.processes.get(process)
        if used is None:
            found.append(f"ended: {process}")
            continue
        if used.fds > was_used.fds + _AT_REST.fds:
            found.append(f"leaked: descriptors of {process}: {was_used.fds}, then {used.fds}")
        if used.children > was_used.children + _AT_REST.children:
            found.append(f"leaked: children of {process}: {was_used.children}, {used.children}")
    return found


def _of_processes(samples: Sequence[Sample]) -> list[Trend]:
    names = list(samples[0].processes) if samples else []
    found = []
    for what, (title, unit, bound) in _OF_PROCESSES.items():
        for name in names:
            there = [sample for sample in samples if name in sample.processes]
            times = [sample.at_s for sample in there]
            values = [float(getattr(sample.processes[name], what)) for sample in there]
            allowed = _COARSE.get((name, what), bound)
            told = trend(f"{title} of {name}", unit, times, values, allowed)
            found += [told] if told else []
    return found


def _of_pages(samples: Sequence[Sample]) -> list[Trend]:
    found = []
    for name in samples[0].series if samples else ():
        there = [sample for sample in samples if name in sample.series]
        times = [sample.at_s for sample in there]
        values = [float(sample.series[name]) for sample in there]
        told = trend(f"series of {name}", "series", times, values, SERIES)
        found += [told] if told else []
    return found
