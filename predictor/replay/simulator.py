"""An event-driven replay: requests arrive at services, wait for a free slot of a ready container,
are worked at; a policy says each step how many containers there are to be.

Times are seconds from the start. A container has `concurrency` slots; all slots of a service are
one pool, its queue is first come, first served. A container that is started is ready a lead (cold
start and programming) later and costs from its start; one that is to go takes no more requests and
costs until its last one ends. A request that finds no container at all starts one by itself,
whatever the policy (Knative's activator and prewire's demand packets do so).

Steps in which nobody has to wait are reckoned from sorted times alone, the others event by event
(queues.py): the result is the same as event by event throughout.

Must not know: how a policy decides, where arrivals come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from predictor.replay.queues import Queue, Staff
from predictor.replay.workloads import Quiet, Workload, quiet
from predictor.series.window import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a replay is of.

    step_s: how often a policy is asked. late_s: how old the youngest metrics are; lost: share of
    scrapes that fail (seeded by `seed`). score_from_s: what is before it is not scored.
    """

    seconds: float
    concurrency: int = 1
    cold_start_s: float = 3.0
    programming_s: float = 0.0
    step_s: float = 1.0
    late_s: float = 0.0
    lost: float = 0.0
    score_from_s: float = 0.0
    max_containers: int = 10_000
    seed: int = 1

    @property
    def lead_s(self) -> float:
        """From the start of a container until it takes requests."""
        return self.cold_start_s + self.programming_s

    @property
    def edges(self) -> Floats:
        """Where steps begin and end, seconds."""
        return np.arange(self.steps + 1, dtype=np.float64) * self.step_s

    @property
    def steps(self) -> int:
        """How often a policy is asked."""
        return int(np.ceil(self.seconds / self.step_s))


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a policy sees at the start of a step: whole steps of the past, the youngest last.

    rate: arrivals a second; mean, last: requests in the system over and at the end of a step (those
    that wait too); [service, step], NaN = that scrape was lost. peak: the most at once, which only
    the containers' own front knows: never late, never lost. now_s: the time; age_s: how old the end
    of the youngest step is. ready, total: containers now.
    """

    now_s: float
    age_s: float
    rate: Floats
    mean: Floats
    last: Floats
    peak: Floats
    ready: Ints
    total: Ints


class Policy(Protocol):
    """Says how many containers there are to be. on_demand: it also starts one for each request
    that finds no free slot."""

    name: str
    on_demand: bool

    def desired(self, view: View) -> Ints:
        """Containers of each service."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of it, [service, step]: requests, those that waited, what they waited together
    (seconds), container-seconds, ready containers at the start of the step, most at once."""

    requests: Floats
    queued: Floats
    waited_s: Floats
    cost: Floats
    ready: Floats
    peak: Floats


def simulate(
    workloads: Sequence[Workload], policy: Policy, setting: Setting, *, by_event: bool = False
) -> Outcome:
    """Replays all workloads at once under one policy. by_event: every step event by event."""
    return _Replay(workloads, policy, setting, by_event).run()


class _Replay:
    """The state of one replay; columns are steps."""

    def __init__(
        self, workloads: Sequence[Workload], policy: Policy, setting: Setting, by_event: bool
    ) -> None:
        self._policy, self._setting = policy, setting
        n, steps = len(workloads), setting.steps
        edges = setting.edges
        self._quiet: list[Quiet] = [quiet(workload, edges) for workload in workloads]
        self._rate = np.array([q.arrivals for q in self._quiet]).reshape(n, steps) / setting.step_s
        self._mean = np.array([q.mean for q in self._quiet]).reshape(n, steps)
        self._last = np.array([q.last for q in self._quiet]).reshape(n, steps)
        self._peak = np.array([q.peak for q in self._quiet]).reshape(n, steps)
        self._quiet_peak = np.full_like(self._peak, np.inf) if by_event else self._peak.copy()
        self._ready = np.zeros(n, dtype=np.int64)
        self._starting: list[list[float]] = [[] for _ in range(n)]
        self._queues: dict[int, Queue] = {}
        lost = np.random.default_rng(setting.seed).random((n, steps)) < setting.lost
        self._lost = np.where(lost, np.nan, 0.0)
        shape = (n, steps)
        self._outcome = Outcome(
            requests=self._rate * setting.step_s,
            queued=np.zeros(shape),
            waited_s=np.zeros(shape),
            cost=np.zeros(shape),
            ready=np.zeros(shape),
            peak=self._peak,
        )

    def run(self) -> Outcome:
        """Step by step."""
        for step in range(self._setting.steps):
            now = step * self._setting.step_s
            self._arrive(now)
            wanted = self._policy.desired(self._view(step, now))
            self._scale(np.minimum(wanted, self._setting.max_containers), now)
            self._work(step, now)
        return self._outcome

    def _arrive(self, now: float) -> None:
        """Containers that were started become ready."""
        for i in range(len(self._starting)):
            self._arrive_of(i, now)

    def _view(self, step: int, now: float) -> View:
        late = round(self._setting.late_s / self._setting.step_s)
        seen = max(0, step - late)
        if self._setting.lost > 0:
            lost = self._lost[:, :seen]
            rate, mean, last = (
                values[:, :seen] + lost for values in (self._rate, self._mean, self._last)
            )
        else:
            rate, mean, last = self._rate[:, :seen], self._mean[:, :seen], self._last[:, :seen]
        return View(
            now, (step - seen) * self._setting.step_s, rate, mean, last,
            self._peak[:, :step], self._ready, self._total(),
        )  # fmt: skip

    def _total(self) -> Ints:
        return self._ready + np.array([len(times) for times in self._starting], dtype=np.int64)

    def _scale(self, wanted: Ints, now: float) -> None:
        """Starts what is missing; what is too many goes, those that are not yet ready first."""
        total = self._total()
        for i in np.flatnonzero(wanted != total):
            times, more = self._starting[i], int(wanted[i] - total[i])
            if more > 0:
                times.extend([now + self._setting.lead_s] * more)
                self._arrive_of(int(i), now)
                continue
            unready = min(-more, len(times))
            del times[len(times) - unready :]
            self._ready[i] -= -more - unready

    def _arrive_of(self, i: int, now: float) -> None:
        times = self._starting[i]
        while times and times[0] <= now:
            times.pop(0)
            self._ready[i] += 1

    def _work(self, step: int, now: float) -> None:
        slots = self._ready * self._setting.concurrency
        crowded = self._quiet_peak[:, step] > slots
        self._outcome.ready[:, step] = self._ready
        before = self._last[:, step - 1] if step else np.zeros(len(slots))
        draining = np.ceil(np.maximum(before - slots, 0.0) / self._setting.concurrency)
        if self._queues:  # those that wait hold no container
            for i, queue in self._queues.items():
                held = max(0, queue.working - int(slots[i]))
                draining[i] = -(-held // self._setting.concurrency)
        self._outcome.cost[:, step] = (self._total() + draining) * self._setting.step_s
        for i in sorted(set(np.flatnonzero(crowded).tolist()) | set(self._queues)):
            self._work_by_event(i, step, now)

    def _work_by_event(self, i: int, step: int, now: float) -> None:
        setting = self._setting
        queue = self._queues.pop(i, None) or self._quiet[i].queue_at(step, now)
        load = self._quiet[i].of_step(step)
        staff = Staff(
            int(self._ready[i]),
            self._starting[i],
            setting.concurrency,
            setting.lead_s,
            self._policy.on_demand,
        )
        done = queue.work(load, now, now + setting.step_s, staff)
        outcome = self._outcome
        outcome.queued[i, step], outcome.waited_s[i, step] = done.queued, done.waited_s
        outcome.cost[i, step] += done.started_cost_s
        self._mean[i, step] = done.busy_s / setting.step_s
        self._last[i, step], self._peak[i, step] = done.last, done.peak
        if not queue.is_quiet(now + setting.step_s):
            self._queues[i] = queue
