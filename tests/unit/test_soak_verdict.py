"""Made-up samples: each kind of leak is found, and a healthy run passes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from tests.soak.pages import Made, Monotony
from tests.soak.samples import Sample, Usage
from tests.soak.verdict import MOST_STATE_MIB, RESTORED, judge, leaks

HEALTHY: Final = Usage(rss_mib=100, own_mib=90, fds=20, threads=9, children=0, cpu_s=1)
COUNTS: Final = dict.fromkeys(RESTORED, 10.0) | {"state_mib": 3.0}


def sample(
    at_s: float, usage: Usage = HEALTHY, counts: Mapping[str, float] = COUNTS, series: int = 500
) -> Sample:
    return Sample(at_s, {"api": usage, "node": HEALTHY}, dict(counts), {"api": series})


def hour(**growing: float) -> list[Sample]:
    """Fields of the process `api` that grow by so much in an hour."""
    found = []
    for at_s in range(0, 3600, 10):
        grown: dict[str, Any] = {
            name: getattr(HEALTHY, name) + more * at_s / 3600 for name, more in growing.items()
        }
        found.append(sample(at_s, replace(HEALTHY, **grown)))
    return found


def monotony(*, falls: bool = False) -> Monotony:
    """Of two pages."""
    found = Monotony(Made())
    for value in (2, 1 if falls else 3):
        found.read("api", f"# TYPE n counter\nn {value}\n", value)
    return found


def wrong(samples: list[Sample], **unexpected: int) -> list[str]:
    return judge(samples, monotony(), sample(0), sample(1), unexpected).violations


def test_a_healthy_hour_is_well() -> None:
    verdict = judge(hour(own_mib=1.0), monotony(), sample(0), sample(1), {})
    assert verdict.violations == []
    assert {each.name for each in verdict.trends} >= {"memory of api", "descriptors of node"}


@pytest.mark.parametrize(
    ("growing", "told"),
    [
        ({"own_mib": 5.0}, "memory of api"),
        ({"fds": 12.0}, "descriptors of api"),
        ({"threads": 10.0}, "threads of api"),
    ],
)
def test_what_grows_is_found_and_named(growing: dict[str, float], told: str) -> None:
    [only] = wrong(hour(**growing))
    assert only.startswith(f"grows: {told}:")


def test_more_and_more_series_are_found() -> None:
    growing = [replace(each, series={"api": 500 + number}) for number, each in enumerate(hour())]
    [only] = wrong(growing)
    assert only.startswith("grows: series of api:")


def test_a_counter_that_falls_is_found() -> None:
    found = judge(hour(), monotony(falls=True), sample(0), sample(1), {}).violations
    assert found == ["not monotonic: api: n: 2, then 1"]


def test_counters_that_were_never_compared_are_not_well() -> None:
    found = judge(hour(), Monotony(Made()), sample(0), sample(1), {}).violations
    assert found == ["no counter was read twice"]


def test_a_run_that_was_too_short_is_not_well() -> None:
    assert wrong(hour()[:5]) == ["too few samples to tell what grows"]


def test_what_should_not_happen_is_found() -> None:
    assert wrong(hour(), **{"PUT services: 500": 2}) == ["PUT services: 500: 2 times"]


def test_a_database_that_is_never_compacted_is_found() -> None:
    large = sample(0, counts=COUNTS | {"state_mib": MOST_STATE_MIB + 1})
    assert len(wrong([large, *hour()])) == 1


@pytest.mark.parametrize("name", RESTORED)
def test_what_stays_after_all_was_deleted_is_found(name: str) -> None:
    after = sample(1, counts=COUNTS | {name: 11.0})
    assert leaks(sample(0), after) == [f"leaked: {name}: 10 before, 11 after"]


@pytest.mark.parametrize("name", RESTORED)
def test_what_was_not_counted_is_not_well(name: str) -> None:
    counts = {key: value for key, value in COUNTS.items() if key != name}
    assert leaks(sample(0), sample(1, counts=counts)) == [f"{name}: not counted"]


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (replace(HEALTHY, fds=40), "leaked: descriptors of api: 20, then 40"),
        (replace(HEALTHY, children=3), "leaked: children of api: 0, 3"),
    ],
)
def test_what_a_process_keeps_at_rest_is_found(usage: Usage, told: str) -> None:
    assert leaks(sample(0), sample(1, usage)) == [told]


def test_a_process_that_ended_is_found() -> None:
    after = replace(sample(1), processes={"node": HEALTHY})
    assert leaks(sample(0), after) == ["ended: api"]


@pytest.mark.parametrize(("mib_an_hour", "is_well"), [(10.0, True), (30.0, False)])
def test_the_switchs_memory_is_coarse_but_does_not_grow_for_ever(
    mib_an_hour: float, is_well: bool
) -> None:
    switch = [replace(HEALTHY, own_mib=70 + mib_an_hour * each.at_s / 3600) for each in hour()]
    grown = [
        replace(each, processes={"ovs-vswitchd": used})
        for each, used in zip(hour(), switch, strict=True)
    ]
    rest = replace(sample(0), processes={})
    assert (judge(grown, monotony(), rest, rest, {}).violations == []) is is_well
