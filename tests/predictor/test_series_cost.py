"""What samples of 5,000 services cost: processor time and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator
from typing import Final

import numpy as np

from predictor.series.loads import Loads
from predictor.series.scrape import INFLIGHT, NEW_CONNECTIONS, SERVICE_PANIC, Parser

NOW: Final = 1_700_000_040_000
SERVICES: Final = 5000
CONTAINERS: Final = 4


def page(second: int) -> bytes:
    """As a controller exports them, with as much again that is not wanted."""
    return "".join(_lines(second)).encode()


def _lines(second: int) -> Iterator[str]:
    yield f"# TYPE {SERVICE_PANIC} gauge\n"
    for service in range(SERVICES):
        yield f'{SERVICE_PANIC}{{service="service-{service}"}} 0.0\n'
    for metric in (
        NEW_CONNECTIONS,
        INFLIGHT,
        "prewire_container_slots",
        "prewire_container_weight",
    ):
        yield f"# TYPE {metric} gauge\n"
        for service in range(SERVICES):
            for container in range(CONTAINERS):
                labels = f'service="service-{service}",container="container-{container}"'
                yield f"{metric}{{{labels}}} {float(second * (service % 50))}\n"


def test_a_second_of_5000_services_is_read_in_less_than_a_second() -> None:
    parser, loads = Parser(), Loads(counters_every_s=1.0)
    costs = []
    for second in range(5):
        text = page(second)
        began = time.process_time()
        loads.add(parser.parse(text), NOW + second * 1000)
        costs.append(time.process_time() - began)
    assert min(costs[1:]) < 1.0  # `benchmarks predictor-cost` measures it
    rate = loads.rate(steps=3)
    assert len(rate.names) == SERVICES
    assert rate.values.max() == CONTAINERS * 49


def test_loads_of_5000_services_keep_within_their_memory() -> None:
    parser = Parser()
    pages = [parser.parse(page(second)) for second in range(3)]
    tracemalloc.start()
    try:
        loads = Loads(counters_every_s=1.0)
        for second, each in enumerate(pages):
            loads.add(each, NOW + second * 1000)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 250e6
    assert kept < 230e6
    assert np.isfinite(loads.demand(steps=2).values).all()
