"""A soak: all of it for so many seconds, looked at every few, and judged at the end."""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import inf
from typing import Any, Final

import httpx

from tests.soak.churn import Churn
from tests.soak.clients import Clients
from tests.soak.pages import Made, Monotony, series_count
from tests.soak.samples import Sample
from tests.soak.site import Soaked, soaked
from tests.soak.traffic import Traffic
from tests.soak.trends import judged_since
from tests.soak.verdict import RESTORED, Verdict, judge
from tests.soak.workers import Counted, Worker, working

SAMPLE_EVERY_S: Final = 5.0  # at most; more often in a short run
_SAMPLES: Final = 40  # are meant to be taken in a short run
_FEWEST: Final = 12  # are waited for, where the machine is busy
_LONGEST: Final = 4  # times as long as wanted
TOLD_EVERY_S: Final = 30.0
CHANGES_S: Final = 10.0
_DISTURBANCES: Final = 120.0  # seconds from one to the next; more often in a short run
_REST_SECONDS: Final = 90.0  # for what was made to be gone
_PACE_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """seconds: under load. counted: turns, changes, requests; failures that may happen."""

    seconds: float
    seed: int
    samples: list[Sample]
    before: Sample
    after: Sample
    verdict: Verdict
    counted: dict[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def soak(seconds: float, seed: int, *, tell: bool = True) -> Outcome:
    """Run it. Raises what starting raises, and AssertionError where a process ends."""
    with soaked() as site:
        site.add_lasting()
        site.await_settled()
        return _Run(site, seconds, seed, tell=tell).outcome()


class _Run:
    def __init__(self, site: Soaked, seconds: float, seed: int, *, tell: bool) -> None:
        self._site, self._seconds, self._seed, self._tell = site, seconds, seed, tell
        self._made = Made()
        self._monotony = Monotony(self._made)
        self._samples: list[Sample] = []
        self._traffic = Traffic(site, self._made, seed + 1, min(_DISTURBANCES, seconds / 4))
        self._told_wrong = 0
        self._pages = httpx.Client(timeout=30, headers={"Connection": "close"})

    def outcome(self) -> Outcome:
        """Before, under load, after."""
        hosts = self._site.net.spec.containers
        with self._pages, self._site.client() as http, self._traffic.servers():
            churn = Churn(http, hosts, self._made, self._seed)
            before = self._at_rest({})
            workers = [
                Worker("changes", 1 / CHANGES_S, churn.step),
                *Clients(self._site, self._seed + 2).workers,
                *self._traffic.workers,
            ]
            with working(workers) as counted:
                self._work(churn, counted)
            churn.clear()
            self._site.await_settled()
            after = self._at_rest(before.counts, http)
        unexpected = counted.unexpected + churn.unexpected
        verdict = judge(self._samples, self._monotony, before, after, unexpected)
        told = self._counted(churn, counted)
        return Outcome(self._seconds, self._seed, self._samples, before, after, verdict, told)

    def _work(self, churn: Churn, counted: Counted) -> None:
        began = time.monotonic()
        next_told = began + TOLD_EVERY_S
        every_s = min(SAMPLE_EVERY_S, self._seconds / _SAMPLES)
        while self._goes_on(time.monotonic() - began):
            looked = time.monotonic()
            self._site.check_alive()
            self._samples.append(self._sample())
            if self._tell and looked >= next_told:
                next_told += TOLD_EVERY_S
                self._progress(looked - began, churn, counted)
            time.sleep(max(0.0, every_s - (time.monotonic() - looked)))

    def _goes_on(self, seconds: float) -> bool:
        if len(self._samples) < _FEWEST:
            return seconds < _LONGEST * self._seconds
        return seconds < self._seconds

    def _sample(self) -> Sample:
        """A look at all, and the pages of metrics."""
        pages = {}
        for name, url in self._site.pages.items():
            pages[name] = self._pages.get(url).raise_for_status().text
            self._monotony.read(name, pages[name], time.monotonic())
        return replace(
            self._site.look(),
            series={name: series_count(page) for name, page in pages.items()},
        )

    def _at_rest(self, wanted: dict[str, float], http: httpx.Client | None = None) -> Sample:
        """When no more is there than wanted, or after a while; http: to forget stations by."""
        deadline = time.monotonic() + (_REST_SECONDS if wanted else 3 * _PACE_S)
        while True:
            if http is not None:
                self._forget_hosts(http)
            time.sleep(_PACE_S)
            seen = self._site.look()
            counts = (seen.counts.get(name, inf) - wanted.get(name, -1) for name in RESTORED)
            is_clean = all(count <= 0 for count in counts)
            if is_clean or time.monotonic() > deadline:
                return seen

    def _forget_hosts(self, http: httpx.Client) -> None:
        """Stations that were heard, so that their flows go."""
        for host in http.get("/v1/hosts", params={"limit": 5000}).json()["items"]:
            if host["source"] == "learned":
                http.delete(f"/v1/hosts/{host['mac']}")

    def _progress(self, seconds: float, churn: Churn, counted: Counted) -> None:
        last = self._samples[-1]
        used = ", ".join(
            f"{name} {each.rss_mib:.0f} MiB {each.fds} fd" for name, each in last.processes.items()
        )
        changes = sum(churn.done.values())
        say(f"{seconds / 60:5.1f} min, {changes} changes; {used}")
        wrong = [*self._monotony.falls, *(counted.unexpected + churn.unexpected)]
        for each in wrong[self._told_wrong :]:
            say(f"    {each}")
        self._told_wrong = len(wrong)

    def _counted(self, churn: Churn, counted: Counted) -> dict[str, Any]:
        traffic, monotony = self._traffic, self._monotony
        first, last = self._samples[0].processes, self._samples[-1].processes
        return {
            "processor_s": {
                name: round(last[name].cpu_s - first[name].cpu_s, 1)
                for name in first.keys() & last.keys()
            },
            "changes": dict(churn.done),
            "turns": dict(counted.turns),
            "failures": dict(counted.failures),
            "unexpected": dict(counted.unexpected + churn.unexpected),
            "requests": traffic.requests,
            "failed_requests": traffic.failed_requests,
            "answered": traffic.answered,
            "counters_compared": monotony.compared,
            "counters_begun_anew": monotony.begun_anew,
            "counters_fallen": monotony.fallen,
        }


def say(line: str) -> None:
    """To standard output, at once."""
    with suppress(BrokenPipeError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def report(outcome: Outcome) -> str:
    """Trends, what there is at rest, and what is wrong, as text."""
    times = [sample.at_s for sample in outcome.samples]
    warm_min = (judged_since(times) - times[0]) / 60
    lines = [
        f"{outcome.seconds / 60:.1f} minutes, seed {outcome.seed};"
        f" slopes from minute {warm_min:.1f} on, with their 95 % confidence:"
    ]
    lines += [f"  {each.text}{'' if each.is_flat else '  <-- grows'}" for each in _sorted(outcome)]
    lines.append("at rest, before and after:")
    before, after = outcome.before.counts, outcome.after.counts
    lines += [f"  {name}: {before[name]:g}, {after.get(name, -1):g}" for name in before]
    lines.append("counted:")
    lines += [f"  {name}: {value}" for name, value in outcome.counted.items()]
    wrong = Counter(outcome.verdict.violations)
    lines += [f"WRONG: {each}" for each in wrong] or ["Nothing grows, leaks or falls."]
    return "\n".join(lines)


def _sorted(outcome: Outcome) -> list[Any]:
    return sorted(outcome.verdict.trends, key=lambda each: each.name)
