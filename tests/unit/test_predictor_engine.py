"""The engine, fed with pages of metrics second by second: what it decides, and never does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from nib.draft import Draft
from nib.intent import Container, Service
from nib.mirror import Lookups, Mirror, RowChange
from nib.plans import ContainerPlan, PolicyRate, PrewarmRequest, RatePlan
from nib.prewarm import Override, Provisioning, Scaling, Schedule
from nib.qos import Policy
from nib.records import Global, Record
from predictor.running.decided import VALID_MS, Decided, write
from predictor.running.engine import Engine
from predictor.running.learning import Learning
from predictor.running.measures import PredictorMeasures
from predictor.running.minded import Minded
from predictor.series.scrape import INFLIGHT, NEW_CONNECTIONS, POLICY_BYTES, SERVICE_PANIC, Page

START_MS = 1_800_000_000_000
WEB = Service("web", "10.0.0.100", 80, number=1)
SCALING = Scaling("web", hold_seconds=3, cold_start_ms=3000)


class Bench:
    """An engine on a database without a server; one call of `second` is a second."""

    def __init__(self, *rows: Record, owns: Callable[[str], bool] = lambda _: True) -> None:
        self.mirror = Mirror()
        for row in (Global(), WEB, *rows):
            self.mirror.apply(RowChange(None, row))
        self.registry = CollectorRegistry()
        measures = PredictorMeasures(self.registry)
        learning = Learning((), measures, refit_s=0)
        rows_now = Minded.of(self.mirror, owns)
        self.engine = Engine(
            rows_now,
            learning,
            owns=owns,
            admit=admit_all,
            measures=measures,
            tick_s=1.0,
            counters_s=1.0,
        )
        self.now_ms = START_MS
        self.connections = 0.0
        self.bytes = 0.0

    @contextmanager
    def view(self) -> Iterator[Lookups]:
        yield self.mirror

    def second(self, inflight: float | None, *, bps: float = 0.0) -> Decided:
        """A second passes; inflight: of the page that is read in it, None = none is."""
        self.now_ms += 1000
        if inflight is not None:
            self.connections += inflight
            self.bytes += bps / 8
            self.engine.heard(self._page(inflight), self.now_ms, "controller")
        decided = self.engine.tick(self.view, self.now_ms)
        draft = Draft(self.mirror)
        write(decided)(draft)
        self.engine.outcomes.planned(decided.plans, decided.rates)
        return decided

    def put(self, *rows: Record) -> None:
        for row in rows:
            self.mirror.apply(RowChange(self.mirror.get(type(row), row.key), row))

    @property
    def plan(self) -> ContainerPlan:
        return self.mirror.need(ContainerPlan, "web")

    @property
    def rate(self) -> RatePlan:
        return self.mirror.need(RatePlan, "limit")

    def figure(self, metric: str, labels: Mapping[str, str], **more: str) -> float | None:
        """What the predictor's metrics say; None: nothing."""
        return self.registry.get_sample_value(f"prewire_{metric}", {**labels, **more})

    def _page(self, inflight: float) -> Page:
        of = {"service": "web", "container": "c1"}
        return Page.of(
            [
                (SERVICE_PANIC, {"service": "web"}, 0.0),
                (INFLIGHT, of, inflight),
                (NEW_CONNECTIONS, of, self.connections),
                (POLICY_BYTES, {"policy": "limit", "switch": "1"}, self.bytes),
            ]
        )


def admit_all(
    view: Lookups, wanted: Mapping[str, tuple[int | None, int | None]]
) -> Mapping[str, tuple[int | None, int | None, str]]:
    return {name: (*rates, "") for name, rates in wanted.items()}


def surging(second: int, period: int = 30, length: int = 6) -> float:
    return 5.0 if second % period >= period - length else 0.0


def planned_in_a_cycle(bench: Bench) -> list[int]:
    """Containers, second by second, of the fifth cycle."""
    planned = []
    for second in range(150):
        bench.second(surging(second))
        planned.append(bench.plan.containers)
    return planned[120:]


def containers() -> tuple[Container, ...]:
    return tuple(
        Container("web", f"c{n}", f"10.0.1.{n}", 80, f"02:00:00:00:00:{n:02x}", iface_id=f"c{n}")
        for n in range(1, 6)
    )


def test_a_periodic_surge_has_its_containers_before_it_comes() -> None:
    bench = Bench(SCALING)
    planned = planned_in_a_cycle(bench)
    assert max(planned[8:18]) <= 1, "between surges nothing is needed"
    assert min(planned[21:24]) >= 5, "3 s before the surge, for that is the cold start"
    assert bench.plan.source in {"forecast", "load"}


def test_mode_react_plans_for_the_load_of_now_alone() -> None:
    planned = planned_in_a_cycle(Bench(replace(SCALING, mode="react")))
    assert max(planned[10:24]) == 0
    assert planned[26] >= 5


def test_missing_metrics_keep_the_plan_and_say_so() -> None:
    bench = Bench(SCALING)
    for _ in range(20):
        bench.second(4.0)
    assert bench.plan.containers >= 4
    for _ in range(200):
        bench.second(None)
    assert bench.plan.containers >= 4
    assert bench.plan.stale
    assert bench.plan.until_ms > bench.now_ms, "the predictor lives: its plan does too"
    for _ in range(130):  # two minutes of it: then it is all that is recent
        bench.second(1.0)
    assert not bench.plan.stale
    assert bench.plan.containers < 4


def test_missing_containers_are_requested_once_and_are_ready_when_they_are_there() -> None:
    bench = Bench(SCALING)
    for _ in range(10):
        bench.second(4.0)
    (request,) = bench.mirror.all(PrewarmRequest)
    assert (request.state, request.missing) == ("requested", request.containers)
    bench.put(*containers()[: request.containers])
    bench.second(4.0)
    assert bench.mirror.need(PrewarmRequest, request.id).state == "ready"


def test_observing_requests_nothing() -> None:
    bench = Bench(replace(SCALING, mode="observe"))
    for _ in range(10):
        bench.second(4.0)
    assert bench.plan.containers >= 4
    assert bench.mirror.all(PrewarmRequest) == ()


def test_an_unchanged_plan_is_written_again_only_when_half_its_time_is_over() -> None:
    bench = Bench(SCALING)
    written = sum(len(bench.second(2.0).plans) for _ in range(200))
    assert written <= 3 + 200 * 1000 // (VALID_MS // 2)
    assert bench.plan.until_ms > bench.now_ms


def test_a_schedule_and_an_override_hold_while_they_are_in_force() -> None:
    batch = Schedule("batch", "* * * * *", 30, service="web", containers=7)
    bench = Bench(SCALING, batch)
    planned = []
    for _ in range(60):
        bench.second(0.0)
        planned.append(bench.plan.containers)
    assert max(planned) == 7
    assert min(planned) < 7
    bench.put(Override("service", "web", bench.now_ms + 10_000, containers=2, reason="trial"))
    bench.second(9.0)
    assert (bench.plan.containers, bench.plan.source) == (2, "override")
    for _ in range(15):
        bench.second(9.0)
    assert bench.plan.source != "override"


def test_services_of_others_are_not_planned_for() -> None:
    bench = Bench(SCALING, owns=lambda _: False)
    assert not bench.second(4.0)
    assert bench.mirror.all(ContainerPlan) == ()


def test_rates_follow_the_traffic_with_headroom_within_their_limits() -> None:
    limit = Provisioning(
        "limit", "both", headroom_percent=20, floor_bps=1_000_000, ceiling_bps=50_000_000
    )
    bench = Bench(SCALING, Policy("limit", None, "web", number=1), limit)
    bench.second(1.0, bps=10e6)
    assert bench.mirror.all(RatePlan) == (), "nothing is known yet: the policy has its own rates"
    for _ in range(40):
        bench.second(1.0, bps=10e6)
    assert 12_000_000 <= (bench.rate.max_bps or 0) <= 50_000_000
    assert bench.rate.guaranteed_bps == bench.rate.max_bps
    for _ in range(30):
        bench.second(1.0, bps=90e6)
    assert bench.rate.max_bps == 50_000_000
    for _ in range(200):
        bench.second(1.0)
    assert bench.rate.max_bps is not None
    assert bench.rate.max_bps < 12_000_000


def test_a_policy_whose_rates_follow_the_forecast_has_one_by_minutes() -> None:
    limit = Provisioning("limit", "max", quantile_permille=950)
    bench = Bench(SCALING, Policy("limit", None, "web", number=1), limit)
    assert bench.engine.forecasts() == ()
    for _ in range(5 * 60):
        bench.second(1.0, bps=10e6)
    assert bench.engine.learn(bench.now_ms / 1000)
    (told,) = (each for each in bench.engine.forecasts() if each.kind == "policy")
    assert (told.name, told.unit, told.stale) == ("limit", "bps", False)
    assert (told.step_s, told.horizons, told.quantiles) == (60.0, (1,), (0.95,))
    assert told.made_ms <= bench.now_ms
    assert 9e6 <= told.values.item() <= 15e6


def test_a_service_that_is_planned_no_more_has_no_plan_and_no_open_request() -> None:
    bench = Bench(SCALING)
    for _ in range(10):
        bench.second(4.0)
    (request,) = bench.mirror.all(PrewarmRequest)
    bench.mirror.apply(RowChange(SCALING, None))
    bench.second(4.0)
    assert bench.mirror.all(ContainerPlan) == ()
    assert bench.mirror.need(PrewarmRequest, request.id).state == "expired"


def test_without_metrics_a_driver_is_asked_for_no_fewer_than_there_are() -> None:
    bench = Bench(replace(SCALING, target="process:web"), *containers()[:2])
    for _ in range(30):
        bench.second(None)
    (wish,) = bench.engine.wishes
    assert wish.containers == 2


def test_a_fresh_predictor_without_metrics_keeps_the_rates_that_were_planned() -> None:
    limit = Provisioning("limit", floor_bps=1_000_000, ceiling_bps=10**9)
    policy = Policy("limit", None, "web", number=1)
    before = RatePlan("limit", START_MS, START_MS + 60_000, "forecast", max_bps=40_000_000)
    bench = Bench(SCALING, policy, limit, before)
    for _ in range(100):
        bench.second(None)
    assert bench.rate.stale
    assert (bench.rate.max_bps or 0) >= 40_000_000
    assert bench.rate.until_ms > bench.now_ms


def test_a_limit_that_is_reached_is_raised() -> None:
    limit = Provisioning("limit", headroom_percent=0, floor_bps=1_000_000, ceiling_bps=10**9)
    bench = Bench(SCALING, Policy("limit", None, "web", max_bps=10**9, number=1), limit)
    for _ in range(40):
        bench.second(1.0, bps=5e6)
    before = bench.rate.max_bps or 0
    bench.put(PolicyRate("limit", "plan", bench.now_ms + 10**6, max_bps=before))
    for _ in range(5):
        bench.second(1.0, bps=float(before))
    assert (bench.rate.max_bps or 0) >= 1.4 * before


@pytest.mark.parametrize("value", [float("nan"), -1.0, float("inf"), 1e300])
def test_absurd_metrics_make_no_absurd_plan(value: float) -> None:
    bench = Bench(SCALING)
    for _ in range(10):
        bench.second(2.0)
    before = bench.plan.containers
    for _ in range(5):
        bench.second(value)
    assert bench.plan.containers <= max(before, SCALING.max_containers)
    assert bench.plan.containers >= 1


def test_figures_of_what_is_planned_no_more_are_gone() -> None:
    limit, policy = Provisioning("limit", "both"), Policy("limit", None, "web", number=1)
    bench = Bench(SCALING, policy, limit)
    for _ in range(40):
        bench.second(4.0, bps=10e6)
    demand = ("forecast_demand", {"service": "web"})
    rate = ("planned_rate_bps", {"policy": "limit"})
    assert bench.figure(*demand)
    assert bench.figure(*rate, rate="max") == bench.rate.max_bps
    bench.put(replace(limit, rates="max"))
    bench.second(4.0, bps=10e6)
    assert bench.figure(*rate, rate="guaranteed") is None
    for row in (SCALING, replace(limit, rates="max")):
        bench.mirror.apply(RowChange(row, None))
    bench.second(4.0, bps=10e6)
    assert (bench.figure(*demand), bench.figure(*rate, rate="max")) == (None, None)
