"""Made-up pages of metrics: a counter that falls is found, unless its object was made anew."""

from __future__ import annotations

from typing import Final

import pytest

from tests.soak.pages import Made, Monotony, counters, labels_of, series_count

PAGE: Final = """# HELP p_total Packets.
# TYPE p_total counter
p_total{{service="web",container="c1"}} {count}
# HELP temperature Now.
# TYPE temperature gauge
temperature {gauge}
# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_bucket{{le="1.0"}} {bucket}
took_seconds_count {bucket}
took_seconds_sum 0.5
"""


def page(count: float = 5, bucket: float = 2, gauge: float = 1) -> str:
    return PAGE.format(count=count, bucket=bucket, gauge=gauge)


def read(made: Made, *pages: str, every_s: float = 100.0) -> Monotony:
    """These pages, one after another."""
    monotony = Monotony(made)
    for number, text in enumerate(pages):
        monotony.read("controller", text, number * every_s)
    return monotony


def test_counters_and_histograms_are_read_and_gauges_are_not() -> None:
    assert dict(counters(page())) == {
        'p_total{service="web",container="c1"}': 5,
        'took_seconds_bucket{le="1.0"}': 2,
        "took_seconds_count": 2,
        "took_seconds_sum": 0.5,
    }
    assert series_count(page()) == 5


def test_labels_are_read() -> None:
    assert labels_of('p{service="a,b",port="x\\"y"}') == {"service": "a,b", "port": 'x\\"y'}
    assert labels_of("p") == {}


def test_what_grows_and_what_stays_is_well() -> None:
    seen = read(Made(), page(), page(count=6, bucket=3), page(count=6, bucket=3, gauge=-4))
    assert seen.falls == []
    assert seen.compared == 8


@pytest.mark.parametrize("later", [page(count=4), page(count=0), page(bucket=1)])
def test_what_falls_is_found(later: str) -> None:
    assert read(Made(), page(), later).falls


def test_what_falls_after_it_was_away_is_found() -> None:
    away = "# TYPE p_total counter\n"
    assert read(Made(), page(), away, page(count=1)).falls


def test_processes_have_counters_of_their_own() -> None:
    monotony = Monotony(Made())
    monotony.read("controller", page(count=9), 0)
    monotony.read("api", page(count=1), 1)
    assert monotony.falls == []


@pytest.mark.parametrize(
    "what", [("service", "web"), ("container", "web", "c1")], ids=lambda what: what[0]
)
def test_an_object_that_was_made_anew_begins_anew(what: tuple[str, ...]) -> None:
    made = Made()
    made.note(*what, at=50.0)
    seen = read(made, page(), page(count=1))
    assert seen.falls == []
    assert seen.begun_anew == 1


@pytest.mark.parametrize(
    ("what", "at"),
    [
        (("service", "dns"), 50.0),
        (("container", "web", "c2"), 50.0),
        (("container", "dns", "c1"), 50.0),
        (("policy", "web"), 50.0),
        (("service", "web"), -50.0),
        (("service", "web"), 150.0),
    ],
)
def test_another_object_or_another_time_is_no_excuse(what: tuple[str, ...], at: float) -> None:
    made = Made()
    made.note(*what, at=at)
    assert read(made, page(), page(count=1)).falls


def test_only_ports_begin_anew_with_their_bridge() -> None:
    made = Made()
    made.note("switch", "01", at=50.0)
    text = "# TYPE a counter\n# TYPE b counter\n"
    before = text + 'a{port="p",switch="01"} 7\nb{switch="01"} 7\n'
    after = text + 'a{port="p",switch="01"} 1\nb{switch="01"} 1\n'
    assert read(made, before, after).falls == ['controller: b{switch="01"}: 7, then 1']


def test_many_falls_are_counted_and_some_are_told() -> None:
    falling = [page(count=100 - number) for number in range(50)]
    seen = read(Made(), *falling)
    assert seen.fallen == 49
    assert len(seen.falls) < 49
