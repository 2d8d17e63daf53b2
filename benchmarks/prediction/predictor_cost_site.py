"""A predictor's engine under so many services, without network: what each part costs, as JSON.

Run in a process of its own, so that its memory is the predictor's:
`python -m benchmarks.prediction.predictor_cost_site SERVICES TICKS light|global`.
Pages are made up; rows are those of a mirror.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from prometheus_client import CollectorRegistry

from nib.draft import Draft
from nib.intent import Container, Service
from nib.mirror import Lookups, Mirror, RowChange
from nib.prewarm import Provisioning, Scaling
from nib.qos import Policy
from predictor.running.decided import Decided, write
from predictor.running.engine import Engine, Rates
from predictor.running.learning import Learning
from predictor.running.measures import PredictorMeasures
from predictor.running.minded import Minded
from predictor.series.scrape import INFLIGHT, NEW_CONNECTIONS, POLICY_BYTES, SERVICE_PANIC, Parser
from predictor.series.window import Floats, Window

CONTAINERS: Final = 3  # of each service
POLICIES: Final = 200
TICKS: Final = 20
WARM_TICKS: Final = 5
MINUTES: Final = 4
FIT_WAIT_S: Final = 300.0
_NOW_MS: Final = 1_700_000_040_000
_SEED: Final = 7
_KEPT_MINUTES: Final = 1500
_FILLED: Final = 60  # steps at a time


class Costs:
    """Processor time by part, in place of a histogram."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._part = ""

    def labels(self, part: str) -> Costs:
        """For this part from now on."""
        self._part = part
        return self

    @contextmanager
    def time(self) -> Iterator[None]:
        """Of the calling thread."""
        part, began = self._part, time.thread_time()
        try:
            yield
        finally:
            self.spent[part] = self.spent.get(part, 0.0) + time.thread_time() - began


class Site:
    """An engine with history of a day, and what feeds it. owns: which services it plans for."""

    def __init__(
        self, services: int, *, is_global: bool, owns: Callable[[str], bool] | None = None
    ) -> None:
        owns = owns or _all
        self._names = tuple(f"service-{number:05}" for number in range(services))
        self._random = np.random.default_rng(_SEED)
        self._level = self._random.lognormal(0.0, 1.5, services) * (
            self._random.random(services) < 0.7
        )
        self._served = np.zeros(services)
        self._parser = Parser()
        self.mirror = Mirror()
        for row in self._rows():
            self.mirror.apply(RowChange(None, row))
        self.costs = Costs()
        self.registry = CollectorRegistry()
        measures = PredictorMeasures(self.registry)
        measures.tick_seconds = self.costs  # type: ignore[assignment]
        self._learning = Learning((), measures, 60.0 if is_global else 0.0)
        self.engine = Engine(
            Minded.of(self.mirror, owns),
            self._learning,
            owns=owns,
            admit=_admit,
            measures=measures,
            tick_s=1.0,
            counters_s=1.0,
        )
        self.now_ms = _NOW_MS
        self._fill()

    def hear(self, seconds: int = 1) -> None:
        """The next page, so many seconds later."""
        self.now_ms += 1000 * seconds
        text = self._page(seconds)
        with self.costs.labels("parse").time():
            page = self._parser.parse(text)
        self.engine.heard(page, self.now_ms, "controller")

    def tick(self) -> Decided:
        """One, and the rows that it writes."""
        decided = self.engine.tick(self._view, self.now_ms)
        if decided:
            write(decided)(Draft(self.mirror))
        return decided

    def adopted(self) -> bool:
        """Whether there is a global model."""
        outcome = {"outcome": "adopted"}
        return bool(self.registry.get_sample_value("prewire_predictor_refits_total", outcome))

    def close(self) -> None:
        """End what runs on the side."""
        self._learning.close()

    @contextmanager
    def _view(self) -> Iterator[Lookups]:
        yield self.mirror

    def _rows(self) -> Iterator[Any]:
        for number, name in enumerate(self._names, start=1):
            yield Service(name, f"10.{number >> 8}.{number & 255}.1", 80, number=number)
            yield Scaling(name)
            for each in range(CONTAINERS):
                at = number * CONTAINERS + each
                mac = f"02:00:00:{at >> 16:02x}:{at >> 8 & 255:02x}:{at & 255:02x}"
                address = f"11.{at >> 16}.{at >> 8 & 255}.{at & 255}"
                yield Container(name, f"c{each}", address, 80, mac, iface_id=f"i{at}", number=at)
        for number in range(1, POLICIES + 1):
            yield Policy(
                f"policy-{number}", None, self._names[number], max_bps=10**8, number=number
            )
            yield Provisioning(f"policy-{number}")

    def _now(self) -> Floats:
        """Concurrent requests of each service: some steady, some in surges."""
        second = self.now_ms // 1000
        phase = (second + np.arange(len(self._names))) % 60
        return np.asarray(self._random.poisson(self._level * (1 + 5 * (phase < 6))), dtype=float)

    def _page(self, seconds: int) -> bytes:
        inflight = self._now()
        self._served += inflight * seconds
        return "".join(self._lines(inflight)).encode()

    def _lines(self, inflight: Floats) -> Iterator[str]:
        yield f"# TYPE {SERVICE_PANIC} gauge\n"
        for name in self._names:
            yield f'{SERVICE_PANIC}{{service="{name}"}} 0.0\n'
        metrics = ((NEW_CONNECTIONS, self._served), (INFLIGHT, inflight))
        for metric, values in metrics:
            yield f"# TYPE {metric} gauge\n"
            for name, value in zip(self._names, values.tolist(), strict=True):
                for each in range(CONTAINERS):
                    labels = f'service="{name}",container="c{each}"'
                    yield f"{metric}{{{labels}}} {value // CONTAINERS}\n"
        yield f"# TYPE {POLICY_BYTES} counter\n"
        for number in range(1, POLICIES + 1):
            labels = f'policy="policy-{number}",switch="s1"'
            yield f"{POLICY_BYTES}{{{labels}}} {1e5 * self._served[number]}\n"

    def _fill(self) -> None:
        """An hour of seconds, and a day of minutes, of every service."""
        for step_s, steps in ((1.0, 3600), (60.0, _KEPT_MINUTES)):
            step_ms = round(1000 * step_s)
            end = self.now_ms // step_ms
            for first in range(end - steps, end, _FILLED):
                step = np.arange(first, min(first + _FILLED, end))
                surge = 1 + 5 * (step % 60 < 6)
                values = self._random.poisson(self._level[:, np.newaxis] * surge).astype(float)
                window = Window(self._names, step_s, int(step[-1] + 1) * step_ms, values)
                for kind in ("demand", "rate"):
                    self.engine.loads.fill(kind, window)


def _all(_name: str) -> bool:
    return True


def _admit(
    _view: Lookups, rates: Mapping[str, Rates]
) -> Mapping[str, tuple[int | None, int | None, str]]:
    return {name: (*asked, "") for name, asked in rates.items()}


def peak_mb() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def ticks(site: Site, count: int) -> dict[str, list[float]]:
    """Milliseconds of each part, tick by tick."""
    found: dict[str, list[float]] = {}
    for number in range(count + WARM_TICKS):
        site.costs.spent.clear()
        site.hear()
        began = time.thread_time()
        site.tick()
        spent = site.costs.spent | {"tick": time.thread_time() - began}
        if number >= WARM_TICKS:
            for part, seconds in spent.items():
                found.setdefault(part, []).append(1000 * seconds)
    return found


def minutes(site: Site, count: int) -> list[float]:
    """Seconds of processor time that learning takes when a minute is over."""
    found = []
    for _ in range(count):
        for _ in range(2):
            site.hear(30)
        began = time.process_time()
        site.engine.learn(site.now_ms / 1000)
        found.append(time.process_time() - began)
    return found


def main() -> int:
    """Measure as the arguments say: SERVICES, TICKS, light|global."""
    services, count, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    site = Site(services, is_global=kind == "global")
    filled_mb = peak_mb()
    try:
        spent = ticks(site, count)
        if kind == "global":
            deadline = time.monotonic() + FIT_WAIT_S
            while not site.adopted():
                if time.monotonic() > deadline:
                    raise SystemExit("no global model came")
                minutes(site, 1)
                time.sleep(1)
        learned = minutes(site, MINUTES)
        between = time.process_time()
        site.hear()
        site.engine.learn(site.now_ms / 1000)
        between = time.process_time() - between
    finally:
        site.close()
    found = {"ticks": spent, "minutes": learned, "between": between, "filled_mb": filled_mb}
    print(json.dumps(found | {"peak_mb": peak_mb()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
