"""What is read from a page of /metrics, and what is not."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from predictor.series.scrape import (
    INFLIGHT,
    LEADER_EPOCH,
    NEW_CONNECTIONS,
    POLICY_BYTES,
    PROGRAMMING,
    WITHOUT_CONTAINER,
    Page,
    Parser,
)

PAGE = b"""\
# HELP prewire_leader_epoch Epoch in which this controller leads; 0: another one does.
# TYPE prewire_leader_epoch gauge
prewire_leader_epoch 3.0
# HELP prewire_container_new_connections_total Connections that began to this container.
# TYPE prewire_container_new_connections_total counter
prewire_container_new_connections_total{service="web",container="c1"} 12.0
prewire_container_new_connections_total{service="web",container="c2"} 1e3
# TYPE prewire_container_inflight_more gauge
prewire_container_inflight_more{service="web",container="c1"} 99.0
# TYPE prewire_container_inflight gauge
prewire_container_inflight{container="c1",service="web"} 4.0 1700000000000
prewire_container_inflight{service="web",container="c2"} NaN
prewire_container_inflight{service="web",container="c1"} 5.0
"""


def samples(page: Page, metric: str) -> dict[tuple[str, ...], float]:
    family = page.family(metric)
    return dict(zip(family.series, family.values.tolist(), strict=True))


def test_wanted_metrics_are_read_and_others_not() -> None:
    page = Parser().parse(PAGE)
    assert samples(page, LEADER_EPOCH) == {(): 3.0}
    assert samples(page, NEW_CONNECTIONS) == {("web", "c1"): 12.0, ("web", "c2"): 1000.0}
    assert set(page.families) == {LEADER_EPOCH, NEW_CONNECTIONS, INFLIGHT}


def test_labels_have_the_wanted_order_timestamps_are_left_out_and_the_last_of_two_counts() -> None:
    found = samples(Parser().parse(PAGE), INFLIGHT)
    assert found[("web", "c1")] == 5.0
    assert math.isnan(found[("web", "c2")])


def test_a_page_without_types_is_read_too() -> None:
    lines = b"\n".join(line for line in PAGE.splitlines() if not line.startswith(b"#"))
    for text in (lines, lines + b"\n", b"\n" + lines.replace(b"\n", b"\r\n")):
        page = Parser().parse(text)
        assert samples(page, NEW_CONNECTIONS) == {("web", "c1"): 12.0, ("web", "c2"): 1000.0}
        assert samples(page, LEADER_EPOCH) == {(): 3.0}


def test_types_of_the_newer_form_without_the_suffix_are_understood() -> None:
    text = PAGE.replace(b"# TYPE prewire_container_new_connections_total",
                        b"# TYPE prewire_container_new_connections")  # fmt: skip
    assert len(samples(Parser().parse(text), NEW_CONNECTIONS)) == 2


def test_buckets_of_a_histogram_follow_its_type() -> None:
    registry = CollectorRegistry()
    Histogram("prewire_programming_seconds", "Time.", ["stage"], registry=registry,
              buckets=(0.1, 1)).labels("switch").observe(0.5)  # fmt: skip
    assert samples(Parser().parse(generate_latest(registry)), PROGRAMMING) == {
        ("switch", "0.1"): 0.0, ("switch", "1.0"): 1.0, ("switch", "+Inf"): 1.0,
    }  # fmt: skip


def test_series_are_the_same_object_until_one_comes_or_goes() -> None:
    parser = Parser()
    first = parser.parse(PAGE).family(NEW_CONNECTIONS).series
    assert parser.parse(PAGE.replace(b"12.0", b"13.0")).family(NEW_CONNECTIONS).series is first
    more = PAGE.replace(
        b"# TYPE prewire_container_inflight_more",
        b'prewire_container_new_connections_total{service="a",container="c1"} 1.0\n'
        b"# TYPE prewire_container_inflight_more",
    )
    assert parser.parse(more).family(NEW_CONNECTIONS).series == (*first, ("a", "c1"))
    assert parser.parse(PAGE).family(NEW_CONNECTIONS).series == first


def test_lines_without_sense_are_counted_and_left_out() -> None:
    parser = Parser()
    page = parser.parse(
        b'prewire_container_inflight{service="web" 3\n'
        b'prewire_container_inflight{service=web,container="c1"} 3\n'
        b'prewire_container_inflight{service="web",container="c2"}\n'
        b'prewire_container_inflight{service="web",container="c3"} 1\n'
        b'prewire_container_inflight{service="web",container="c4"} many\n'
    )
    found = samples(page, INFLIGHT)
    assert found.pop(("web", "c3")) == 1.0
    assert [math.isnan(value) for value in found.values()] == [True]
    assert parser.malformed == 3


def test_what_is_no_page_at_all_is_an_empty_page() -> None:
    for text in (b"", b"\x00\xff\xfe", b"<html>502 Bad Gateway</html>", b"#" * 1000, b"\n" * 9):
        assert not Parser().parse(text).families


class _Strange(Collector):
    """Label values that need escapes."""

    def collect(self) -> list[GaugeMetricFamily]:
        family = GaugeMetricFamily(INFLIGHT, 'Help with "\n#', labels=["service", "container"])
        for value in ('a"b', "a\\nb", "a\nb", "a}b 5", "ä,b={", "# TYPE x y"):
            family.add_metric([value, "c"], 1)
        return [family]


def test_label_values_are_read_as_they_were_before_they_were_escaped() -> None:
    registry = CollectorRegistry()
    registry.register(_Strange())
    page = Parser().parse(generate_latest(registry))
    assert {service for service, _ in page.family(INFLIGHT).series} == {
        'a"b', "a\\nb", "a\nb", "a}b 5", "ä,b={", "# TYPE x y",
    }  # fmt: skip


def test_a_page_of_samples_has_the_wanted_ones() -> None:
    page = Page.of([
        (WITHOUT_CONTAINER, {"service": "web"}, 2.0),
        ("something_else", {}, 1.0),
        (POLICY_BYTES, {"switch": "1", "policy": "p"}, 7.0),
    ])  # fmt: skip
    assert samples(page, WITHOUT_CONTAINER) == {("web",): 2.0}
    assert samples(page, POLICY_BYTES) == {("p", "1"): 7.0}
