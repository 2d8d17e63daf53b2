"""The replay against a plain queue, and the policies against what their sources say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from heapq import heappop, heappush

import numpy as np
import pytest

from predictor.planning.capacity import Limits
from predictor.replay.policies.families import FAMILIES
from predictor.replay.policies.hybrid import HybridHistogram
from predictor.replay.policies.kpa import Kpa
from predictor.replay.policies.oracle import Oracle, oracle_containers
from predictor.replay.policies.ours import Prewire
from predictor.replay.policies.simple import KeepAlive, RecentMaximum
from predictor.replay.replay import run, workloads_of_arrivals, workloads_of_counts
from predictor.replay.simulator import Ints, Policy, Setting, View, simulate
from predictor.replay.statistics import ratio_interval
from predictor.replay.workloads import Workload, poisson, quiet
from predictor.series.window import Floats, Window


class Always:
    """So many, whatever happens."""

    name = "always"
    on_demand = False

    def __init__(self, containers: Sequence[int]) -> None:
        self._containers = containers

    def desired(self, view: View) -> Ints:
        now = min(int(view.now_s), len(self._containers) - 1)
        return np.full(view.total.size, self._containers[now], dtype=np.int64)


def workload(seed: int, rate: float, seconds: int = 60, name: str = "web") -> Workload:
    rng = np.random.default_rng(seed)
    arrivals = poisson(rng.poisson(rate, seconds).astype(np.float64), 1.0, rng)
    return Workload(name, arrivals, rng.exponential(0.7, arrivals.size) + 0.01)


def plain_queue(load: Workload, servers: int, from_s: float) -> tuple[int, float]:
    """How many wait, and how long together, where all servers begin at from_s."""
    free = [from_s] * servers
    waiting, waited = 0, 0.0
    for at, duration in zip(load.arrivals, load.service_s, strict=True):
        start = max(at, heappop(free))
        waiting, waited = waiting + (start > at), waited + start - at
        heappush(free, start + duration)
    return waiting, waited


def view(mean: Floats, ready: int, now_s: float) -> View:
    values = np.atleast_2d(mean)
    containers = np.array([ready], dtype=np.int64)
    return View(now_s, 0.0, values, values, values, values, containers, containers)


@pytest.mark.parametrize("seed", range(4))
def test_as_many_wait_as_in_a_plain_queue(seed: int) -> None:
    load = workload(seed, 6.0)
    outcome = simulate([load], Always([5]), Setting(seconds=200, cold_start_s=2.0))
    waiting, waited = plain_queue(load, 5, 2.0)
    assert outcome.queued.sum() == waiting > 0
    assert outcome.waited_s.sum() == pytest.approx(waited)


@pytest.mark.parametrize("on_demand", [False, True])
def test_steps_reckoned_at_once_are_as_event_by_event(on_demand: bool) -> None:
    loads = [workload(seed, rate, name=f"s{seed}") for seed, rate in enumerate((0.3, 3.0, 9.0))]
    counts = np.random.default_rng(5).integers(0, 14, 60).tolist()
    setting = Setting(seconds=60, cold_start_s=2.5, concurrency=2)

    def policy() -> Policy:
        return KeepAlive(5.0, 2) if on_demand else Always(counts)

    quick = simulate(loads, policy(), setting)
    slow = simulate(loads, policy(), setting, by_event=True)
    for field in ("requests", "queued", "waited_s", "cost", "ready", "peak"):
        np.testing.assert_allclose(getattr(quick, field), getattr(slow, field), atol=1e-9)


def test_a_request_that_finds_no_container_starts_one_and_waits_for_it() -> None:
    load = Workload("web", np.array([10.5]), np.array([1.0]))
    outcome = simulate([load], RecentMaximum(60.0), Setting(seconds=20, cold_start_s=3.0))
    assert outcome.queued.sum() == 1
    assert outcome.waited_s.sum() == pytest.approx(3.0)


def test_a_container_costs_from_its_start_until_its_last_request_ends() -> None:
    load = Workload("web", np.array([4.5]), np.array([4.0]))
    outcome = simulate([load], Always([1] * 5 + [0] * 15), Setting(seconds=20, cold_start_s=2.0))
    assert outcome.cost.sum() == pytest.approx(9.0)


def test_the_oracle_lets_nobody_wait_and_nothing_costs_less() -> None:
    load, setting = workload(3, 4.0), Setting(seconds=60, cold_start_s=3.0)
    late = Workload("web", load.arrivals + 5.0, load.service_s)
    peak = quiet(late, setting.edges).peak[np.newaxis]
    oracle = Oracle(oracle_containers(peak, 3))
    outcome = simulate([late], oracle, setting)
    assert outcome.queued.sum() == 0
    assert outcome.cost.sum() >= quiet(late, setting.edges).mean.sum()


def test_late_metrics_are_late_and_lost_scrapes_are_unknown() -> None:
    seen: list[View] = []

    class Watcher(Always):
        def desired(self, view: View) -> Ints:
            seen.append(view)
            return super().desired(view)

    load = workload(1, 5.0)
    simulate([load], Watcher([20]), Setting(seconds=60, late_s=10.0, lost=0.3))
    assert seen[30].mean.shape == (1, 20)
    assert seen[30].age_s == 10.0
    assert 0 < np.isnan(seen[59].mean).sum() < 30


def test_kpa_steady_load_is_filled_to_seventy_per_cent() -> None:
    assert Kpa().desired(view(np.full(60, 7.0), 10, 60.0))[0] == 10


def test_kpa_panics_from_twice_the_ready_containers_and_never_falls_in_it() -> None:
    kpa = Kpa()
    surge = np.concatenate((np.full(54, 1.0), np.full(6, 14.0)))
    assert kpa.desired(view(surge, 2, 60.0))[0] == 20
    calm = np.concatenate((surge, np.full(30, 1.0)))
    assert kpa.desired(view(calm, 20, 90.0))[0] == 20
    long_calm = np.concatenate((surge, np.full(80, 1.0)))
    assert kpa.desired(view(long_calm, 20, 140.0))[0] == 10


def test_kpa_gives_the_last_container_back_after_a_grace() -> None:
    kpa = Kpa()
    idle = np.zeros(120)
    assert kpa.desired(view(idle, 1, 120.0))[0] == 1
    assert kpa.desired(view(idle, 1, 140.0))[0] == 1
    assert kpa.desired(view(idle, 1, 150.0))[0] == 0


def test_kpa_decides_every_two_seconds() -> None:
    kpa = Kpa()
    kpa.desired(view(np.full(60, 7.0), 10, 60.0))
    assert kpa.desired(view(np.full(61, 700.0), 10, 61.0))[0] == 10


def test_a_fixed_keep_alive_lets_a_container_go_after_it() -> None:
    load = Workload("web", np.array([1.0, 25.0, 90.0]), np.full(3, 0.5))
    outcome = simulate([load], KeepAlive(30.0), Setting(seconds=120, cold_start_s=1.0))
    assert outcome.queued.sum() == 2


def test_the_hybrid_histogram_is_warm_when_the_next_call_is_due() -> None:
    calls = np.arange(1.0, 12_000.0, 600.0)
    load = Workload("rare", calls, np.full(calls.size, 0.5))
    setting = Setting(seconds=12_000, cold_start_s=3.0, step_s=10.0)
    outcome = simulate([load], HybridHistogram(60.0, step_s=10.0), setting)
    assert outcome.queued[0, :200].sum() >= 3
    assert outcome.queued[0, 300:].sum() == 0
    assert outcome.cost.sum() < 0.5 * setting.seconds


def test_surges_are_met_before_they_come_once_they_are_learned() -> None:
    counts = np.where(np.arange(400) % 90 < 5, 8.0, 0.0)
    (load,) = workloads_of_counts(Window(("web",), 1.0, 0, counts[np.newaxis]), 0.9)
    setting = Setting(seconds=400, cold_start_s=3.0)
    limits = Limits(np.ones(1), np.full(1, 5.0), np.zeros(1, np.int64), np.full(1, 99))
    ours = Prewire(("web",), np.array([0.9]), limits, setting, 0.99)
    outcome = simulate([load], ours, setting)
    assert outcome.queued[0, :5].sum() > 0
    assert outcome.queued[0, 260:].sum() <= 0.05 * outcome.requests[0, 260:].sum()


def test_an_interval_holds_its_ratio() -> None:
    rng = np.random.default_rng(1)
    below = rng.uniform(50, 100, 200)
    interval = ratio_interval(below * rng.uniform(0, 0.2, 200), below, rng)
    assert 0.08 < interval.low < interval.value < interval.high < 0.12
    assert ratio_interval(np.zeros(3), np.zeros(3), rng).high == 0.0


def test_a_replay_has_a_curve_of_five_settings_for_each_policy() -> None:
    loads = workloads_of_arrivals({"web": np.random.default_rng(1).uniform(5, 20, 60)}, 1.0)
    report = run(loads, Setting(seconds=20.0), ("oracle", "kpa", "prewire"))
    curves = report.curves()
    assert len(curves["kpa"]) >= 5
    assert len(curves["prewire"]) >= 5
    (oracle,) = curves["oracle"]
    assert oracle.queued.value == 0.0
    assert oracle.cost.value == pytest.approx(1.0, abs=0.05)
    assert json.loads(json.dumps(report.as_json()))["requests"] == 60


def test_every_policy_has_five_settings_and_its_usual_one_among_them() -> None:
    for name, family in FAMILIES.items():
        labels = [knobs.label for knobs in family.knobs]
        assert family.usual in labels
        assert len(labels) >= 5 or name == "oracle"


def test_what_cannot_be_replayed_is_refused() -> None:
    load = workload(1, 1.0)
    with pytest.raises(ValueError, match="no policy 'magic'"):
        run([load], Setting(seconds=10), ["magic"])
    with pytest.raises(ValueError, match="no service"):
        run([], Setting(seconds=10))
    with pytest.raises(ValueError, match="sorted"):
        Workload("web", np.array([2.0, 1.0]), np.ones(2))
    with pytest.raises(ValueError, match="above 0 s"):
        Workload("web", np.array([2.0]), np.zeros(1))
