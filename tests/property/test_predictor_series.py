"""Samples of any kind, at any time, in any order: what is stored, and what is said of loads."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from predictor.series.loads import Keep, Loads
from predictor.series.scrape import (
    INFLIGHT,
    LEADER_EPOCH,
    NEW_CONNECTIONS,
    WANTED,
    Page,
    Parser,
)
from predictor.series.store import Store
from predictor.series.window import Window

NOW: Final = 1_700_000_040_000
STEPS: Final = 8
KEEP: Final = Keep(20, 20, 20, 5)
YEAR_MS: Final = 365 * 86_400_000

values = st.one_of(st.floats(0, 1e6), st.floats(), st.integers(-5, 5).map(float))
# Mostly near each other; sometimes off by hours or a year.
offsets_ms = st.one_of(
    st.integers(-3_000, 12_000), st.sampled_from([-YEAR_MS, -7_200_000, 7_200_000, YEAR_MS])
)
samples = st.lists(st.tuples(st.sampled_from("abc"), offsets_ms, values), max_size=30)


def is_load(value: float) -> bool:
    return 0 <= value <= float(np.finfo(np.float32).max)


@given(samples, st.integers(1, 20))
def test_a_store_has_the_last_good_sample_of_each_step_in_its_ring(
    given_samples: list[tuple[str, int, float]], steps: int
) -> None:
    store = Store(1.0, STEPS)
    wanted: dict[tuple[str, int], float] = {}
    head = -1
    for name, offset, value in given_samples:
        store.put(name, NOW + offset, value)
        number = (NOW + offset) // 1000
        if is_load(value) and number > head - STEPS:
            wanted[name, number] = value
            head = max(head, number)
    window = store.window(("a", "b", "c"), steps)
    assert window.steps == min(steps, STEPS)
    for row, column in np.ndindex(3, window.steps):
        name, number = "abc"[row], head - window.steps + 1 + column
        seen = window.values[row, column]
        if (name, number) in wanted:
            assert math.isclose(seen, wanted[name, number], rel_tol=1e-6, abs_tol=1e-40)
        else:
            assert math.isnan(seen)


@given(samples)
def test_the_order_of_samples_of_different_steps_does_not_matter(
    given_samples: list[tuple[str, int, float]],
) -> None:
    near = {(name, offset // 1000): value for name, offset, value in given_samples
            if abs(offset) < 3_000}  # fmt: skip
    one, other = Store(1.0, STEPS), Store(1.0, STEPS)
    for (name, second), value in near.items():
        one.put(name, NOW + second * 1000, value)
    for (name, second), value in reversed(near.items()):
        other.put(name, NOW + second * 1000, value)
    names = ("a", "b", "c")
    np.testing.assert_equal(one.window(names, 6).values, other.window(names, 6).values)


@given(samples, st.integers(0, 12))
def test_history_never_changes_what_is_known(
    given_samples: list[tuple[str, int, float]], late: int
) -> None:
    store = Store(1.0, STEPS)
    for name, offset, value in given_samples:
        store.put(name, NOW + offset, value)
    end = store.end_ms
    before = store.window(("a", "b", "c"), STEPS, end).values
    store.fill(Window(("a", "c"), 1.0, NOW + late * 1000, np.full((2, 30), 7.0)))
    after = store.window(("a", "b", "c"), STEPS, end).values
    known = ~np.isnan(before)
    if end is not None and (store.end_ms or 0) - end <= 0:
        np.testing.assert_equal(after[known], before[known])
    assert ((after == 7.0) | np.isnan(after) | known).all()


pages = st.lists(
    st.tuples(
        offsets_ms,
        st.lists(
            st.tuples(
                st.sampled_from(sorted(WANTED)),
                st.sampled_from(["web", "db", ""]),
                st.sampled_from(["c1", "c2"]),
                values,
            ),
            max_size=6,
        ),
        st.sampled_from(["one", "other"]),
    ),
    max_size=12,
)


@given(pages)
def test_pages_of_any_values_at_any_times_give_loads_that_can_be(
    given_pages: list[tuple[int, list[tuple[str, str, str, float]], str]],
) -> None:
    loads = Loads(KEEP, counters_every_s=1.0)
    at_ms = NOW
    for offset, found, source in given_pages:
        at_ms += offset
        page = Page.of(
            (metric, {**dict.fromkeys(("service", "policy"), one),
                      **dict.fromkeys(("container", "switch"), other)}, value)
            for metric, one, other, value in found
        )  # fmt: skip
        loads.add(page, at_ms, source)
    for window in (
        *(loads.demand(step) for step in (1, 60)),
        *(loads.rate(step) for step in (1, 60)),
        *(loads.bits(step) for step in (1, 60)),
    ):
        assert (np.isnan(window.values) | (window.values >= 0)).all()
        assert not np.isinf(window.values).any()
    assert all(0 < each <= 3600 for each in loads.service_times().values())


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=2, max_size=20))
def test_every_connection_is_counted_once_however_often_counters_start_again(
    seconds: list[tuple[int, bool]],
) -> None:
    loads, counter, came = Loads(KEEP, counters_every_s=1.0), 1000, 0
    for number, (new, starts_again) in enumerate(seconds):
        # a counter that starts again and passes its old value at once cannot be told
        counter = new if starts_again and new < counter else counter + new
        came += new if number else 0
        labels = {"service": "web", "container": "c1"}
        other = {"service": "other", "container": "c1"}  # it shows that switches were asked
        page = Page.of([(NEW_CONNECTIONS, labels, counter), (NEW_CONNECTIONS, other, number)])
        loads.add(page, NOW + number * 1000)
    rate = loads.rate(steps=len(seconds), names=("web",)).values
    assert math.isclose(np.nansum(rate), came, rel_tol=1e-6)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=15), st.integers(0, 14))
def test_without_connections_demand_is_what_is_in_flight_and_never_more(
    levels: list[float], lost: int
) -> None:
    loads = Loads(KEEP, counters_every_s=1.0)
    for number, level in enumerate(levels):
        if number != lost:
            labels = {"service": "web", "container": "c1"}
            loads.add(Page.of([(INFLIGHT, labels, level)]), NOW + number * 1000)
    found = loads.demand(names=("web",)).values
    if found.size:
        assert np.nanmax(found) <= max(levels) * (1 + 1e-6)
        last = len(levels) - 1 - (lost == len(levels) - 1)
        assert math.isclose(found[0, -1], levels[last], rel_tol=1e-6, abs_tol=1e-40)


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_no_bytes_are_too_strange_to_be_parsed(noise: bytes, more: bytes) -> None:
    parser = Parser()
    parser.parse(noise)
    for between in (b"", b"{", b' {service="a",', b'{service="a",container="b"} ', b" "):
        page = parser.parse(noise + b"\n" + INFLIGHT.encode() + between + more + b"\n" + noise)
        for family in page.families.values():
            assert len(family.series) == family.values.size


@given(st.dictionaries(st.text(max_size=8), st.floats(), max_size=6), st.floats())
def test_what_is_exported_is_what_is_read(services: dict[str, float], epoch: float) -> None:
    registry = CollectorRegistry()
    Gauge(LEADER_EPOCH, "Epoch.", registry=registry).set(epoch)
    gauge = Gauge(INFLIGHT, "Requests.", ["service", "container"], registry=registry)
    for service, value in services.items():
        gauge.labels(service.encode("utf-8", "replace").decode(), "c1").set(value)
    page = Parser().parse(generate_latest(registry))
    found = page.family(INFLIGHT)
    assert {series[0] for series in found.series} == {
        name.encode("utf-8", "replace").decode() for name in services
    }
    np.testing.assert_equal(page.family(LEADER_EPOCH).values, [epoch])
